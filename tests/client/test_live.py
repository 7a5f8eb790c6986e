"""Both clients against the real API."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from accounts.store import AccountStore
from client import (
    Conflict,
    File,
    Forbidden,
    Invalid,
    JobFailed,
    NotFinished,
    NotFound,
    Oversized,
    Unauthorized,
    submission,
)
from tests.api.helpers import picture
from tests.client.hand import FAILS
from tests.client.helpers import AnyClient

NO_JOB = "job_" + "0" * 32


@pytest.fixture
def admin(connect, live, live_database) -> AnyClient:
    return connect(live.url, AccountStore(live_database).create_key("root", admin=True)[0])


@pytest.fixture
def client(connect, live, live_database, request) -> AnyClient:
    """Somebody whom only this test knows."""
    return connect(live.url, AccountStore(live_database).create_key(request.node.name[:60])[0])


def held(client: AnyClient, text: str = "x") -> dict[str, object]:
    return dict(client.submit("echo", {"text": text}, hold=True))


def test_the_first_picture(client, tmp_path):
    (tmp_path / "photo.png").write_bytes(picture())
    params = {"content": tmp_path / "photo.png", "style": [File("b.png", picture(color="red"))], "seed": 3}

    job = client.run("neural_style", params, within=60, tags=["spring"])
    (path,) = client.save(job, tmp_path / "out")

    assert (job["state"], job["seed"], job["tags"]) == ("succeeded", 3, ["spring"])
    assert path == tmp_path / "out" / "picture.png"
    assert path.read_bytes() == picture(color="teal")
    assert client.save(job["id"], tmp_path / "again")


def test_a_job_that_fails_says_why(client):
    with pytest.raises(JobFailed) as caught:
        client.run("echo", {"text": FAILS}, within=60)
    assert (caught.value.code, caught.value.detail) == ("out_of_memory", "Too large.")
    again = client.retry(caught.value.job)
    assert client.wait(again, within=60)["state"] == "failed"
    with pytest.raises(JobFailed):
        client.run("echo", {"text": FAILS})


def test_the_same_key_is_the_same_job(client):
    first, second = (client.submit("echo", {"text": "x"}, idempotency_key="a") for _ in range(2))
    assert first["id"] == second["id"] != client.submit("echo", {"text": "x"})["id"]
    with pytest.raises(Conflict) as caught:
        client.submit("echo", {"text": "y"}, idempotency_key="a")
    assert caught.value.problem["job_id"] == first["id"]


def chain(*names: str) -> dict[str, object]:
    return {"stages": [{"name": name, "engine": "echo", "params": {"text": name}} for name in names]}


def test_a_chain_s_parts_are_read_page_by_page(client):
    job = client.wait(client.submit("pipeline", chain("a", "b", "c")), within=60)
    assert job["state"] == "succeeded"
    assert [(one["name"], one["succeeded"], one["jobs"]) for one in job["stages"]] == [
        *(("a", 1, 1), ("b", 1, 1), ("c", 1, 1)),
    ]
    parts = list(client.parts(job, limit=2))
    assert [(one["name"], one["stage"], one["job"]["state"]) for one in parts] == [
        *(("a", "a", "succeeded"), ("b", "b", "succeeded"), ("c", "c", "succeeded")),
    ]
    assert {one["job"]["part_of"] for one in parts} == {job["id"]}
    assert client.read(parts[0]["job"]["artifacts"][0]) == b"a"
    assert list(client.parts(parts[0]["job"])) == []


def test_what_a_failed_chain_has_made_is_made_no_second_time(client):
    with pytest.raises(JobFailed) as caught:
        client.run("pipeline", chain("first", FAILS), within=60)
    failed = caught.value.job
    assert (caught.value.code, caught.value.detail) == ("part_failed", "fail: out_of_memory: Too large.")
    again = client.wait(client.retry(failed), within=60)
    assert again["retry_of"] == failed["id"]
    made, second = (next(client.parts(one))["job"]["id"] for one in (failed, again))
    assert made == second


def test_events_from_the_first_to_the_last(client):
    job = client.submit("echo", {"text": "x"})
    seen = list(client.events(job))
    assert seen[-1]["state"] == "succeeded"
    assert [one["version"] for one in seen] == sorted({one["version"] for one in seen})
    assert list(client.events(job, after=seen[-2]["version"])) == seen[-1:]


def test_the_deleted_have_no_events(client):
    with pytest.raises(NotFound):
        list(client.events(NO_JOB))


def test_waiting_ends_with_the_time_and_the_job_goes_on(client):
    job = held(client)
    with pytest.raises(NotFinished) as caught:
        client.wait(job, within=0.2)
    assert caught.value.job["held"]["reason"] == "owner"
    client.release(job)
    assert client.wait(job, within=60)["state"] == "succeeded"
    with pytest.raises(NotFound):
        client.wait(NO_JOB)


def test_large_files_go_first_and_once(client, monkeypatch):
    monkeypatch.setattr(submission, "LARGE", 10)
    params = {"content": File("a.png", picture()), "style": [File("b.png", picture(color="red"))], "seed": 1}

    jobs = [client.submit("neural_style", params, idempotency_key="k", hold=True) for _ in range(2)]

    assert jobs[0]["id"] == jobs[1]["id"]
    stored = {file["id"]: file["name"] for file in client.files()}
    assert sorted(stored.values()) == ["a.png", "b.png"]
    assert stored[jobs[0]["params"]["content"]] == "a.png"


def test_the_order_of_files_and_ids_is_kept(client):
    known = client.upload(File("known.png", picture()))
    styles = [File("first.png", picture(color="red")), known["id"]]
    job = client.submit("neural_style", {"content": known["id"], "style": styles}, hold=True)
    assert [client.file(one)["name"] for one in job["params"]["style"]] == ["first.png", "known.png"]
    sent = [("style", File("last.png", picture(color="blue")))]
    job = client.submit(
        "neural_style", {"content": known["id"], "style": [known["id"]]}, files=sent, hold=True
    )
    assert [client.file(one)["name"] for one in job["params"]["style"]] == ["known.png", "last.png"]


def test_a_dry_run_keeps_nothing(client):
    found = client.dry_run(
        "neural_style", {"content": File("a.png", picture()), "style": File("b.png", picture())}
    )
    assert found["engine"] == "neural_style"
    job = client.run("echo", {"text": "x"}, within=60)
    assert client.again_dry_run(job, {"seed": 4})["params"]["seed"] == 4
    assert [file["name"] for file in client.files()] == ["echo.txt"]


def test_files(client, tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    files = [client.upload(tmp_path / "a.png", idempotency_key="k") for _ in range(2)]
    assert files[0]["id"] == files[1]["id"]
    assert client.read(files[0]) == picture()
    assert client.read(files[0]["url"], most=len(picture())) == picture()
    with pytest.raises(Oversized):
        client.read(files[0], most=10)
    into = io.BytesIO()
    client.fetch(files[0], into)
    assert into.read() == picture()
    with pytest.raises(Forbidden):
        client.read(files[0]["url"].replace("signature=", "signature=x"))
    assert client.files_page(limit=1)["files"][0]["id"] == files[0]["id"]
    assert client.delete_file(files[0]) is None
    with pytest.raises(NotFound):
        client.file(files[0])


def test_results_as_one_archive(client, tmp_path):
    job = client.run("echo", {"text": "hello"}, within=60)
    path = client.archive(job, tmp_path / "out" / "all.zip")
    assert "job.json" in zipfile.ZipFile(path).namelist()
    client.delete(job)
    with pytest.raises(NotFound):
        client.archive(job, tmp_path / "none.zip")
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["all.zip"]
    assert not (tmp_path / "none.zip").exists()


def test_lists_go_on_page_after_page(client):
    made = [held(client, str(number))["id"] for number in range(5)]
    assert [job["id"] for job in client.jobs(limit=2)] == made[::-1]
    assert [job["id"] for job in client.jobs(limit=2, state=["queued"], q="3")] == [made[3]]
    page = client.jobs_page(limit=2)
    assert [job["id"] for job in page["jobs"]] == made[:2:-1]
    assert [job["id"] for job in client.jobs(cursor=page["next_cursor"])] == made[2::-1]
    found = client.jobs_by_id([*made, NO_JOB, *(f"job_{number:032x}" for number in range(1, 120))])
    assert set(found) == set(made)


def test_the_order_of_jobs_and_their_labels(client):
    first, second = (client.submit("planets", {"seed": number}, hold=True) for number in (1, 2))
    assert client.label(first, tags=["a"], metadata={"n": 1})["tags"] == ["a"]
    assert client.hold(first)["held"]["reason"] == "owner"
    with pytest.raises(Conflict):
        client.move(first, before=second["id"])
    assert client.cancel(first)["state"] == client.cancel(first)["state"] == "canceled"
    again = client.again(first, {"seed": 7}, idempotency_key="x")
    assert client.wait(again, within=60)["seed"] == 7


def test_what_is_wrong_is_said_of_its_field(client):
    with pytest.raises(Invalid) as caught:
        client.submit("planets", {"size": -1})
    assert caught.value.errors[0]["field"].endswith("size")
    assert caught.value.request_id
    with pytest.raises(NotFound) as missing:
        client.engine("no_such")
    assert missing.value.code == "engine_not_found"


def test_whose_key_it_is(client, connect, live):
    me = client.me()
    (own,) = client.keys()
    assert own["id"] == me["id"]
    assert client.usage()["jobs"] == 0
    assert client.revoke_key(me) is None
    for stranger in (client, connect(live.url, "atl_nobody"), connect(live.url, None)):
        with pytest.raises(Unauthorized):
            stranger.me()


def test_engines(client):
    shown = {engine["name"] for engine in client.engines()}
    assert "planets" in shown
    assert "echo" not in shown
    assert {"planets", "echo"} <= {engine["name"] for engine in client.engines(hidden=True)}
    assert client.engine("echo")["params_schema"]["properties"]


def test_an_admin_s_part(admin, client):
    made = admin.make_key("guest", name="a chat", rate_per_minute=100)
    guest = admin.with_key(made["key"])
    assert guest.me()["user"] == "guest"
    assert admin.limit_owner(made["user_id"], max_queued=3)["limits"]["max_queued"] == 3
    assert made["user_id"] in {owner["id"] for owner in admin.owners(limit=1)}
    linked = admin.redeem(guest.link_code()["code"], "again")
    assert admin.with_key(linked["key"]).me()["user"] == "guest"
    job = guest.submit("echo", {"text": "x"}, hold=True)
    assert admin.jobs_by_id([job["id"]], everybodys=True)[job["id"]]["queue_position"] is None
    assert client.jobs_by_id([job["id"]]) == {}
    assert admin.workers() == []
    for ask in (lambda: admin.drain("wrk_" + "0" * 32), lambda: admin.resume("wrk_" + "0" * 32)):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(Forbidden):
        client.workers()
    guest.close()
    assert admin.me()["admin"], "its connections are still there"


def test_networks(client, tmp_path):
    told: list[tuple[int, int]] = []
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04 tensors")

    made = client.add_network(tmp_path / "a.pkl", "mine", sent=lambda *so_far: told.append(so_far))

    assert (made["name"], told[-1]) == ("mine", (10, 10))
    assert client.network(made)["id"] == made["id"]
    assert made["id"] in [one["id"] for one in client.networks()]
    assert client.networks_page(state="converting")["networks"][0]["id"] == made["id"]
    assert client.delete_network(made) is None
    with pytest.raises(Invalid):
        client.add_network(File("b.pkl", b""), "other")


def test_schedules(client):
    job = {"engine": "echo", "params": {"text": "hi"}}

    assert len(client.schedule_dry_run("0 9 * * *", job)) == 5
    made = client.add_schedule("Nine", "0 9 * * *", job, zone="Europe/Berlin")
    assert client.schedule(made) == made
    assert list(client.schedules()) == client.schedules_page()["schedules"] == [made]
    assert client.change_schedule(made, name="Ten")["name"] == "Ten"
    assert client.pause_schedule(made)["paused_at"]
    first, again = (client.run_schedule(made, idempotency_key="k") for _ in range(2))
    assert (first["schedule_id"], again["id"]) == (made["id"], first["id"])
    assert client.resume_schedule(made)["upcoming"]
    assert client.delete_schedule(made) is None
    with pytest.raises(NotFound):
        client.schedule(made)


def test_what_has_no_method_is_asked_for_by_its_path(client):
    assert client.request("GET", "/v1/webhooks") == {"webhooks": []}
    assert client.request("GET", "/v1/jobs", query={"limit": 1})["jobs"] == []
    with pytest.raises(Invalid):
        client.request("POST", "/v1/webhooks", json={"url": "ftp://x"})


def test_ids_that_are_none_lead_nowhere_else(client):
    for odd in ("../me", "", "a/b?c#d", "%2e%2e/me"):
        with pytest.raises(NotFound):
            client.job(odd)


def test_a_path_has_one_name_of_its_own(client, tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("x.png").write_bytes(picture())
    assert client.upload("x.png")["name"] == "x.png"
