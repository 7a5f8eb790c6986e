"""Everything the bot says, in four languages: `words("job.queued", position=3)`.

The texts are in `bot/catalogues/<language>.toml`. They are Telegram's HTML; the facts put into them are not,
and are escaped. A text with a form for each plural category (CLDR 48) is chosen by its fact `count`.
"""

from __future__ import annotations

import html
import math
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from bot.texts import clean, clip

#: The categories there are (CLDR, Language Plural Rules).
CATEGORIES = ("zero", "one", "two", "few", "many", "other")

#: UTF-16 code units of one fact: some of them and the text around them stay below a message's 4,096.
FACT_LENGTH = 1000
#: From here on a forecast is said in minutes, in hours.
_MINUTES_FROM, _HOURS_FROM = 90, 90 * 60

_FOLDER = Path(__file__).parent / "catalogues"

Fact = str | int | float
Text = str | dict[str, str]


class Html(str):
    """Text that is Telegram's HTML already: put into another text it is not escaped again."""

    __slots__ = ()


class Words:
    """One language's words."""

    #: What there is, each with its own name for itself.
    languages: ClassVar[Mapping[str, str]] = {
        "en": "English",
        "de": "Deutsch",
        "pl": "Polski",
        "ru": "Русский",
    }
    DEFAULT: ClassVar[str] = "en"

    def __init__(self, language: str | None) -> None:
        """`language` is an IETF tag as Telegram sends it; English for one we do not speak."""
        self.language = self.closest(language)
        self._texts = catalogue(self.language)

    @classmethod
    def closest(cls, language: str | None) -> str:
        """The language of ours that a tag such as `de-AT` means."""
        primary = (language or "").replace("_", "-").partition("-")[0].lower()
        return primary if primary in cls.languages else cls.DEFAULT

    def __call__(self, key: str, /, **facts: Fact) -> Html:
        """The text as HTML, its facts escaped. Raises KeyError for an unknown key and for a missing fact."""
        return Html(self._form(key, facts).format_map({name: self._html(v) for name, v in facts.items()}))

    def plain(self, key: str, /, **facts: Fact) -> str:
        """For where Telegram reads no HTML: buttons, notices, commands. Raises KeyError."""
        return self._form(key, facts).format_map({name: self._said(v) for name, v in facts.items()})

    def knows(self, key: str) -> bool:
        """Whether there is such a text, as for a code that the API may have made up since."""
        return key in self._texts

    def number(self, value: float) -> str:
        """As the language writes it, without needless decimals."""
        if isinstance(value, int) or not math.isfinite(value):
            return str(value)
        text = f"{value:.4f}".rstrip("0").rstrip(".")
        text = "0" if text in ("-0", "") else text
        return text if self.language == "en" else text.replace(".", ",")

    def duration(self, seconds: float) -> str:
        """A forecast, no more exact than it is."""
        if seconds < _MINUTES_FROM:
            whole = round(seconds) if seconds < 10 else 5 * round(seconds / 5)
            return self.plain("duration.seconds", seconds=max(whole, 1))
        if seconds < _HOURS_FROM:
            return self.plain("duration.minutes", minutes=round(seconds / 60))
        return self.plain("duration.hours", hours=round(seconds / 3600))

    def _form(self, key: str, facts: Mapping[str, Fact]) -> str:
        text = self._texts[key]
        if isinstance(text, str):
            return text
        count = facts["count"]
        if isinstance(count, str):
            raise TypeError(f"{key}: count is a number, not {count!r}")
        return text[category(self.language, self.number(count).replace(",", "."))]

    def _said(self, fact: Fact) -> str:
        return clip(clean(fact), FACT_LENGTH) if isinstance(fact, str) else self.number(fact)

    def _html(self, fact: Fact) -> str:
        return fact if isinstance(fact, Html) else html.escape(self._said(fact), quote=False)


def category(language: str, number: str) -> str:
    """The plural category of a number as it is written, with a decimal point (CLDR 48, cardinals)."""
    digits = number.lstrip("-")
    if not digits.isdigit():
        return "other"
    n = int(digits)
    if language in ("en", "de"):
        return "one" if n == 1 else "other"
    if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14:
        return "few"
    if language == "pl":
        return "one" if n == 1 else "many"
    return "one" if n % 10 == 1 and n % 100 != 11 else "many"


@cache
def catalogue(language: str) -> Mapping[str, Text]:
    """Every text of a language by its key; one with plural forms is a table of them."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return dict(_flat(tomllib.load(file), ""))


def _flat(table: Mapping[str, Any], path: str) -> list[tuple[str, Text]]:
    found: list[tuple[str, Text]] = []
    for name, value in table.items():
        key = f"{path}{name}"
        if isinstance(value, str):
            found.append((key, value))
        elif {"one", "other"} <= value.keys() <= set(CATEGORIES):
            found.append((key, dict(value)))
        else:
            found += _flat(value, f"{key}.")
    return found
