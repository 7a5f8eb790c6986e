"""The page that shows the document, and the root that leads to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.api.helpers import Api, problem


def test_the_documentation_loads_nothing_from_elsewhere(anonymous):
    page = anonymous.get("/docs")
    assert not re.search(r"https?://", page.text)
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    address = re.search(r'src="(/docs/scalar.js[^"]*)"', page.text)[1]
    script = anonymous.get(address)
    assert "immutable" in script.headers["Cache-Control"]
    assert len(script.data) > 1_000_000
    etag = script.headers["ETag"]
    script.close()
    with anonymous.get("/docs/scalar.js", headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304


def test_the_script_is_neither_hashed_nor_held_for_each_request(anonymous, monkeypatch):
    anonymous.get("/docs/scalar.js").close()
    monkeypatch.setattr(Path, "read_bytes", lambda _path: pytest.fail("read again"))
    answer = anonymous.get("/docs/scalar.js", buffered=False)
    assert answer.is_streamed
    answer.close()


def test_the_page_of_the_documentation_can_be_left_out(make_app):
    anonymous = Api(make_app(docs="no"), None)
    problem(anonymous.get("/docs"), 404, "not_found")
    problem(anonymous.get("/docs/scalar.js"), 404, "not_found")
    assert anonymous.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_the_root_says_where_everything_is(anonymous, accept):
    found = anonymous.get("/", headers={"Accept": accept} if accept else {})
    assert found.status_code == 200
    for place in ("docs", "openapi", "engines"):
        assert anonymous.get(found.json[place]).status_code in (200, 401)


def test_a_browser_is_shown_the_documentation(anonymous):
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
    found = anonymous.get("/", headers={"Accept": accept})
    assert (found.status_code, found.headers["Location"]) == (303, "/docs")
    assert found.headers["Vary"] == "Accept"
