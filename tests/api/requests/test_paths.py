"""What is answered where there is nothing: every route, by walking the app's own map of them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

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
