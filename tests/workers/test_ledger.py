"""An engine's account with a provider: in the database, and clear about when there is more."""

from __future__ import annotations

import re

from tests.jobs.conftest import spent
from tests.workers.running import TEXT


def spending(calls_per_day=0, tokens_per_day=0):
    def script(params, context):
        ledger = context.ledger("chat", calls_per_day=calls_per_day, tokens_per_day=tokens_per_day)
        ledger.spend(calls=1)
        ledger.spend(tokens=int(params.n))
        yield TEXT

    return script


def test_what_jobs_spend_is_counted_for_their_owner(bench):
    made = bench(spending())
    assert made.run(n=30).state == "succeeded"
    assert made.run(n=12).state == "succeeded"
    assert spent(made.store.database, made.owner_id, "chat") == (2, 42)


def test_over_the_budget_a_job_fails_and_says_when_there_is_more(bench):
    made = bench(spending(calls_per_day=1, tokens_per_day=500))
    assert made.run().state == "succeeded"
    job = made.run()
    assert (job.state, job.error_code, job.attempt) == ("failed", "budget_used_up", 1)
    assert re.search(r"1 calls and 500 tokens.* anew at \d{4}-\d\d-\d\d 00:00 UTC", job.error_detail)


def test_answers_are_kept_between_jobs(bench):
    seen = []

    def script(params, context):
        ledger = context.ledger("chat", calls_per_day=0, tokens_per_day=0)
        seen.append(ledger.recall("a"))
        ledger.remember("a", "kept")
        if params.n:
            ledger.forget("a")
        yield TEXT

    made = bench(script)
    for n in (0, 1, 0):
        made.run(n=n)
    assert seen == [None, "kept", None]
