"""Errors as HTTP: which status, and in whose words."""

from __future__ import annotations

import re

import pytest
import werkzeug.exceptions
import werkzeug.routing
from gunicorn.http.errors import ParseException

from api.problems import RETRY_AFTER, STATUS
from jobs import errors
from storage.base import StorageUnavailable
from tests.api.helpers import Api, problem
from tests.api.test_submit import AwayStorage

#: What werkzeug would say, of every error it knows.
WERKZEUG = {
    str(error.description)
    for error in vars(werkzeug.exceptions).values()
    if isinstance(error, type) and isinstance(vars(error).get("description"), str)
}
#: Workers meet these, and no request.
UNTOLD = {errors.AtelierError, errors.LeaseLost, errors.PartConflict}


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


def test_unknown_paths_and_methods_are_problems(api):
    problem(api.get("/v2/jobs"), 404, "not_found")
    answer = api.request("PUT", "/v1/jobs")
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_an_unforeseen_error_is_a_500_without_its_stack(make_app, make_key):
    class Broken(AwayStorage):
        def put(self, *_args, **_more):
            raise ZeroDivisionError("secret detail")

    answer = Api(make_app(storage=Broken()), make_key()).upload()
    found = problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert found["instance"] == answer.headers["X-Request-ID"]


def test_every_error_of_ours_has_its_status():
    """One without would be a 500, and alarm the operator for a client's mistake."""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.AtelierError) and kind not in UNTOLD:
            assert next((status for base, status in STATUS if issubclass(kind, base)), None), name


def test_no_error_s_status_hides_behind_that_of_its_base():
    kinds = [kind for kind, _ in STATUS]
    for place, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:place]), kind


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (errors.RateLimited("Later.", retry_after=7), 429, "7"),
        (errors.RateLimited("Later."), 429, str(RETRY_AFTER[429])),
        (errors.Unavailable("Away."), 503, str(RETRY_AFTER[503])),
        (errors.NotFound("Gone."), 404, None),
    ],
    ids=["said", "429", "503", "404"],
)
def test_who_may_try_again_is_told_when(app, anonymous, error, status, wait):
    @app.get("/raises")
    def raises():
        raise error

    answer = anonymous.get("/raises")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, wait)
    assert answer.json["detail"] == error.detail
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_a_storage_says_of_itself_stays_here(app, anonymous):
    @app.get("/raises")
    def raises():
        raise StorageUnavailable("https://key:secret@bucket")

    found = problem(anonymous.get("/raises"), 503, "storage_unavailable")
    assert "secret" not in str(found)


def test_a_redirect_is_no_problem(app, anonymous):
    @app.get("/raises")
    def raises():
        raise werkzeug.routing.RequestRedirect("https://example.com/there")

    answer = anonymous.get("/raises")
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://example.com/there")


def test_a_body_that_is_not_chunked_as_it_says_ends_its_connection(app, anonymous):
    @app.get("/raises")
    def raises():
        raise ParseException("a chunk of size x")

    answer = anonymous.get("/raises")
    problem(answer, 400, "bad_request")
    assert answer.headers["Connection"] == "close"
