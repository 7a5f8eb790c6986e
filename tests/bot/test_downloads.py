"""What people sent comes from Telegram whole, or not at all, and no error says where it was."""

from __future__ import annotations

import pytest
from telegram import File
from telegram.error import BadRequest, NetworkError

from bot import downloads as module
from bot.downloads import Downloads
from tests.client.helpers import answer, answering

pytestmark = pytest.mark.anyio

SECRET = "/file/bot42:secret/photos/1.jpg"


@pytest.fixture
async def downloads():
    made = Downloads("http://127.0.0.1")
    yield made
    await made.close()


def at(url: str) -> File:
    return File("id", "unique", file_path=f"{url}{SECRET}")


async def test_a_file_is_read_from_its_beginning(downloads):
    data = bytes(range(256)) * 1000
    with answering(answer(200, data)) as server, await downloads.fetch(at(server.url)) as stream:
        assert stream.read() == data
    assert server.asked[0].path == SECRET


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_telegram_has_no_more_is_no_fault_of_the_network(downloads, status):
    with answering(answer(status, b"no")) as server, pytest.raises(BadRequest, match="not there"):
        await downloads.fetch(at(server.url))


@pytest.mark.parametrize(
    "broken",
    [answer(500), answer(302, b"", Location="http://127.0.0.1:1/"), answer(200, b"half", length=1000), None],
    ids=["internal", "moved", "half", "hung-up"],
)
async def test_another_time_may_mend_the_rest_and_the_token_stays_unsaid(downloads, broken):
    with answering(broken) as server, pytest.raises(NetworkError) as caught:
        await downloads.fetch(at(server.url))
    assert not isinstance(caught.value, BadRequest)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_nobody_there(downloads):
    with pytest.raises(NetworkError, match="ConnectError"):
        await downloads.fetch(at("http://127.0.0.1:1"))


async def test_more_than_telegram_would_give_is_not_taken(downloads, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with answering(answer(200, b"x" * 10)) as server, await downloads.fetch(at(server.url)) as stream:
        assert len(stream.read()) == 10
    with answering(answer(200, b"x" * 11)) as server, pytest.raises(BadRequest, match="too big"):
        await downloads.fetch(at(server.url))
