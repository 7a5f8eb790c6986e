"""Which server, which key, what is sent with every request."""

from __future__ import annotations

import pytest

from client.errors import NotAtelier
from client.server import Server


def test_what_is_given_goes_before_the_environment(monkeypatch):
    assert Server.chosen(None, None).url == "http://127.0.0.1:8080"
    monkeypatch.setenv("ATELIER_URL", " https://studio.example/ ")
    monkeypatch.setenv("ATELIER_KEY", "atl_env\n")

    chosen, given = Server.chosen(None, None), Server.chosen("http://other:1/", "atl_own", "mine/1")

    assert (chosen.url, chosen.key) == ("https://studio.example", "atl_env")
    assert (given.url, given.key) == ("http://other:1", "atl_own")
    assert given.headers()["User-Agent"].startswith("mine/1 atelier-python/")
    assert chosen.headers()["Authorization"] == "Bearer atl_env"
    assert "Authorization" not in chosen.headers(with_key=False)
    assert "atl_env" not in repr(chosen)


@pytest.mark.parametrize("url", ["ftp://x", "localhost:80", "http://", "http://h:0", "http://[::1"])
def test_what_is_no_url_is_refused_at_once(url):
    with pytest.raises(ValueError, match="no http"):
        Server.chosen(url, None)


@pytest.mark.parametrize("key", ["schlüssel", "a b", "a\nb"], ids=["ascii", "space", "line"])
def test_what_is_no_key_is_refused_at_once(key):
    with pytest.raises(ValueError, match="no API key"):
        Server.chosen(None, key)
    with pytest.raises(ValueError, match="no API key"):
        Server.chosen(None, "atl_1").with_key(key)


def test_urls_as_they_are_from_here():
    server = Server.chosen("http://api.test/below", None)

    assert server.at("/v1/x?signature=1") == "http://api.test/below/v1/x?signature=1"
    assert server.at("https://store.example/a") == "https://store.example/a"
    assert server.is_at("http://api.test:80/v1")
    assert not server.is_at("https://api.test/v1")
    for odd in ("http://[::1", "http://h:port/"):
        with pytest.raises(NotAtelier):
            server.at(odd)


def test_a_proxy_is_not_asked_for_this_machine():
    assert Server.chosen("http://localhost:1", None).connection()["trust_env"] is False
    assert Server.chosen("http://api.test", None).connection()["trust_env"] is True
