"""The bot itself, its commands, and looking at chats."""

from __future__ import annotations

import re
from typing import Any

from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json, Parameters
from tests.telegram.session import Session

_NAME = re.compile(r"[a-z0-9_]{1,32}")
MOST_COMMANDS = 100


async def get_me(session: Session, _call: Parameters) -> Json:
    return {
        **session.world.bot,
        "can_join_groups": True,
        "can_read_all_group_messages": session.world.reads_groups,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def set_my_commands(session: Session, call: Parameters) -> bool:
    commands = call.structure("commands")
    if not isinstance(commands, list):
        raise bad_request("can't parse commands: expected an Array")
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for one in commands:
        if not _NAME.fullmatch(str(one.get("command", "")).removeprefix("/")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(str(one.get("description", ""))) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    session.world.commands[_scope(call)] = [
        {"command": one["command"].removeprefix("/"), "description": one["description"]} for one in commands
    ]
    return True


async def get_my_commands(session: Session, call: Parameters) -> list[Json]:
    return session.world.commands.get(_scope(call), [])


async def delete_my_commands(session: Session, call: Parameters) -> bool:
    session.world.commands.pop(_scope(call), None)
    return True


async def get_chat(session: Session, call: Parameters) -> Json:
    chat = session.world.chat(call)
    if refusal := chat.refusal():
        raise refusal
    return {**chat.json(), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}


async def get_chat_member(session: Session, call: Parameters) -> Json:
    chat = session.world.chat(call)
    person = session.world.people.get(call.integer("user_id"))
    if person is None:
        raise bad_request("invalid user_id specified")
    there = person["id"] in chat.members or person["id"] == chat.id
    return {"user": person, "status": "member" if there else "left"}


_NO_GIFTS = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
)


def _scope(call: Parameters) -> tuple[str, str]:
    scope: Any = call.structure("scope") or {}
    name = str(scope.get("type", "default"))
    if "chat_id" in scope:
        name += f":{scope['chat_id']}"
    return name, call.text("language_code")


METHODS = {
    "getMe": get_me,
    "setMyCommands": set_my_commands,
    "getMyCommands": get_my_commands,
    "deleteMyCommands": delete_my_commands,
    "getChat": get_chat,
    "getChatMember": get_chat_member,
}
