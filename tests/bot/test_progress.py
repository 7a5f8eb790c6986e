"""What is said of a job while it is under way, and at an end without a result."""

from __future__ import annotations

import pytest

from bot import progress
from bot.words import Words
from tests.bot.jobs import ECHO, chain, job, stage

EN = Words("en")


@pytest.mark.parametrize("language", Words.languages)
def test_every_state_is_said_in_every_language(language):
    words = Words(language)
    said = {
        name: progress.under_way(found, "Echo", words).text
        for name, found in {
            "queued": job(),
            "far": job(queue_position=1000),
            "unknown": job(queue_position=None),
            "again": job(queue_position=None, attempt=1),
            "held": job(held={"reason": "owner", "detail": ""}),
            "parts": chain(progress=0.25),
            "behind": job(held={"reason": "running_cap", "detail": ""}),
            "running": job(state="running", progress=0.5, message="layer <3>"),
            "canceling": job(state="running", cancel_requested=True),
            "nobody": job(forecast={"servable": False, "reason": "x", "starts_in": None, "ends_in": None}),
        }.items()
    }
    said["canceled"] = progress.ended(job(state="canceled"), ECHO, words).text
    for code in ("timeout", "part_failed", "made_up_since"):
        failed = job(state="failed", error={"code": code, "detail": "a <b> & c"})
        said[code] = progress.ended(failed, ECHO, words).text
    said["gone"] = progress.gone(None, words).text
    said["expired"] = progress.gone(job(state="succeeded", data_removed=True), words).text
    assert len(set(said.values())) == len(said)
    assert "&lt;3&gt;" in said["running"]
    assert " 50" in said["running"]
    assert "a &lt;b&gt; &amp; c" in said["made_up_since"]


def test_a_mark_is_equal_for_what_looks_equal():
    one = progress.under_way(job(), "Echo", EN)
    assert one.mark == progress.under_way(job(version=9), "Echo", EN).mark
    assert one.mark != progress.under_way(job(queue_position=2), "Echo", EN).mark
    assert one.mark != progress.View(one.text, []).mark


def test_a_job_that_is_made_of_jobs_shows_its_stages():
    made, kinds = stage("planets", "succeeded", jobs=1, succeeded=1), stage("kinds")
    shown = progress.under_way(chain(made, kinds, message="planets is made"), "Chain", EN).text
    assert shown.splitlines()[:4] == [
        "🧩 <b>Chain</b> is being made in parts.",
        "▰▰▰▰▰▱▱▱▱▱ 48 %",
        "✅ planets: 1/1",
        "🎨 kinds: 3/8",
    ]
    running = progress.under_way(chain(made, state="running", message="joining"), "Chain", EN).text
    assert running.splitlines()[2:4] == ["<i>joining</i>", "✅ planets: 1/1"]


def test_one_that_failed_says_which_part_it_was_and_its_button_goes_on_there():
    error = {"code": "part_failed", "detail": "kinds-002: timeout: Too long."}
    view = progress.ended(chain(stage("kinds", "failed"), state="failed", error=error), ECHO, EN)
    assert view.text.splitlines()[1:] == [
        "A part of it did not work out: kinds-002: timeout: Too long.",
        "❌ kinds: 3/8",
    ]
    assert [button.text for row in view.rows for button in row] == ["🔁 Go on where it stopped"]
