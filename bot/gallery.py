"""The bot's own style pictures: buttons of a form's question for a style, below a sheet that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from telegram import Message

from bot.dialogue import from_gallery
from bot.forms import Choice, Field, Kind
from bot.words import Words

_FOLDER = Path(__file__).parent / "pictures"
_SHEET = _FOLDER / "sheet.jpg"
_SUFFIX = ".jpg"


class Gallery:
    """The pictures, and how Telegram calls the sheet once it has been sent."""

    #: In the order of the numbers on the sheet.
    names: ClassVar[tuple[str, ...]] = tuple(
        sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}") if path != _SHEET)
    )

    def __init__(self) -> None:
        self._sheet_id: str | None = None

    @staticmethod
    def suits(field: Field) -> bool:
        """Whether a field's question offers the pictures."""
        return field.kind is Kind.FILE and field.role == "style" and "image/jpeg" in field.accept

    def choices(self, words: Words) -> tuple[Choice, ...]:
        """The pictures as a field's choices, numbered as on the sheet."""
        return tuple(
            Choice(from_gallery(name), f"{number} {words.plain(f'gallery.{name}')}")
            for number, name in enumerate(self.names, 1)
        )

    @staticmethod
    def picture(name: str) -> tuple[str, bytes]:
        """A picture's file name and bytes. Raises KeyError."""
        if name not in Gallery.names:
            raise KeyError(name)
        path = _FOLDER / f"{name}{_SUFFIX}"
        return path.name, path.read_bytes()

    def sheet(self) -> bytes | str:
        """What is to be sent to show it: the file, or after the first time Telegram's id of it."""
        return self._sheet_id or _SHEET.read_bytes()

    def sent(self, message: Message) -> None:
        """Remember what Telegram calls the sheet."""
        if message.photo:
            self._sheet_id = message.photo[-1].file_id
