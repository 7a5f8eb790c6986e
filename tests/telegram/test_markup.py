"""HTML and MarkdownV2, with the words in which the real server refuses them."""

from __future__ import annotations

import pytest

from tests.telegram.entities import format_text
from tests.telegram.errors import ApiError
from tests.telegram.parameters import Json


def kinds(entities: list[Json]) -> list[tuple[str, int, int]]:
    return [(one["type"], one["offset"], one["length"]) for one in entities]


@pytest.mark.parametrize(
    ("text", "mode", "plain", "entities"),
    [
        ("<b>a <i>b</i></b>", "HTML", "a b", [("bold", 0, 3), ("italic", 2, 1)]),
        ("🪐<code>&lt;x&gt;</code>", "HTML", "🪐<x>", [("code", 2, 3)]),
        ('<a href="https://e.org/?a=1&amp;b">x</a>', "HTML", "x", [("text_link", 0, 1)]),
        ('<pre><code class="language-py">x</code></pre>', "HTML", "x", [("pre", 0, 1)]),
        ('<span class="tg-spoiler">x</span>', "HTML", "x", [("spoiler", 0, 1)]),
        ("<blockquote expandable>x</blockquote>", "HTML", "x", [("expandable_blockquote", 0, 1)]),
        ("*a _b_*", "MarkdownV2", "a b", [("bold", 0, 3), ("italic", 2, 1)]),
        (r"1\.5 \* 2", "MarkdownV2", "1.5 * 2", []),
        ("__u__ ~s~", "MarkdownV2", "u s", [("underline", 0, 1), ("strikethrough", 2, 1)]),
        ("||x||", "MarkdownV2", "x", [("spoiler", 0, 1)]),
        ("`a.b` [t](https://e.org/\\))", "MarkdownV2", "a.b t", [("code", 0, 3), ("text_link", 4, 1)]),
        ("```py\nx = 1\n```", "MarkdownV2", "x = 1", [("pre", 0, 5)]),
        (">a\n>b\nc", "MarkdownV2", "a\nb\nc", [("blockquote", 0, 3)]),
        ("a /start@AtelierBot b", "", "a /start@AtelierBot b", [("bot_command", 2, 17)]),
    ],
)  # fmt: skip
def test_marked_up_texts(text: str, mode: str, plain: str, entities: list[tuple[str, int, int]]) -> None:
    got, found = format_text(text, mode, None)
    assert got == plain
    assert kinds(found) == entities


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("a <b>b", "HTML", 'Can\'t find end tag corresponding to start tag "b"'),
        ("ż<x>", "HTML", 'Unsupported start tag "x" at byte offset 2'),
        ("1 < 2", "HTML", "Unclosed start tag at byte offset 2"),
        ("<b>a</i>", "HTML", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("a</b>", "HTML", "Unexpected end tag at byte offset 1"),
        ("<span>a</span>", "HTML", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("1.5", "MarkdownV2", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("my_file", "MarkdownV2", "Can't find end of Italic entity at byte offset 2"),
        ("*a", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
        ("[a](b", "MarkdownV2", "Can't find end of a URL at byte offset 0"),
        ("```\na", "MarkdownV2", "Can't find end of Pre entity at byte offset 0"),
    ],
)
def test_texts_that_cannot_be_parsed(text: str, mode: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        format_text(text, mode, None)
    assert caught.value.description == f"Bad Request: can't parse entities: {words}"


def test_legacy_markdown_is_refused() -> None:
    with pytest.raises(ApiError, match="unsupported parse_mode"):
        format_text("*a*", "Markdown", None)
