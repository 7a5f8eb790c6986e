"""`parse_mode=MarkdownV2` (https://core.telegram.org/bots/api#markdownv2-style), strict as the real one."""

from __future__ import annotations

from dataclasses import dataclass

from tests.telegram.spans import Span, byte_offset, unparsable

RESERVED = "_*[]()~`>#+-=|{}.!"
#: Longest first: `__` is not two `_`.
_MARKS = {
    "```": "pre", "__": "underline", "||": "spoiler", "*": "bold", "_": "italic", "~": "strikethrough",
    "`": "code",
}  # fmt: skip
_NAMES = {
    "pre": "Pre", "underline": "Underline", "spoiler": "Spoiler", "bold": "Bold", "italic": "Italic",
    "strikethrough": "Strikethrough", "code": "Code", "text_link": "TextUrl",
}  # fmt: skip


@dataclass
class _Open:
    kind: str
    mark: str
    start: int
    where: int


def parse(text: str) -> tuple[str, list[Span]]:
    """Plain text and spans. Raises ApiError (400)."""
    return _Parser(text).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.plain = ""
        self.opened: list[_Open] = []
        self.spans: list[Span] = []
        self.quote: int | None = None

    def run(self) -> tuple[str, list[Span]]:
        while self.at < len(self.text):
            self._step()
        self._end_quote()
        if self.opened:
            last = self.opened[-1]
            where = byte_offset(self.text, last.where)
            raise unparsable(f"Can't find end of {_NAMES[last.kind]} entity at byte offset {where}")
        return self.plain, self.spans

    def _step(self) -> None:
        character = self.text[self.at]
        raw = self.opened and self.opened[-1].kind in ("code", "pre")
        if character == "\\" and self.at + 1 < len(self.text) and ord(self.text[self.at + 1]) < 127:
            self.plain += self.text[self.at + 1]
            self.at += 2
        elif raw and not self.text.startswith(self.opened[-1].mark, self.at):
            self._take()
        elif self._mark() or self._link() or self._quote():
            return
        elif character in RESERVED:
            raise unparsable(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )
        else:
            self._take()

    def _take(self) -> None:
        character = self.text[self.at]
        self.plain += character
        self.at += 1
        if character == "\n" and not self.text.startswith(">", self.at):
            self._end_quote()

    def _mark(self) -> bool:
        mark = next((one for one in _MARKS if self.text.startswith(one, self.at)), None)
        if mark is None:
            return False
        last = self.opened[-1] if self.opened else None
        if last and last.kind == "code":
            mark = last.mark
        if last and last.mark == mark:
            self.opened.pop()
            self.at += len(mark)
            self._close(last)
            return True
        self.opened.append(_Open(_MARKS[mark], mark, len(self.plain), self.at))
        self.at += len(mark)
        return True

    def _close(self, last: _Open) -> None:
        more = {}
        if last.kind == "pre":
            body = self.plain[last.start :]
            language, newline, rest = body.partition("\n")
            if newline and not any(map(str.isspace, language)):
                self.plain = self.plain[: last.start] + rest
                more = {"language": language} if language else {}
        if len(self.plain) > last.start:
            self.spans.append(Span(last.kind, last.start, len(self.plain), more))

    def _link(self) -> bool:
        character = self.text[self.at]
        if character == "[" or self.text.startswith("![", self.at):
            mark = "[" if character == "[" else "!["
            self.opened.append(_Open("text_link", mark, len(self.plain), self.at))
            self.at += len(mark)
            return True
        last = self.opened[-1] if self.opened else None
        if character != "]" or last is None or last.kind != "text_link":
            return False
        self.opened.pop()
        self.at += 1
        if not self.text.startswith("(", self.at):
            return True
        url = ""
        self.at += 1
        while not self.text.startswith(")", self.at):
            self.at += self.text.startswith("\\", self.at)
            if self.at >= len(self.text):
                raise unparsable(
                    f"Can't find end of a URL at byte offset {byte_offset(self.text, last.where)}"
                )
            url += self.text[self.at]
            self.at += 1
        self.at += 1
        if url.startswith("tg://emoji?id="):
            more, kind = {"custom_emoji_id": url.partition("=")[2]}, "custom_emoji"
        else:
            more, kind = {"url": url}, "text_link"
        self.spans.append(Span(kind, last.start, len(self.plain), more))
        return True

    def _quote(self) -> bool:
        if self.text[self.at] != ">" or (self.plain and not self.plain.endswith("\n")):
            return False
        if self.quote is None:
            self.quote = len(self.plain)
        self.at += 1
        return True

    def _end_quote(self) -> None:
        if self.quote is not None:
            self.spans.append(Span("blockquote", self.quote, len(self.plain.rstrip("\n"))))
            self.quote = None
