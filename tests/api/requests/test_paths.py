"""What is answered where there is nothing: every route, by walking the app's own map of them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
import werkzeug.exceptions
from flask import Flask

from api.contract.operations import IdConverter
from tests.api.helpers import Api, problem

#: What people and programs put where an id belongs.
MALFORMED = [
    "nosuch",
    "job_",
    "job_123",
    "JOB_" + "0" * 32,
    "art_" + "f" * 33,
    "a b",
    "%",
    "\0",
    "é",
    "'--",
    "x" * 3000,
]
#: What werkzeug would say, of every error it knows.
WERKZEUG = {
    str(error.description)
    for error in vars(werkzeug.exceptions).values()
    if isinstance(error, type) and isinstance(vars(error).get("description"), str)
}


def routes_with_ids(app: Flask) -> list[tuple[str, str, str]]:
    """(method, path with {} for the id, prefix of the id) of every route that takes one."""
    found = []
    for rule in app.url_map.iter_rules():
        for name, converter in rule._converters.items():
            if isinstance(converter, IdConverter):
                path = re.sub(rf"<[^<>]*:{name}>", "{}", rule.rule)
                methods = sorted(rule.methods - {"HEAD", "OPTIONS"})
                found += [(method, path, converter.pattern[:3]) for method in methods]
    return found


def answer(api: Api, method: str, path: str) -> tuple[int, dict[str, Any]]:
    more = {"json": {}} if method in ("POST", "PATCH", "PUT") else {}
    given = api.request(method, path, **more)
    return given.status_code, {k: v for k, v in given.json.items() if k != "instance"}


def test_a_malformed_id_is_answered_as_an_unknown_one(app, api, admin, anonymous):
    routes = routes_with_ids(app)
    assert {prefix for _, _, prefix in routes} >= {"job", "art", "usr", "key", "wrk", "whk", "msg", "net"}
    for method, path, prefix in routes:
        assert path.count("{}") == 1, "a test for several ids is missing"
        for who in (api, admin, anonymous):
            unknown = answer(who, method, path.format(f"{prefix}_{'d' * 32}"))
            assert unknown[0] >= 400
            for wrong in MALFORMED:
                assert answer(who, method, path.format(quote(wrong, safe=""))) == unknown, (
                    method,
                    path,
                    wrong,
                )


def test_the_words_of_an_unknown_thing_are_about_it(api):
    for path, words in {
        "/v1/jobs/nosuch": "There is no such job.",
        "/v1/files/nosuch": "There is no such file.",
        "/v1/networks/nosuch": "There is no such network.",
        "/v1/webhooks/nosuch": "There is no such webhook.",
        "/v1/deliveries/nosuch": "There is no such delivery.",
    }.items():
        assert problem(api.get(path), 404, "not_found")["detail"] == words


def test_a_path_that_is_not_there_is_named_with_the_one_that_was_meant(app, api):
    for rule in app.url_map.iter_rules():
        if rule.arguments or rule.rule == "/":
            continue
        found = problem(api.get(rule.rule + "/"), 404, "not_found")
        assert f"There is no {rule.rule}/ here. Did you mean {rule.rule}?" in found["detail"]
    meant = problem(api.get("/v1/jobs/job_1/"), 404, "not_found")["detail"]
    assert "Did you mean /v1/jobs/job_1?" in meant
    assert "Did you mean /v1/jobs?" in problem(api.get("/v1/job"), 404, "not_found")["detail"]
    assert "Did you mean" not in problem(api.get("/robots.txt"), 404, "not_found")["detail"]
    assert len(problem(api.get("/" + "x" * 5000), 404, "not_found")["detail"]) < 300


def test_a_method_that_a_path_does_not_take_is_named_with_those_it_takes(app, api):
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^<>]*>", "nosuch", rule.rule)
        given = api.request("TRACE", path)
        found = problem(given, 405, "method_not_allowed")
        assert set(given.headers["Allow"].split(", ")) >= rule.methods
        assert path in found["detail"]
        assert all(method in found["detail"] for method in rule.methods)


@pytest.mark.parametrize("code", sorted(werkzeug.exceptions.default_exceptions))
def test_werkzeug_s_own_sentences_are_never_shown(app, anonymous, code):
    @app.get(f"/raises/{code}")
    def raises():
        werkzeug.exceptions.abort(code)

    found = anonymous.get(f"/raises/{code}")
    assert found.status_code == code
    assert found.json["detail"]
    assert not any(sentence in found.text for sentence in WERKZEUG)


def test_what_a_route_says_itself_is_kept(api):
    found = problem(api.post("/v1/jobs", data="x", content_type="text/plain"), 415, "unsupported_media_type")
    assert found["detail"] == "Send application/json."


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
