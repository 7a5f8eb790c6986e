"""The outbox as dispatchers, owners and the sweeper use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, text, update

from jobs.clock import now
from jobs.database import Database
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.models import Delivery, Webhook
from jobs.store.outbox import host_of
from tests.jobs.conftest import owner
from webhooks.deliveries import _WAITING_HOSTS, DeliveryState, DeliveryStore, Due
from webhooks.endpoints import MAX_WEBHOOKS, WebhookStore

PENDING, DELIVERED, FAILED = DeliveryState


@pytest.fixture
def deliveries(database) -> DeliveryStore:
    return DeliveryStore(database)


@pytest.fixture
def ada(database) -> str:
    return owner(database)


def write(database: Database, owner_id: str, *urls: str, due: float = 0.0, ids=None, **values) -> list[str]:
    """Put messages to these addresses into the outbox; their ids."""
    ids = ids or [new_id("msg") for _ in urls]
    rows = [
        {"id": i, "url": url, "host": host_of(url), "owner_id": owner_id, "job_id": "job_1"}
        for i, url in zip(ids, urls, strict=True)
    ]
    adding = Delivery.__table__.insert().values(
        event="failed", body="{}", due_at=now(due), until=now(24 * 3600), **values
    )
    database.write(lambda c: c.execute(adding, rows))
    return ids


@pytest.fixture
def message(database, ada) -> Callable[..., str]:
    return lambda url="https://a.example/", **values: write(database, ada, url, **values)[0]


def take(deliveries: DeliveryStore, host: str = "a.example", limit: int = 10, **more) -> list[Due]:
    return deliveries.claim(host, limit, **{"lease_seconds": 60.0} | more)


def test_a_message_is_claimed_once_with_what_signs_it(deliveries, message, ada, database):
    first = message()
    endpoint = WebhookStore(database).create(ada, "https://a.example/")
    second = message(webhook_id=endpoint.id)

    taken = {due.id: due for due in take(deliveries)}

    assert taken.keys() == {first, second}
    assert taken[first].secret == WebhookStore(database).secret(ada)
    assert taken[second].secret == endpoint.secret
    assert {due.number for due in taken.values()} == {1}
    assert 0 <= taken[first].waited < 10
    assert 24 * 3600 - 10 < taken[first].left <= 24 * 3600
    assert take(deliveries) == []
    assert deliveries.waiting_hosts() == []


def test_dispatchers_at_once_take_each_message_once(deliveries, database, ada):
    ids = write(database, ada, *["https://a.example/"] * 60)
    taken: list[str] = []

    def dispatch():
        while found := take(deliveries, limit=7):
            taken.extend(due.id for due in found)

    threads = [threading.Thread(target=dispatch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # SKIP LOCKED may show somebody nothing while others hold the rest
    taken += [due.id for due in take(deliveries, limit=100)]
    assert sorted(taken) == sorted(ids)


def test_what_a_dead_dispatcher_held_is_due_again(deliveries, message):
    sent = message()
    (dead,) = take(deliveries, lease_seconds=-1.0)

    (living,) = take(deliveries)

    assert (living.id, living.number) == (sent, 2)
    # the dead one lives after all: its report is kept, and changes nothing
    deliveries.report(dead, state=FAILED, seconds=1.0, error="late")
    assert deliveries.get(living.owner_id, sent).state == PENDING
    deliveries.report(living, state=DELIVERED, seconds=0.1, status=204)
    assert deliveries.get(living.owner_id, sent).state == DELIVERED
    assert [(a.number, a.status, a.error) for a in deliveries.attempts(sent)] == [
        (1, None, "late"),
        (2, 204, None),
    ]


def test_a_try_that_failed_is_repeated_when_it_is_due(deliveries, message, ada):
    sent = message()
    (due,) = take(deliveries)
    deliveries.report(due, state=PENDING, seconds=0.5, status=500, error="e", again_after=100.0)

    assert take(deliveries) == []
    deliveries.database.write(lambda c: c.execute(update(Delivery).values(due_at=now(-1))))
    (due,) = take(deliveries)
    assert (due.id, due.number) == (sent, 2)
    deliveries.report(due, state=FAILED, seconds=0.5, status=500, error="e")
    assert deliveries.waiting_hosts() == []
    assert deliveries.get(ada, sent).attempts == 2


def test_a_report_of_a_message_that_is_gone_is_dropped(deliveries, message, database, ada):
    endpoint = WebhookStore(database).create(ada, "https://a.example/")
    message(webhook_id=endpoint.id)
    (due,) = take(deliveries)
    WebhookStore(database).delete(ada, endpoint.id)
    deliveries.forget()

    deliveries.report(due, state=DELIVERED, seconds=0.1, status=200)

    assert deliveries.attempts(due.id) == []


def test_hosts_are_named_once_by_how_long_they_wait(deliveries, database, ada):
    write(database, ada, *["https://b.example/"] * 3, due=-5.0)
    write(database, ada, "https://c.example/", "https://c.example:444/", due=-9.0)
    write(database, ada, *["https://a.example/"] * 3, due=-7.0)
    write(database, ada, "https://later.example/", due=60.0)

    found = deliveries.waiting_hosts()

    assert set(found[:2]) == {"c.example", "c.example:444"}
    assert found[2:] == ["a.example", "b.example"]
    write(database, owner(database, "bob"), "https://b.example/")
    assert deliveries.waiting_hosts(not_of=[ada]) == ["b.example"]


def test_a_host_s_messages_go_in_order_and_some_owners_may_have_to_wait(deliveries, database, ada):
    bob = owner(database, "bob")
    (late,) = write(database, ada, "https://a.example/", due=-1.0)
    (early,) = write(database, ada, "https://a.example/", due=-9.0)
    (bobs,) = write(database, bob, "https://a.example/", due=-5.0)

    assert [d.id for d in take(deliveries, limit=1)] == [early]
    assert [d.id for d in take(deliveries, not_of=[bob])] == [late]
    assert [d.id for d in take(deliveries)] == [bobs]


def test_a_backlog_is_walked_past_by_leaps(postgres_database):
    """The plan: the hosts are found, and one host's line is read, without reading what others wait for."""
    deliveries, ada = DeliveryStore(postgres_database), owner(postgres_database)
    filling = text(
        "INSERT INTO deliveries (id, owner_id, job_id, event, url, host, body, state, created_at, due_at,"
        " attempts, until) SELECT 'msg_' || n, :owner, 'job_1', 'failed', 'https://x/', 'host' || n % 20,"
        " '{}', 'pending', now(), now() - interval '1 hour', 0, now() FROM generate_series(1, 20000) AS n"
    )
    postgres_database.write(lambda c: c.execute(filling, {"owner": ada}))
    postgres_database.write(lambda c: c.execute(text("ANALYZE deliveries")))

    compiled = _WAITING_HOSTS.compile(postgres_database.engine)
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + str(compiled)
    (plan,) = postgres_database.read(lambda c: c.exec_driver_sql(explain, dict(compiled.params)).scalar_one())

    assert len(deliveries.waiting_hosts()) == 20
    read = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    assert read < 300, plan  # all of them would be some hundreds of pages of the table, and the index
    assert "Seq Scan" not in str(plan)


def test_an_owner_reads_their_own_page_by_page(deliveries, database, ada):
    bob = owner(database, "bob")
    ids = write(database, ada, *["https://a.example/"] * 5)
    write(database, bob, "https://a.example/")
    (due,) = take(deliveries, limit=1, not_of=[bob])
    deliveries.report(due, state=DELIVERED, seconds=0.1, status=200)

    newest = sorted(ids, reverse=True)
    first = deliveries.page(ada, limit=2)
    assert [row.id for row in first] == newest[:2]
    assert [row.id for row in deliveries.page(ada, limit=9, before=first[-1].id)] == newest[2:]
    assert [row.id for row in deliveries.page(ada, state=DELIVERED)] == [due.id]
    assert len(deliveries.page(ada, state=PENDING)) == 4
    assert len(deliveries.page(ada, job_id="job_1")) == 5
    assert deliveries.page(ada, job_id="job_2") == []
    assert deliveries.page(ada, webhook_id="whk_1") == []
    for attempt in (deliveries.get, deliveries.redeliver):
        with pytest.raises(NotFound):
            attempt(bob, due.id)


@pytest.mark.parametrize("was", list(DeliveryState))
def test_whatever_became_of_it_can_be_sent_again(deliveries, message, ada, was):
    sent = message()
    (due,) = take(deliveries)
    deliveries.report(due, state=was, seconds=0.1, status=200, again_after=9999.0)
    long_ago = update(Delivery).values(created_at=now(-40 * 3600), until=now(-16 * 3600))
    deliveries.database.write(lambda c: c.execute(long_ago))

    deliveries.redeliver(ada, sent)

    (again,) = take(deliveries)
    assert (again.id, again.number) == (sent, 2)
    assert again.waited < 10
    assert again.left > 24 * 3600 - 10


def test_it_is_sent_again_to_where_its_endpoint_is_by_now(deliveries, message, database, ada):
    # given a message that was given up, and an address that was corrected then
    webhooks = WebhookStore(database)
    endpoint = webhooks.create(ada, "https://wrong.example/")
    sent = message("https://wrong.example/", webhook_id=endpoint.id)
    (due,) = take(deliveries, "wrong.example")
    deliveries.report(due, state=FAILED, seconds=0.1, status=404)
    webhooks.change(ada, endpoint.id, url="https://right.example:8443/")

    deliveries.redeliver(ada, sent)

    assert take(deliveries, "wrong.example") == []
    (again,) = take(deliveries, "right.example:8443")
    assert (again.id, again.url) == (sent, "https://right.example:8443/")


def test_old_messages_are_forgotten_with_their_log(deliveries, message, database, ada):
    (old,) = write(database, ada, "https://a.example/", ids=[f"msg_{'0' * 32}"])
    (due,) = take(deliveries)
    deliveries.report(due, state=DELIVERED, seconds=0.1, status=200)
    young = message()

    assert not deliveries.forget()

    assert [row.id for row in deliveries.page(ada)] == [young]
    assert deliveries.attempts(old) == []
    message()
    assert deliveries.forget(days=-1, limit=1), "one at a time, and there is more"
    assert len(deliveries.page(ada)) == 1
    assert deliveries.forget(days=-1, limit=1)
    assert not deliveries.forget(days=-1, limit=1)
    assert deliveries.page(ada) == []


def of_age(days: float, number: int) -> str:
    """The id of a message that is so old."""
    return f"msg_{int((time.time() - days * 86400) * 1000):012x}{number:020x}"


def test_what_was_told_of_progress_is_kept_for_a_day(deliveries, database, ada):
    adding = Delivery.__table__.insert().values(
        url="https://a.example/", host="a.example", owner_id=ada, job_id="job_1", body="{}", until=now(60.0)
    )
    kinds = [
        {"id": of_age(days, n), "event": event, "state": state}
        for n, (days, event, state) in enumerate(
            [
                (2.0, "progress", "delivered"),
                (2.0, "progress", "failed"),
                (2.0, "progress", "pending"),  # it was sent anew
                (0.5, "progress", "delivered"),
                (2.0, "succeeded", "delivered"),
            ]
        )
    ]
    database.write(lambda c: c.execute(adding, kinds))

    assert not deliveries.forget()

    assert {row.id for row in deliveries.page(ada)} == {one["id"] for one in kinds[2:]}


class TestDeletedEndpoint:
    @pytest.fixture
    def sent(self, message, database, ada):
        """An endpoint with five messages, one of them sent."""
        webhooks = WebhookStore(database)
        endpoint = webhooks.create(ada, "https://a.example/")
        ids = [message(webhook_id=endpoint.id) for _ in range(5)]
        webhooks.delete(ada, endpoint.id)
        return ids

    def count(self, database, model):
        return database.read(lambda c: c.execute(select(func.count()).select_from(model)).scalar_one())

    def test_its_messages_are_seen_and_sent_no_more(self, deliveries, message, sent, ada):
        other = message()

        assert [due.id for due in take(deliveries)] == [other]
        assert [row.id for row in deliveries.page(ada)] == [other]
        for attempt in (deliveries.get, deliveries.redeliver):
            with pytest.raises(NotFound):
                attempt(ada, sent[0])

    def test_they_go_piece_by_piece_and_the_endpoint_with_the_last(self, deliveries, message, sent, database):
        other = message()
        left = []
        while deliveries.forget(limit=2):
            left.append((self.count(database, Delivery), self.count(database, Webhook)))

        assert left == [(4, 1), (2, 1), (1, 0)]
        assert [due.id for due in take(deliveries)] == [other]
        assert sent

    def test_deleting_it_touches_none_of_them(self, message, database, ada):
        """A million of them would take longer than a statement may."""
        webhooks = WebhookStore(database)
        endpoint = webhooks.create(ada, "https://b.example/")
        message("https://b.example/", webhook_id=endpoint.id)
        webhooks.delete(ada, endpoint.id)

        assert self.count(database, Delivery) == 1
        with pytest.raises(NotFound):
            webhooks.get(ada, endpoint.id)

    def test_it_counts_no_longer(self, sent, database, ada):
        webhooks = WebhookStore(database)
        for _ in range(MAX_WEBHOOKS):
            webhooks.create(ada, "https://a.example/")
        assert len(webhooks.all(ada)) == MAX_WEBHOOKS
        assert sent
