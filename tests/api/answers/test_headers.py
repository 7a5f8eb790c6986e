"""What every answer tells a browser."""

from __future__ import annotations

import pytest


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
