"""What the bot keeps of the API: engines, links as people open them, files up to a size."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
import pytest

from bot.studio import Studio
from client import AsyncClient, NoServer

pytestmark = pytest.mark.anyio

URL = "http://api.test"
PUBLIC = "https://studio.example"
ENGINES = httpx.Response(200, json={"engines": [{"name": "echo", "title": "Echo"}]})


def played(*answers: httpx.Response | Exception) -> tuple[Studio, list[httpx.Request]]:
    """A studio that gives these answers, one after the other; an exception is raised."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return studio(answer), asked


def studio(answer: Callable[[httpx.Request], httpx.Response]) -> Studio:
    return Studio(AsyncClient(URL, "atl_admin", transport=httpx.MockTransport(answer)), PUBLIC)


async def test_engines_are_asked_for_once_in_a_while():
    found, asked = played(ENGINES, httpx.Response(200, json={"name": "hidden", "params_schema": {}}))

    assert await found.engines("en") is await found.engines("en")
    assert (await found.engine("echo", "en"))["title"] == "Echo"
    assert len(asked) == 1
    assert (await found.engine("hidden", "en"))["name"] == "hidden"
    assert asked[1].url.path == "/v1/engines/hidden"


async def test_old_engines_are_better_than_none(monkeypatch):
    cut = httpx.ConnectError("refused")
    found, asked = played(ENGINES, cut, cut, cut)
    monkeypatch.setattr("bot.studio.ENGINES_SECONDS", 0.0)

    assert await found.engines("en") == await found.engines("en")
    assert len(asked) == 4


async def test_without_any_nobody_is_there():
    cut = httpx.ConnectError("refused")
    found, _ = played(cut, cut, cut)
    with pytest.raises(NoServer):
        await found.engines("en")


async def test_a_user_s_key_is_the_user_s():
    found, asked = played(
        httpx.Response(200, json={"id": "key_1"}),
        httpx.Response(200, json={"networks": [{"name": "a"}], "next_cursor": "net_1"}),
        httpx.Response(200, json={"networks": [{"name": "b"}], "next_cursor": None}),
    )

    await found.of("atl_ada").me()
    assert [one["name"] for one in await found.networks("atl_ada")] == ["a", "b"]
    assert {request.headers["Authorization"] for request in asked} == {"Bearer atl_ada"}


@pytest.mark.parametrize("url", ["/v1/files/art_1/content?signature=x", f"{PUBLIC}/v1/files/a?signature=x"])
async def test_files_are_read_inside_up_to_a_size_and_without_a_key(url):
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "api.test"
        assert "Authorization" not in request.headers
        return httpx.Response(200, content=b"hello")

    found = studio(answer)
    into = io.BytesIO()

    assert await found.download(url, 5) == b"hello"
    assert await found.download(url, 4) is None
    assert await found.fetch(url, into, 5)
    assert into.read() == b"hello"
    assert not await found.fetch(url, io.BytesIO(), 4)


async def test_people_open_links_by_the_public_way():
    found, _ = played()
    assert found.link("/v1/files/art_1/content?signature=x") == f"{PUBLIC}/v1/files/art_1/content?signature=x"
    assert found.link("https://store.example/a") == "https://store.example/a"
    await found.close()
