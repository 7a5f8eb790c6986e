"""A chat as the people in it see it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.telegram.chats import Chat, Posted
from tests.telegram.media import main_id
from tests.telegram.parameters import Json
from tests.telegram.world import World

KINDS = ("photo", "animation", "video", "audio", "voice", "document", "sticker", "text")


@dataclass(frozen=True)
class Button:
    """One button below a message."""

    text: str
    data: str | None = None
    url: str | None = None
    #: Whatever else it does, as in the API.
    raw: Json | None = None


@dataclass(frozen=True)
class Shown:
    """A message as it is seen now. Times are of `time.monotonic()`."""

    #: In the API's shape.
    json: Json
    at: float
    edited_at: float | None
    #: What it was before each edit, oldest first.
    history: tuple[Shown, ...]
    _world: World

    @property
    def id(self) -> int:
        return int(self.json["message_id"])

    @property
    def from_bot(self) -> bool:
        return bool(self.json["from"]["is_bot"])

    @property
    def text(self) -> str:
        """The text, or the caption; without markup."""
        return str(self.json.get("text", self.json.get("caption", "")))

    @property
    def kind(self) -> str:
        """`text`, `photo`, `document` and so on; `service` for what Telegram notes itself."""
        return next((one for one in KINDS if one in self.json), "service")

    @property
    def buttons(self) -> list[list[Button]]:
        rows = self.json.get("reply_markup", {}).get("inline_keyboard", [])
        return [[Button(b["text"], b.get("callback_data"), b.get("url"), b) for b in row] for row in rows]

    @property
    def labels(self) -> list[str]:
        """The texts of all buttons."""
        return [button.text for row in self.buttons for button in row]

    @property
    def entities(self) -> list[Json]:
        return list(self.json.get("entities") or self.json.get("caption_entities") or [])

    @property
    def media(self) -> bytes:
        """The bytes of its file, as a person downloads it: a photo is the JPEG that Telegram made."""
        file_id = main_id(self.json)
        found = self._world.files.find(file_id) if file_id else None
        if found is None:
            raise AssertionError(f"no file in {self}")
        return found[1].data

    @property
    def file_name(self) -> str | None:
        name = self.json.get(self.kind, {}).get("file_name") if self.kind not in ("text", "photo") else None
        return None if name is None else str(name)

    @property
    def album(self) -> str | None:
        return self.json.get("media_group_id")

    @property
    def reply_to(self) -> int | None:
        quoted = self.json.get("reply_to_message")
        return int(quoted["message_id"]) if quoted else None

    def __str__(self) -> str:
        who = self.json["from"]["first_name"]
        what = "" if self.kind == "text" else f"[{self.kind}] "
        rows = "".join("\n      " + " ".join(f"[{b.text}]" for b in row) for row in self.buttons)
        return f"#{self.id} {who}: {what}{self.text}{rows}"


def shown(world: World, posted: Posted) -> Shown:
    history = tuple(Shown(json, at, None, (), world) for at, json in posted.earlier)
    return Shown(posted.message, posted.at, posted.edited_at, history, world)


def transcript(world: World, chat: Chat) -> list[Shown]:
    """All messages that are not deleted, oldest first."""
    with world.lock:
        return [shown(world, one) for one in chat.visible()]
