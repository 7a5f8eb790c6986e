"""The stages of a job that is made of jobs, as lines of its message."""

from __future__ import annotations

import pytest

from bot import progress, stages
from bot.texts import CAPTION_LENGTH, length
from bot.words import Words
from tests.bot.jobs import ECHO, chain, job, stage
from tests.bot.telegram_html import shown_text

EN = Words("en")


def test_each_is_a_line_with_its_state_and_how_far_it_is():
    found = chain(
        stage("planets", "succeeded", jobs=1, succeeded=1),
        stage("kinds"),
        stage("film", jobs=1, succeeded=0),
        stage("post", "queued", jobs=1, succeeded=0),
        stage("cut", "failed"),
        stage("rest", "canceled"),
    )
    assert stages.lines(found, EN) == [
        "✅ planets: 1/1",
        "🎨 kinds: 3/8",
        "🎨 film: 40 %",
        "⏳ post: 0/1",
        "❌ cut: 3/8",
        "✖️ rest: 3/8",
    ]


def test_a_state_that_is_made_up_since_and_a_hostile_name():
    (line,) = stages.lines(chain(stage("<b>\u202e" + "x" * 99, "resting")), EN)
    assert line.startswith("• &lt;b&gt;xx")
    assert length(shown_text(line)) < 50


@pytest.mark.parametrize(("made", "first", "last"), [(0, 0, 9), (12, 11, 20), (40, 30, 39)])
def test_of_very_many_those_around_the_first_that_is_not_made(made, first, last):
    found = chain(*(stage(f"s{n}", "succeeded" if n < made else "queued") for n in range(40)))
    lines = stages.lines(found, EN)
    names = [line.split()[1].rstrip(":") for line in lines if line != "…"]
    assert names == [f"s{n}" for n in range(first, last + 1)]
    assert (lines[0] == "…", lines[-1] == "…") == (first > 0, last < 39)


@pytest.mark.parametrize("language", Words.languages)
def test_it_fits_beside_a_picture_whatever_it_says(language):
    many = [stage("🪐" * 64, "failed", jobs=1000, succeeded=999) for _ in range(40)]
    error = {"code": "part_failed", "detail": "x" * 5000}
    waits = progress.under_way(chain(*many, forecast={"servable": False}), "A chain", Words(language))
    failed = progress.ended(chain(*many, state="failed", error=error), ECHO, Words(language))
    for view in (waits, failed):
        assert length(shown_text(view.text)) <= CAPTION_LENGTH


def test_which_jobs_wait_for_their_parts():
    assert stages.in_parts(chain())
    assert not stages.in_parts(chain(state="failed"))
    assert not stages.in_parts(job(held={"reason": "owner", "detail": ""}))
    assert not stages.in_parts(job())
