"""What every answer tells a browser; and the page of the documentation, which can be left out."""

from __future__ import annotations

import pytest

from tests.api.helpers import Api, problem


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/metrics", "/openapi.json", "/docs", "/v1/me", "/v1/nothing", "/nothing", "//metrics"],
)
def test_every_answer_says_that_its_type_is_right_and_keeps_its_address(api, anonymous, path):
    for client in (api, anonymous):
        headers = client.get(path).headers
        assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert headers.getlist("Referrer-Policy") == ["same-origin"]


def test_content_keeps_its_stricter_headers(api):
    url = api.upload().json["url"]
    headers = api.get(url).headers
    assert headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_the_page_of_the_documentation_can_be_left_out(make_app):
    anonymous = Api(make_app(docs="no"), None)
    problem(anonymous.get("/docs"), 404, "not_found")
    problem(anonymous.get("/docs/scalar.js"), 404, "not_found")
    assert anonymous.get("/openapi.json").status_code == 200
