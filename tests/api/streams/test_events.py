"""Streams of a job's events and waits for its end, as a real server gives them."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice

import httpx
import pytest

from accounts.store import AccountStore
from jobs.store import JobStore
from storage import open_storage
from tests.api.conftest import serve
from tests.api.helpers import claim, eventually, finish, read_events

pytestmark = pytest.mark.waits


class RawStream:
    """An event stream on a bare socket: hundreds of them are cheap, and a client's own retries are none."""

    def __init__(self, port: int, key: str, job_id: str, last: int = 0) -> None:
        self.job_id = job_id
        #: What `retry:` said, in milliseconds.
        self.retry = 0
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.sendall(
            f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {last}\r\n"
            f"Authorization: Bearer {key}\r\n\r\n".encode()
        )
        self._lines = self._socket.makefile("rb")

    def ids(self) -> Iterator[int]:
        """The ids of the events, until the stream ends."""
        for line in self._lines:
            if line == b"0\r\n":  # the last chunk
                return
            if line.startswith(b"retry: "):
                self.retry = int(line[7:])
            elif line.startswith(b"id: "):
                yield int(line[4:])

    def next_id(self) -> int:
        return next(self.ids())

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> RawStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def store(live_database) -> JobStore:
    return JobStore(live_database)


@pytest.fixture
def objects(live_folder):
    return open_storage((live_folder / "objects").as_uri())


@pytest.fixture
def client(live, live_key):
    with live.client(live_key) as made:
        yield made


@pytest.fixture(autouse=True)
def _leave_nothing_queued(store):
    yield
    while rows := store.claim("wrk_end", "cpu", engines=["echo"], lease_seconds=60):
        for row in rows:
            store.fail(row.id, row.attempt, code="end", detail="")


def submit(client: httpx.Client, path: str = "/v1/jobs", **more) -> dict:
    answer = client.post(path, json={"engine": "echo"}, **more)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_stream_tells_the_whole_life_and_ends(client, store):
    job = submit(client)
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        events = read_events(response)
        first = next(events)
        assert (first.name, first.id, first.data["state"]) == ("state", 1, "queued")
        # when a worker takes it, reports and ends
        row = claim(store)
        assert next(events).data["state"] == "running"
        store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5, message="half")
        half = next(events)
        assert (half.name, half.data["progress"], half.data["message"]) == ("progress", 0.5, "half")
        # then it agrees with polling
        polled = client.get(f"/v1/jobs/{job['id']}").json()
        assert (polled["version"], polled["state"]) == (half.id, half.data["state"])
        store.succeed(row.id, row.attempt, [])
        rest = list(events)
    assert [(e.name, e.data["state"]) for e in rest] == [("state", "succeeded"), ("done", "succeeded")]
    assert rest[-1].id == client.get(f"/v1/jobs/{job['id']}").json()["version"]


def test_a_stream_resumes_after_the_last_event(client, store, objects):
    job = submit(client)
    finish(store, objects)
    path = f"/v1/jobs/{job['id']}/events"

    def told(last: int | str | None) -> list[tuple[str, int]]:
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        with client.stream("GET", path, headers=headers) as response:
            return [(e.name, e.id) for e in read_events(response)]

    assert told(None) == [("state", 1), ("state", 2), ("state", 3), ("done", 3)]
    assert told(1) == [("state", 2), ("state", 3), ("done", 3)]
    assert told(3) == [("done", 3)]
    assert told(999_999_999) == [("done", 3)]
    assert told("x") == told(None)


def test_a_stream_after_an_event_that_never_was_still_ends(client, store, objects):
    job = submit(client)
    headers = {"Last-Event-ID": "999999999"}
    with client.stream("GET", f"/v1/jobs/{job['id']}/events", headers=headers, timeout=5) as response:
        next(lines := response.iter_lines())
        finish(store, objects)
        assert "event: done" in list(lines)


def test_a_stream_survives_a_restart_of_the_server(live_folder, live_key, store, objects):
    with serve(live_folder) as server, server.client(live_key) as client:
        job = submit(client)
        with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
            last = next(read_events(response)).id
    finish(store, objects)
    with serve(live_folder) as server, server.client(live_key) as client:
        headers = {"Last-Event-ID": str(last)}
        with client.stream("GET", f"/v1/jobs/{job['id']}/events", headers=headers) as response:
            assert [e.data["state"] for e in read_events(response)] == ["running", "succeeded", "succeeded"]


def test_a_stopping_server_ends_its_streams_soon(live_folder, live_key):
    with ExitStack() as after:
        with serve(live_folder) as server:
            client = after.enter_context(server.client(live_key))
            job = submit(client)
            response = after.enter_context(client.stream("GET", f"/v1/jobs/{job['id']}/events"))
            events = read_events(response)
            assert next(events).id == 1
            began = time.monotonic()
        assert time.monotonic() - began < 15
        assert list(events) == []


def test_streams_of_a_stopped_process_are_resumed_at_another(live_folder, live_key, store):
    with ExitStack() as after:
        first, second = (after.enter_context(ExitStack()) for _ in range(2))
        old = first.enter_context(serve(live_folder, ATELIER_STREAMS="48", ATELIER_API_THREADS="64"))
        new = second.enter_context(serve(live_folder, ATELIER_STREAMS="48", ATELIER_API_THREADS="64"))
        client = after.enter_context(new.client(live_key))
        job = submit(client)
        held = [after.enter_context(RawStream(old.port, live_key, job["id"])) for _ in range(12)]
        assert {stream.next_id() for stream in held} == {1}
        # when the process that holds them is told to stop, and the job goes on meanwhile
        began = time.monotonic()
        first.close()
        assert time.monotonic() - began < 10
        assert [list(stream.ids()) for stream in held] == [[]] * 12
        row = claim(store)
        # then they come back one by one, not all in one moment, ...
        retries = {stream.retry for stream in held}
        assert len(retries) > 6
        assert all(1000 <= retry <= 4000 for retry in retries)
        # ... and miss nothing and hear nothing twice, wherever they come back to
        back = [after.enter_context(RawStream(new.port, live_key, job["id"], last=1)) for _ in range(12)]
        assert {stream.next_id() for stream in back} == {2}
        store.succeed(row.id, row.attempt, [])
        assert [list(stream.ids()) for stream in back] == [[3, 3]] * 12


def test_five_hundred_streams_leave_room_for_the_rest(live_folder, live_database, store):
    """As docs/operations.md says it is set up: one variable, and owners that hold at most a quarter."""
    keys = [AccountStore(live_database).create_key(name)[0] for name in ("ada", "bob", "eve", "joe")]
    with ExitStack() as after:
        server = after.enter_context(serve(live_folder, ATELIER_STREAMS="500", ATELIER_API_THREADS=""))
        clients = [after.enter_context(server.client(key)) for key in keys]
        jobs = [submit(client)["id"] for client in clients]
        held = [
            after.enter_context(RawStream(server.port, key, job_id))
            for _ in range(125)
            for key, job_id in zip(keys, jobs, strict=True)
        ]
        assert {stream.next_id() for stream in held} == {1}
        # when all places are taken, the next one is refused and everything else is answered
        refused = clients[0].get(f"/v1/jobs/{jobs[0]}/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
        began = time.monotonic()
        for client, job_id in zip(clients * 3, jobs * 3, strict=True):
            assert client.get(f"/v1/jobs/{job_id}").status_code == 200
        assert time.monotonic() - began < 5
        # and a change reaches all who wait for it
        row = claim(store)
        began = time.monotonic()
        told = [stream for stream in held if stream.job_id == row.id]
        assert len(told) == 125
        assert {stream.next_id() for stream in told} == {2}
        assert time.monotonic() - began < 5
        # who hangs up makes room
        for stream in held[:100]:
            stream.close()
        path = f"/v1/jobs/{jobs[0]}/events"
        eventually(lambda: _opened(clients[0], path)).close()
        store.release(row.id, row.attempt)


def test_streams_are_bounded_and_never_starve_the_rest(live, client, live_key):
    job = submit(client)
    path = f"/v1/jobs/{job['id']}/events"
    with ExitStack() as after:
        # a quarter of the twelve places: what one owner may hold
        clients = [after.enter_context(live.client(live_key)) for _ in range(3)]
        held = [c.send(c.build_request("GET", path), stream=True) for c in clients]
        try:
            assert {r.status_code for r in held} == {200}
            refused = client.get(path)
            assert refused.status_code == 503
            assert refused.json()["code"] == "too_many_streams"
            assert int(refused.headers["Retry-After"]) > 0
            began = time.monotonic()
            assert client.get(f"/v1/jobs/{job['id']}?wait=5").json()["state"] == "queued"
            assert time.monotonic() - began < 3
        finally:
            for response in held:
                response.close()
    # a client that went away frees its place

    def free() -> bool:
        with client.stream("GET", path) as response:
            return response.status_code == 200

    eventually(free)


def test_one_owner_with_several_keys_leaves_places_to_others(live, client, live_key, live_database):
    second_key = AccountStore(live_database).create_key("ada")[0]
    other_key = AccountStore(live_database).create_key("bob")[0]
    with ExitStack() as after:
        other = after.enter_context(live.client(other_key))
        mine, theirs = submit(client)["id"], submit(other)["id"]

        def held(key: str, job_id: str) -> httpx.Response | None:
            opener = after.enter_context(live.client(key))
            response = eventually(lambda: _opened(opener, f"/v1/jobs/{job_id}/events"))
            after.callback(response.close)
            return response

        for key in (live_key, second_key, live_key):
            held(key, mine)
        second = after.enter_context(live.client(second_key))
        for opener in (client, second):
            assert opener.get(f"/v1/jobs/{mine}/events").json()["code"] == "too_many_streams"
        for _ in range(3):
            held(other_key, theirs)
        assert other.get(f"/v1/jobs/{theirs}/events").json()["code"] == "too_many_streams"


def test_many_hang_ups_leak_no_place(live, client, live_key):
    job = submit(client)
    for _ in range(10):
        with live.client(live_key) as short:
            response = eventually(lambda c=short: _opened(c, f"/v1/jobs/{job['id']}/events"))
            list(islice(read_events(response), 1))
            response.close()
    assert client.request("HEAD", f"/v1/jobs/{job['id']}/events").status_code in (200, 503)


def _opened(client: httpx.Client, path: str) -> httpx.Response | None:
    response = client.send(client.build_request("GET", path), stream=True)
    if response.status_code == 200:
        return response
    response.close()
    return None


def test_a_deleted_job_ends_its_stream(client):
    job = submit(client)
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        events = read_events(response)
        next(events)
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
        assert list(events) == []


def test_a_stream_links_the_newest_preview(live, client, store, objects):
    job = submit(client)
    row = claim(store)
    key = f"jobs/{row.id}/{row.attempt}/preview.jpg"
    objects.put(key, io.BytesIO(b"a small picture"), media_type="image/jpeg")
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        events = read_events(response)
        assert [next(events).data["preview_url"] for _ in range(2)] == [None, None]
        store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5, preview_key=key)
        url = next(events).data["preview_url"]
    assert httpx.get(live.url + url).content == b"a small picture"


def test_a_wait_ends_with_the_job(live, client, live_key, store, objects):
    def wait() -> tuple[dict, float]:
        began = time.monotonic()
        with live.client(live_key) as own:
            return submit(own, "/v1/jobs?wait=20"), time.monotonic() - began

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        eventually(lambda: client.get("/v1/jobs").status_code == 200)
        eventually(lambda: store.due_by_queue().get("cpu"))
        finish(store, objects)
        job, seconds = waiting.result()
    assert job["state"] == "succeeded"
    assert len(job["artifacts"]) == 1
    assert seconds < 10
