"""The bot's client against a real API, and against servers that are away or odd."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from bot.api import Api, NoServer, Refused
from jobs.accounts import AccountStore
from jobs.database import Database
from jobs.store import JobStore
from storage.local import LocalStorage
from tests.api.conftest import serve
from tests.api.helpers import LiveServer, claim, finish, picture

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    made = tmp_path_factory.mktemp("bot_api")
    shutil.copy(migrated_sqlite, made / "atelier.db")
    return made


@pytest.fixture(scope="module")
def database(folder: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{folder}/atelier.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    with serve(folder) as found:
        yield found


@pytest.fixture
async def api(server: LiveServer, database: Database) -> AsyncIterator[Api]:
    key = AccountStore(database).create_key("root", admin=True)[0]
    made = Api(server.url, key, public_url="https://studio.example")
    yield made
    await made.close()


@pytest.fixture
async def key(api: Api) -> str:
    return str((await api.make_key("telegram-7", "chat"))["key"])


async def test_engines_are_asked_for_once_in_a_while(api):
    names = {engine["name"] for engine in await api.engines("en")}
    assert {"planets", "neural_style"} <= names
    assert await api.engines("en") is await api.engines("en")
    assert (await api.engine("planets", "en"))["title"]
    assert (await api.engine("echo", "en"))["name"] == "echo", "a hidden one"
    with pytest.raises(Refused) as error:
        await api.engine("no_such", "en")
    assert error.value.status == 404


async def test_a_user_s_key_is_of_the_user_s_owner_who_can_be_limited(api, key):
    me = await api.me(key)
    assert (me["user"], me["admin"]) == ("telegram-7", False)
    guest = await api.make_key("telegram-9", "chat")
    changed = await api.limit_owner(guest["user_id"], max_queued=3, max_running=1, keep_days=7)
    assert (changed["limits"]["max_queued"], changed["limits"]["keep_days"]) == (3, 7)
    assert {me["user_id"], guest["user_id"]} <= {owner["id"] for owner in (await api.owners())["owners"]}


async def test_a_submission_that_comes_twice_is_one_job(api, key):
    jobs = [await api.submit(key, "echo", {"text": "x"}, idempotency_key="telegram-1-5") for _ in range(2)]
    assert jobs[0]["id"] == jobs[1]["id"]
    assert (await api.job(key, jobs[0]["id"]))["queue_position"] >= 1
    assert (await api.my_jobs(key))["jobs"][0]["id"] == jobs[0]["id"]


async def test_files_go_along_or_first(api, key):
    content, style = picture(), picture(color="red")
    sent = await api.submit(
        key,
        "neural_style",
        {"seed": 3},
        [("content", "a.png", content), ("style", 'b"\r\n.png', style), ("style", "c.png", style)],
        idempotency_key="telegram-1-6",
        options={"priority": "low", "hold": True},
    )
    assert len(sent["params"]["style"]) == 2
    assert (sent["seed"], sent["priority"], sent["held"]["reason"]) == (3, "low", "owner")
    one = await api.upload(key, "d.png", content)
    again = await api.submit(key, "neural_style", {"content": one, "style": [one]})
    assert again["params"]["content"] == one


async def test_many_jobs_are_read_at_once_whoever_s_they_are(api, key):
    other = str((await api.make_key("telegram-8", "chat"))["key"])
    mine = [(await api.submit(key, "echo", {"text": str(n)}))["id"] for n in range(3)]
    theirs = (await api.submit(other, "echo", {"text": "x"}))["id"]
    found = await api.jobs([*mine, theirs, "job_" + "0" * 32, *(f"job_{n:032x}" for n in range(150))])
    assert set(found) == {*mine, theirs}
    assert all(job["queue_position"] for job in found.values())
    assert await api.jobs([]) == {}


async def test_cancel_and_retry(api, key):
    sent = await api.submit(key, "echo", {"text": "x"})
    assert (await api.cancel(key, sent["id"]))["state"] == "canceled"
    again = [await api.retry(key, sent["id"], idempotency_key="telegram-1-7") for _ in range(2)]
    assert again[0]["id"] == again[1]["id"] != sent["id"]
    with pytest.raises(Refused) as error:
        await api.cancel(key, "job_" + "0" * 32)
    assert (error.value.status, error.value.code) == (404, error.value.problem["code"])


async def test_a_refusal_says_why(api, key):
    with pytest.raises(Refused) as error:
        await api.submit(key, "planets", {"size": -1})
    assert error.value.status == 422
    assert error.value.problem["errors"][0]["field"].endswith("size")
    with pytest.raises(Refused) as error:
        await api.me("atl_nobody")
    assert error.value.status == 401


async def test_results_are_read_without_a_key_and_up_to_a_limit(api, key, database, folder):
    store, storage = JobStore(database), LocalStorage(folder / "objects")
    for job in (await api.my_jobs(key, limit=100))["jobs"]:
        if job["state"] == "queued":
            await api.cancel(key, job["id"])
    sent = await api.submit(key, "echo", {"text": "x"})
    while finish(store, storage, b"hello").id != sent["id"]:
        pass
    (file,) = (await api.jobs([sent["id"]]))[sent["id"]]["artifacts"]
    assert await api.download(file["url"], 5) == b"hello"
    assert await api.download(file["url"], 4) is None
    into = io.BytesIO()
    assert await api.fetch(file["url"], into, 5)
    assert into.read() == b"hello"
    assert not await api.fetch(file["url"], io.BytesIO(), 4)
    assert api.link(file["url"]).startswith("https://studio.example/v1/files/")
    assert await api.download(api.link(file["url"]), 5) == b"hello", "inside, the public way is not taken"
    with pytest.raises(Refused):
        await api.download(file["url"].replace("signature=", "signature=x"), 5)


async def test_a_link_code_gives_a_key_of_its_owner(api, key, server):
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as http:
        made = (await http.post("/v1/link-codes")).json()
    found = await api.redeem(made["code"], "Telegram")
    assert (await api.me(found["key"]))["user"] == "telegram-7"
    with pytest.raises(Refused):
        await api.redeem(made["code"], "Telegram")


async def test_networks_and_workers(api, key):
    assert [one["name"] for one in await api.networks(key) if not one["shipped"]] == []
    assert await api.workers() == []
    with pytest.raises(Refused):
        await api.drain("wrk_" + "0" * 32)


def played(*answers) -> tuple[Api, list[httpx.Request]]:
    """An API that gives these answers, one after the other; an exception is raised."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return Api("http://api.test", "k", transport=httpx.MockTransport(answer)), asked


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": "busy", "detail": "no"}, headers=headers)


OK = httpx.Response(200, json={"engines": [{"name": "echo"}]})


async def test_nobody_there_is_no_server():
    api = Api("http://127.0.0.1:1", "k")
    with pytest.raises(NoServer):
        await api.me("k")
    with pytest.raises(NoServer):
        await api.download("/x", 1)


async def test_a_question_is_asked_again_and_a_bare_submission_is_not():
    cut = httpx.ReadError("cut")
    api, asked = played(cut, cut, OK)
    assert await api.engines("en")
    api, asked = played(cut, cut)
    with pytest.raises(NoServer):
        await api.submit("k", "echo", {})
    assert len(asked) == 1
    api, asked = played(cut, httpx.Response(202, json={"id": "job_1"}))
    assert (await api.submit("k", "echo", {}, idempotency_key="a"))["id"] == "job_1"
    assert {request.headers["Idempotency-Key"] for request in asked} == {"a"}


async def test_a_short_wait_is_waited_and_a_long_one_is_the_user_s():
    api, asked = played(refusal(503, **{"Retry-After": "1"}), OK)
    assert await api.engines("en")
    api, asked = played(refusal(429, **{"Retry-After": "40"}))
    with pytest.raises(Refused) as error:
        await api.me("k")
    assert (error.value.status, error.value.retry_after) == (429, 40)
    assert len(asked) == 1


async def test_what_is_not_the_api_s_answer_is_no_server():
    for odd in (
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json=[]),
    ):
        api, _ = played(odd)
        with pytest.raises(NoServer):
            await api.me("k")


async def test_old_engines_are_better_than_none(monkeypatch):
    cut = httpx.ConnectError("refused")
    api, asked = played(OK, cut, cut, cut, OK)
    monkeypatch.setattr("bot.api.ENGINES_SECONDS", 0.0)
    assert await api.engines("en") == await api.engines("en")
    assert len(asked) == 4


async def test_a_running_job_is_told_with_its_preview(api, key, database):
    for job in (await api.my_jobs(key, limit=100))["jobs"]:
        if job["state"] == "queued":
            await api.cancel(key, job["id"])
    sent = await api.submit(key, "echo", {"text": "x"})
    store = JobStore(database)
    row = claim(store)
    while row.id != sent["id"]:
        row = claim(store)
    assert (await api.jobs([sent["id"]]))[sent["id"]]["state"] == "running"
