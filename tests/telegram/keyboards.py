"""What a message's `reply_markup` may be."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json, Parameters

MOST_BUTTONS = 100
MOST_IN_A_ROW = 8

#: What an inline button can do, one each.
ACTIONS = (
    "callback_data", "url", "switch_inline_query", "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat", "copy_text", "web_app", "login_url", "callback_game", "pay",
)  # fmt: skip


def read(call: Parameters) -> Json | None:
    """The checked markup of a call, None if there is none. Raises ApiError (400)."""
    return check(call.structure("reply_markup"))


def check(markup: Any) -> Json | None:
    """An inline keyboard without buttons is none. Raises ApiError (400)."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in markup:
        rows = _rows(markup["inline_keyboard"])
        for button in (button for row in rows for button in row):
            _check_button(button)
        return {"inline_keyboard": rows} if rows else None
    if "keyboard" in markup:
        return {**markup, "keyboard": _rows(markup["keyboard"])}
    return markup


def _rows(rows: Any) -> list[list[Json]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('can\'t parse inline keyboard: Field "inline_keyboard" must be of type Array')
    if sum(map(len, rows)) > MOST_BUTTONS or any(len(row) > MOST_IN_A_ROW for row in rows):
        raise bad_request("reply markup is too long")
    return [[{"text": one} if isinstance(one, str) else one for one in row] for row in rows if row]


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not button.get("text"):
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be non-empty')
    actions = [one for one in ACTIONS if one in button]
    if len(actions) != 1:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= 64:
        raise bad_request("BUTTON_DATA_INVALID")
    if "url" in button:
        _check_url(str(button["url"]))


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "tg":
        return
    # Such as localhost: Telegram takes no host without a dot.
    if parts.scheme not in ("http", "https") or "." not in (parts.hostname or ""):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
