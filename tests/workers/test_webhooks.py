"""The dispatcher with real receivers: at least once, for a day, and nobody waits for others' receivers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import update
from standardwebhooks.webhooks import Webhook

from jobs.clock import now
from jobs.database import Database
from jobs.ids import new_id
from jobs.models import Delivery
from jobs.news import Event
from jobs.store import JobStore, NewArtifact, NewJob
from jobs.store.outbox import host_of
from queue_config import Doorbell
from tests.jobs.conftest import owner
from tests.patience import PATIENCE
from tests.receivers import Receiver, receiver
from webhooks.deliveries import DeliveryStore
from webhooks.endpoints import WebhookStore
from workers import expiry
from workers import webhooks as module
from workers.sweep import Sweeper
from workers.webhook_slots import Slots
from workers.webhooks import CAP_SECONDS, FIRST_SECONDS, MOST_RETRY_AFTER, Dispatcher, next_try

pytestmark = pytest.mark.waits


def eventually(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def running(database: Database, **options) -> Iterator[None]:
    """A dispatcher in this process."""
    ended = threading.Event()
    dispatcher = Dispatcher(database, **({"private": True, "timeout": 5.0} | options))
    thread = threading.Thread(target=dispatcher.run, args=(ended,))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def ada(database) -> str:
    return owner(database)


@pytest.fixture
def outbox(database) -> DeliveryStore:
    return DeliveryStore(database)


def write(database: Database, owner_id: str, url: str, count: int = 1) -> list[str]:
    """Messages to one address; their ids."""
    ids = [new_id("msg") for _ in range(count)]
    rows = [{"id": i, "url": url, "host": host_of(url), "owner_id": owner_id, "job_id": "job_1"} for i in ids]
    adding = Delivery.__table__.insert().values(event="failed", body='{"a":1}', until=now(24 * 3600))
    database.write(lambda c: c.execute(adding, rows))
    return ids


def hurry(database: Database) -> None:
    """What waits for its next try is due."""
    waiting = update(Delivery).where(Delivery.state == "pending").values(due_at=now(-1))
    database.write(lambda c: c.execute(waiting))


def states(outbox: DeliveryStore, ada: str) -> list[str]:
    return sorted(row.state for row in outbox.page(ada, limit=100))


def test_a_job_s_life_is_told_with_signatures_that_the_reference_library_accepts(
    database, server, ada, outbox, monkeypatch
):
    # given an endpoint for everything, and a job with a webhook of its own
    monkeypatch.setenv("ATELIER_WEBHOOKS_ALLOW_PRIVATE", "1")
    webhooks, store = WebhookStore(database), JobStore(database)
    endpoint = webhooks.create(ada, server.url, tuple(Event))
    own = f"{server.url}?own=1"
    job, _ = store.submit(
        NewJob(owner_id=ada, engine="echo", queue="cpu", params={}, seed=1, webhook={"url": own})
    )
    # when it runs
    with running(database):
        (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
        store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
        made = NewArtifact(name="a.txt", key="k", media_type="text/plain", size=3, sha256="0" * 64)
        store.succeed(row.id, row.attempt, [made])
        eventually(lambda: states(outbox, ada) == ["delivered"] * 5)
    # then each is told once, by whom it should be signed
    told = {}
    for message in server.seen:
        secret = webhooks.secret(ada) if "own=1" in message.path else endpoint.secret
        body = Webhook(secret).verify(message.body, message.headers)
        told.setdefault(message.path, []).append(body["type"])
        assert body["data"]["id"] == job.id
    assert sorted(told["/hook"]) == ["job.progress", "job.queued", "job.started", "job.succeeded"]
    assert told["/hook?own=1"] == ["job.succeeded"]
    final = next(m for m in server.seen if b"succeeded" in m.body)
    assert [a["name"] for a in json.loads(final.body)["data"]["artifacts"]] == ["a.txt"]
    assert len(set(server.ids())) == 5


def test_it_is_tried_again_under_the_same_id(database, server, ada, outbox):
    (sent,) = write(database, ada, server.url)
    answers = iter([(500, {}), (302, {"Location": "/"}), (200, {})])
    server.answer = lambda _: next(answers)
    with running(database):
        for tries in (1, 2, 3):
            eventually(lambda: len(outbox.attempts(sent)) == tries)  # noqa: B023  # waited for right here
            hurry(database)

    assert server.ids() == [sent] * 3
    assert outbox.get(ada, sent).state == "delivered"
    log = outbox.attempts(sent)
    assert [(a.number, a.status) for a in log] == [(1, 500), (2, 302), (3, 200)]
    assert log[0].error == "The receiver answered 500."
    assert "307" in log[1].error
    assert log[2].error is None
    stamps = [m.headers["webhook-timestamp"] for m in server.seen]
    assert stamps == sorted(stamps)


def test_gone_is_gone(database, server, ada, outbox):
    (sent,) = write(database, ada, server.url)
    server.answer = lambda _: (410, {})
    with running(database):
        eventually(lambda: outbox.get(ada, sent).state == "failed")

    assert len(server.seen) == 1


def test_after_a_day_it_is_tried_for_the_last_time(database, server, ada, outbox):
    (sent,) = write(database, ada, server.url)
    server.answer = lambda _: (503, {})
    with running(database):
        eventually(lambda: outbox.attempts(sent))
        # 23 hours later: the usual pause is longer than what is left
        later = update(Delivery).values(created_at=now(-23 * 3600), until=now(3600), due_at=now(-1))
        database.write(lambda c: c.execute(later))
        eventually(lambda: len(outbox.attempts(sent)) == 2)
        row = outbox.get(ada, sent)
        assert row.state == "pending"
        assert abs((row.due_at - row.until).total_seconds()) < 2
        # and when that time has come
        at_last = update(Delivery).values(until=now(0.0), due_at=now(0.0))
        database.write(lambda c: c.execute(at_last))
        eventually(lambda: outbox.get(ada, sent).state == "failed")

    assert len(outbox.attempts(sent)) == 3


def test_the_pauses_grow_and_fill_the_day():
    waited, pauses = 0.0, []
    while waited < 24 * 3600:
        pauses.append(next_try(waited))
        waited += pauses[-1]

    assert 10 <= len(pauses) <= 20
    assert 0.8 * FIRST_SECONDS <= pauses[0] <= 1.2 * FIRST_SECONDS
    assert sum(pauses[:3]) < 180
    assert max(pauses) <= 1.2 * CAP_SECONDS
    assert len({next_try(100.0) for _ in range(20)}) > 1, "many that failed together come back scattered"


def test_a_receiver_s_own_wish_counts_within_bounds():
    assert next_try(0.0, 600.0) == 600.0
    assert next_try(0.0, 1.0) >= 0.8 * FIRST_SECONDS
    assert next_try(0.0, 10**9) == MOST_RETRY_AFTER


def test_a_receiver_that_asks_for_patience_gets_it(database, server, ada, outbox):
    (sent,) = write(database, ada, server.url)
    server.answer = lambda _: (429, {"Retry-After": "1200"})
    with running(database):
        eventually(lambda: outbox.attempts(sent))
        eventually(lambda: (outbox.get(ada, sent).due_at - outbox.get(ada, sent).created_at).seconds > 1100)

    assert len(server.seen) == 1


def test_it_never_goes_inside_unless_it_may(database, server, ada, outbox):
    ids = write(database, ada, server.url) + write(database, ada, "https://inside.example/")
    with running(database, private=False, resolver=lambda *_: ["10.0.0.1"]):
        eventually(lambda: all(outbox.attempts(sent) for sent in ids))

    assert server.seen == []
    errors = [outbox.attempts(sent)[0].error for sent in ids]
    assert errors[0] == "Only https: URLs are allowed."
    assert "private network" in errors[1]


def test_redelivery_sends_the_same_message(database, server, ada, outbox):
    (sent,) = write(database, ada, server.url)
    with running(database):
        eventually(lambda: outbox.get(ada, sent).state == "delivered")
        outbox.redeliver(ada, sent)
        eventually(lambda: len(outbox.attempts(sent)) == 2)

    first, second = server.seen
    assert (first.id, first.body) == (second.id, second.body) == (sent, b'{"a":1}')
    assert outbox.get(ada, sent).state == "delivered"


@pytest.mark.parametrize("whose", ["another owner's", "the same owner's"])
def test_slow_and_dead_receivers_slow_nobody_else(database, ada, whose):
    """One hangs, one is slow, one is not there, and all three have a backlog older than anybody's message."""
    other = owner(database, "bob") if whose == "another owner's" else ada
    released = threading.Event()

    def hang(_message):
        released.wait(60)
        return 204, {}

    def dawdle(_message):
        time.sleep(1.0)
        return 204, {}

    with ExitStack() as stack:
        hanging, slow, *quick = (stack.enter_context(receiver()) for _ in range(8))
        gone = stack.enter_context(receiver())
        gone.shutdown()
        hanging.answer, slow.answer = hang, dawdle
        for url in (hanging.url, slow.url, gone.url):
            write(database, ada, url, 300)
        stack.callback(released.set)
        with running(database, slots=Slots(16, per_host=8, per_owner=12, doubtful=6), timeout=6.0):
            eventually(lambda: hanging.seen and slow.seen)
            began = time.monotonic()
            ids = {sent for one in quick for sent in write(database, other, one.url, 10)}
            eventually(lambda: sum(len(one.seen) for one in quick) >= len(ids))
            took = time.monotonic() - began
            released.set()
        told = [sent for one in quick for sent in one.ids()]

    assert took < 6.0, "less than one attempt at the receiver that hangs"
    assert sorted(told) == sorted(ids)
    assert len(slow.seen) < 100, "there was a backlog all the time"


def test_hosts_of_an_owner_who_has_their_share_are_not_asked_one_by_one(database, ada, monkeypatch):
    """A look at each of the thousands one owner may name would hold up everybody behind them."""
    bob = owner(database, "bob")
    released = threading.Event()
    asked: list[str] = []

    class Counting(module.DeliveryStore):
        def claim(self, host, *args, **more):
            asked.append(host)
            return super().claim(host, *args, **more)

    def hang(_host, _port):
        released.wait(20)
        raise OSError

    monkeypatch.setattr(module, "DeliveryStore", Counting)
    for n in range(60):
        write(database, ada, f"http://host{n}.example/")
    write(database, bob, "http://bob.example/")
    with ThreadPoolExecutor(8) as threads:
        dispatcher = Dispatcher(
            database, private=True, slots=Slots(8, per_owner=4, doubtful=8), resolver=hang, timeout=20.0
        )
        try:
            assert dispatcher.dispatch(threads)
            assert asked[-1] == "bob.example"
            assert len(asked) == 5
            dispatcher.dispatch(threads)
            assert len(asked) == 5
        finally:
            released.set()


def test_two_dispatchers_send_each_message_once(database, server, ada, outbox):
    ids = write(database, ada, server.url, 60)
    with running(database), running(database):
        eventually(lambda: states(outbox, ada) == ["delivered"] * 60)

    assert sorted(server.ids()) == sorted(ids)


def test_a_database_that_goes_away_for_a_moment_ends_nothing(database, server, ada, outbox, monkeypatch):
    write(database, ada, server.url)
    store_class = module.DeliveryStore
    asked = []

    class Flaky(store_class):
        def waiting_hosts(self, **more):
            asked.append(1)
            if len(asked) < 3:
                raise module.Unavailable
            return super().waiting_hosts(**more)

    monkeypatch.setattr(module, "DeliveryStore", Flaky)
    with running(database):
        eventually(lambda: states(outbox, ada) == ["delivered"])


def test_the_sweeper_forgets_what_is_a_month_old(database, storage, server, ada, outbox):
    (young,) = write(database, ada, server.url)
    old = update(Delivery).where(Delivery.id != young).values(id=f"msg_{'0' * 32}")
    write(database, ada, server.url)
    database.write(lambda c: c.execute(old))

    sweeper = Sweeper(database, storage, Doorbell())
    sweeper.sweep()
    assert len(outbox.page(ada)) == 2, "not in the thread that takes back leases"
    sweeper.expire()

    assert [row.id for row in outbox.page(ada)] == [young]


def test_a_month_s_messages_go_in_bounded_pieces(database, storage, ada, outbox, monkeypatch):
    monkeypatch.setattr(expiry, "MESSAGES_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "MESSAGE_TURNS", 2)
    for n, sent in enumerate(write(database, ada, "https://a.example/", 7)):
        old = update(Delivery).where(Delivery.id == sent).values(id=f"msg_{n:032x}")
        database.write(lambda c, old=old: c.execute(old))
    sweeper = Sweeper(database, storage, Doorbell())
    left = []
    while not left or left[-1]:
        sweeper.expire()
        left.append(len(outbox.page(ada)))

    assert left == [3, 0], "and goes on in the next pass, without a pause"


def start(database: Database) -> subprocess.Popen[bytes]:
    """A dispatcher as an operator starts it."""
    url = database.url.render_as_string(hide_password=False)
    environment = os.environ | {"DATABASE_URL": url, "ATELIER_WEBHOOKS_ALLOW_PRIVATE": "1"}
    return subprocess.Popen([sys.executable, "-m", "workers.webhooks"], env=environment)


def test_a_dispatcher_that_is_killed_in_the_middle_loses_nothing(database, server, ada, outbox):
    # given a receiver that has got the message and does not answer
    (sent,) = write(database, ada, server.url)
    hung, released = threading.Event(), threading.Event()

    def hang(_message):
        hung.set()
        released.wait(60)
        return 204, {}

    server.answer = hang
    first = start(database)
    try:
        assert hung.wait(30)
        # when its sender is killed
        first.send_signal(signal.SIGKILL)
    finally:
        first.kill()
        first.wait()
    released.set()
    assert outbox.get(ada, sent).state == "pending"
    assert outbox.waiting_hosts() == [], "it is leased"
    hurry(database)  # the lease ends
    # then another one sends it again, under the same id
    second = start(database)
    try:
        eventually(lambda: outbox.get(ada, sent).state == "delivered")
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
    finally:
        second.kill()
        second.wait()
    assert server.ids() == [sent, sent]
    assert [a.number for a in outbox.attempts(sent)] == [2]
