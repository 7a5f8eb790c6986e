"""docs/python.md, block by block: what the page says is what happens."""

from __future__ import annotations

import re
from pathlib import Path

from accounts.store import AccountStore
from tests.api.helpers import picture

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def blocks() -> list[tuple[int, str]]:
    """Each Python block with the line that it begins in."""
    text = PAGE.read_text()
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, one.start(1)), one[1]) for one in found]


def test_every_block_runs_behind_the_one_before(live, live_database, tmp_path, monkeypatch, capsys):
    # given a server, a key and two pictures
    monkeypatch.setenv("ATELIER_URL", live.url)
    monkeypatch.setenv("ATELIER_KEY", AccountStore(live_database).create_key("reader")[0])
    monkeypatch.chdir(tmp_path)
    for name, color in (("photo.jpg", "navy"), ("painting.jpg", "red")):
        Path(name).write_bytes(picture(kind="JPEG", color=color))
    # when somebody types it all
    known: dict[str, object] = {"__name__": "reader"}
    for line, block in blocks():
        exec(compile("\n" * line + block, str(PAGE), "exec"), known)  # an error names the page's own line
    # then
    said = capsys.readouterr().out
    for word in (
        *("out/picture.png", "succeeded", "b'hello'", "queued", "100%", "422 invalid_params"),
        *("size", "reader", "yes", "content content True", "out/planets/picture.png"),
        *("planets succeeded 1/1", "kinds echo ['echo.txt']"),
    ):
        assert word in said, word
    assert {path.name for path in Path("out").iterdir()} == {
        *("picture.png", "first.png", "second.zip", "planets"),
    }


def test_the_page_has_as_many_blocks_as_it_seems():
    assert len(blocks()) == PAGE.read_text().count("```python") > 8
