"""Telegram's HTML, as strict as its server: what is shown of it, or an error."""

from __future__ import annotations

import html
from html.parser import HTMLParser

#: Bot API, "HTML style": the ones that we use.
_TAGS = frozenset({"b", "i", "u", "s", "code", "pre", "a"})
_ENTITIES = ("&lt;", "&gt;", "&amp;", "&quot;")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, f"<{tag}> is not Telegram's"
        assert not attrs or tag == "a", f"<{tag}> with {attrs}"
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        assert "<" not in data
        assert "&" not in data
        self.text += data

    def handle_entityref(self, name: str) -> None:
        assert f"&{name};" in _ENTITIES, f"&{name}; is not Telegram's"
        self.text += html.unescape(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.text += html.unescape(f"&#{name};")


def shown_text(source: str) -> str:
    """The text without its markup. AssertionError where Telegram would answer "can't parse entities"."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    assert not reader.open, f"left open: {reader.open}"
    return reader.text
