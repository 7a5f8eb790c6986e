"""Web pages of other origins: none, unless they are allowed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.settings import Settings
from tests.api.helpers import Api, problem

GALLERY = "https://gallery.example"


def preflight(client: Api, origin: str = GALLERY, path: str = "/v1/jobs", method: str = "POST"):
    return client.request(
        "OPTIONS",
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )


def allowed(answer) -> dict[str, str]:
    """What an answer says to browsers about other origins."""
    return {name: value for name, value in answer.headers if name.startswith("Access-Control-")}


@pytest.fixture
def open_app(make_app):
    return make_app(cors_origins=f"{GALLERY}, http://localhost:5173/")


def test_by_default_no_page_may_and_nothing_is_said(api, anonymous):
    problem(preflight(anonymous), 401, "unauthorized")
    assert not allowed(preflight(anonymous))
    assert not allowed(api.get("/v1/me", headers={"Origin": GALLERY}))


@pytest.mark.parametrize("origin", [GALLERY, "http://localhost:5173"])
def test_a_preflight_needs_no_key(open_app, origin):
    answer = preflight(Api(open_app, None), origin)
    assert answer.status_code == 204
    said = allowed(answer)
    assert said["Access-Control-Allow-Origin"] == origin
    assert "POST" in said["Access-Control-Allow-Methods"]
    taken = said["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key"} <= set(taken)
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "https://gallery.example.evil.example", "null"])
def test_another_origin_is_told_nothing(open_app, origin):
    assert not allowed(preflight(Api(open_app, None), origin))


def test_a_page_may_read_what_it_needs_also_of_a_refusal(open_app, make_key):
    for client, status in ((Api(open_app, make_key()), 200), (Api(open_app, None), 401)):
        answer = client.get("/v1/me", headers={"Origin": GALLERY})
        assert answer.status_code == status
        said = allowed(answer)
        assert said["Access-Control-Allow-Origin"] == GALLERY
        shown = set(said["Access-Control-Expose-Headers"].split(", "))
        assert {"Location", "Retry-After", "Idempotency-Replayed", "ETag", "Content-Disposition"} <= shown
        assert "Access-Control-Allow-Credentials" not in said


def test_a_preflight_lets_nobody_in(open_app):
    """It answers the question; the request itself needs its key."""
    problem(Api(open_app, None).post("/v1/jobs", json={"engine": "echo"}), 401, "unauthorized")
    # and OPTIONS that ask nothing are no preflight
    problem(Api(open_app, None).request("OPTIONS", "/v1/jobs"), 401, "unauthorized")


def test_everybody_s_pages_have_to_be_allowed_explicitly(make_app):
    answer = preflight(Api(make_app(cors_origins="*"), None), "https://any.example")
    assert allowed(answer)["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "setting", ["gallery.example", "https://a.example/path", "https://*.example", "*,https://a.example"]
)
def test_what_is_no_origin_is_refused_at_the_start(setting):
    with pytest.raises(ValidationError, match="no origin"):
        Settings.from_env({"ATELIER_CORS_ORIGINS": setting})
