"""Budgets of a day, counted once for all workers, and answers that are kept for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, update

from jobs.clock import now
from jobs.database import Database
from jobs.models import ProviderAnswer, ProviderUsage
from jobs.providers import KEEP_ANSWER_SECONDS, ProviderStore
from tests.jobs.conftest import owner, spent


@pytest.fixture
def providers(database: Database) -> ProviderStore:
    return ProviderStore(database)


@pytest.fixture
def ada(database: Database) -> str:
    return owner(database)


def spend(store, owner_id, calls=1, tokens=0, calls_per_day=0, tokens_per_day=0, provider="chat"):
    return store.spend(
        owner_id,
        provider,
        calls=calls,
        tokens=tokens,
        calls_per_day=calls_per_day,
        tokens_per_day=tokens_per_day,
    )


def count(store, table):
    return store.database.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())


def test_without_bounds_everything_is_counted_and_nothing_refused(providers, ada):
    for _ in range(3):
        assert spend(providers, ada, tokens=5) is None
    assert spent(providers.database, ada, "chat") == (3, 15)
    assert spent(providers.database, ada, "another") == (0, 0)


def test_calls_are_refused_when_the_day_s_are_used_up(providers, ada):
    assert [spend(providers, ada, calls_per_day=2) for _ in range(2)] == [None, None]
    anew = spend(providers, ada, calls_per_day=2)
    midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert abs(anew - midnight) <= timedelta(days=1)
    assert (anew.hour, anew.minute, anew.second) == (0, 0, 0)
    assert spent(providers.database, ada, "chat") == (2, 0)


def test_calls_are_refused_when_the_tokens_are_and_tokens_are_always_counted(providers, ada):
    assert spend(providers, ada, tokens_per_day=100) is None
    assert spend(providers, ada, calls=0, tokens=150, tokens_per_day=100) is None
    assert spend(providers, ada, tokens_per_day=100) is not None
    assert spend(providers, ada, calls=0, tokens=5, tokens_per_day=100) is None
    assert spent(providers.database, ada, "chat") == (1, 155)


def test_what_came_to_nothing_is_given_back_and_never_more(providers, ada):
    spend(providers, ada, calls_per_day=1)
    assert spend(providers, ada, calls=-1) is None
    assert spend(providers, ada, calls_per_day=1) is None
    for _ in range(3):
        spend(providers, ada, calls=-1, tokens=-7)
    assert spent(providers.database, ada, "chat") == (0, 0)


def test_each_owner_and_each_service_has_its_own(providers, ada, database):
    ben = owner(database, "ben")
    assert spend(providers, ada, calls_per_day=1) is None
    assert spend(providers, ben, calls_per_day=1) is None
    assert spend(providers, ada, calls_per_day=1, provider="another") is None


def test_a_new_day_begins_anew(providers, ada, database):
    spend(providers, ada, calls_per_day=1)
    database.write(lambda c: c.execute(update(ProviderUsage.__table__).values(day="2026-01-01")))
    assert spend(providers, ada, calls_per_day=1) is None
    assert spent(providers.database, ada, "chat") == (1, 0)


def test_workers_that_ask_at_once_get_no_more_than_there_is(providers, ada):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: spend(providers, ada, calls_per_day=10), range(40)))
    assert answers.count(None) == 10
    assert spent(providers.database, ada, "chat") == (10, 0)


def test_an_answer_is_kept_for_its_owner_alone(providers, ada, database):
    assert providers.recall(ada, "a" * 64) is None
    providers.remember(ada, "a" * 64, "first")
    providers.remember(ada, "a" * 64, "second")
    assert providers.recall(ada, "a" * 64) == "second"
    assert providers.recall(ada, "b" * 64) is None
    assert providers.recall(owner(database, "ben"), "a" * 64) is None
    providers.forget(ada, "a" * 64)
    assert providers.recall(ada, "a" * 64) is None


def test_an_answer_is_kept_for_a_while(providers, ada, database):
    for digest in ("a" * 64, "b" * 64, "c" * 64):
        providers.remember(ada, digest, "x")
    old = update(ProviderAnswer.__table__).where(ProviderAnswer.request != "c" * 64)
    database.write(lambda c: c.execute(old.values(expires_at=now(-1.0))))
    assert providers.recall(ada, "a" * 64) is None
    assert KEEP_ANSWER_SECONDS >= 3600
    assert [providers.expire(limit=1) for _ in range(3)] == [1, 1, 0]
    assert count(providers, ProviderAnswer) == 1


def test_old_counts_go(providers, ada, database):
    spend(providers, ada)
    row = {"owner_id": ada, "day": "2024-01-01", "provider": "chat", "calls": 1, "tokens": 1}
    database.write(lambda c: c.execute(insert(ProviderUsage), row))
    providers.expire(limit=10)
    assert count(providers, ProviderUsage) == 1
