"""`atelier schedules` against the real API in this process."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from jobs.models import Schedule
from schedules.store import ScheduleStore
from tests.api.helpers import picture

NINE = ("--cron", "0 9 * * *", "--zone", "Europe/Berlin")


@pytest.fixture
def schedules(here, run):
    """Run a command; the schedules that there are afterwards are `schedules.all()`."""

    def call(*arguments, code=0):
        found = run("schedules", *arguments)
        assert found.exit_code == code, found.output
        return found

    call.all = lambda: ScheduleStore(here.store.database).page(here.owner_id)
    return call


def test_a_schedule_from_its_making_to_its_end(schedules, here):
    # given
    made = schedules("add", "echo", *NINE, "--name", "Good [morning]", "--text", "hi", "--tag", "daily")
    schedule_id = made.stdout.strip()
    assert made.stderr.startswith("Good [morning]: due ")
    (row,) = schedules.all()
    assert (row.id, row.cron, row.zone, row.misses) == (schedule_id, "0 9 * * *", "Europe/Berlin", "skip")
    assert (row.params, row.options) == ({"text": "hi"}, {"tags": ["daily"]})
    # when, then
    listed = schedules("list").stdout
    assert schedule_id in listed
    assert "Good [morning]" in listed
    shown = schedules("show", schedule_id).stdout
    assert "0 9 * * * in Europe/Berlin; what is missed: skip" in shown
    assert shown.count("\n  ") >= 5
    assert "due" in schedules("change", schedule_id, "--cron", "0 10 * * *", "--name", "Ten").stdout
    assert schedules.all()[0].cron == "0 10 * * *"
    assert schedules("pause", schedule_id).stdout == f"{schedule_id}: paused\n"
    assert "by its owner" in schedules("show", schedule_id).stdout
    assert "paused" in schedules("list").stdout
    job_id = schedules("run", schedule_id).stdout.strip()
    assert here.store.get(job_id).params["text"] == "hi"
    assert f"last job {job_id}" in schedules("show", schedule_id).stdout
    assert f"{schedule_id}: due " in schedules("resume", schedule_id).stdout
    assert schedules("remove", schedule_id).stdout == f"{schedule_id}: removed\n"
    assert schedules.all() == []


def test_a_chain_is_scheduled_from_its_file(schedules, here, tmp_path):
    stages = [
        {"name": "words", "engine": "echo", "params": {"text": "hello"}},
        {"name": "more", "engine": "echo", "params": {"text": "@words"}},
    ]
    path = tmp_path / "chain.json"
    path.write_text(json.dumps({"stages": stages}))
    schedule_id = schedules("add", "pipeline", "--file", str(path), *NINE).stdout.strip()
    (row,) = schedules.all()
    assert (row.engine, row.params["stages"][1]["params"]) == ("pipeline", {"text": "@words"})
    job = here.store.get(schedules("run", schedule_id).stdout.strip())
    assert (job.engine, [stage["name"] for stage in job.params["stages"]]) == ("pipeline", ["words", "more"])


def test_a_file_of_this_machine_is_uploaded_and_kept(schedules, here, tmp_path):
    (tmp_path / "a.png").write_bytes(picture())
    path = str(tmp_path / "a.png")

    schedules("add", "neural_style", *NINE, "--content", path, "--style", path)

    (row,) = schedules.all()
    file_id = row.params["content"]
    assert file_id.startswith("art_")
    assert row.params["style"] == [file_id]
    with here.client(None) as client:
        assert client.file(file_id)["name"] == "a.png"


def test_as_json(schedules):
    made = json.loads(schedules("add", "echo", *NINE, "--json").stdout)
    assert json.loads(schedules("list", "--json").stdout) == [made]
    assert json.loads(schedules("show", made["id"], "--json").stdout) == made
    assert json.loads(schedules("run", made["id"], "--json").stdout)["schedule_id"] == made["id"]


def test_what_was_refused_is_said(schedules, here):
    schedule_id = schedules("add", "echo", *NINE).stdout.strip()
    refused = {"error_code": "invalid_params", "error_detail": "No [such].", "refusals": 10, "next_at": None}
    setting = update(Schedule).values(last_at=Schedule.created_at, paused_at=Schedule.created_at, **refused)
    here.store.database.write(lambda c: c.execute(setting))

    assert "invalid_params" in schedules("list").stdout
    shown = schedules("show", schedule_id).stdout
    assert "its job was refused too often" in shown
    assert "invalid_params: No [such]." in shown


def test_what_cannot_be_had_is_refused_in_a_sentence(schedules):
    assert "At most every 5 minutes" in schedules("add", "echo", "--cron", "* * * * *", code=1).stderr
    assert (
        "Did you mean Europe/Berlin"
        in schedules("add", "echo", "--cron", "0 9 * * *", "--zone", "Europe/Berln", code=1).stderr
    )
    assert "--cron" in schedules("add", "echo", code=2).stderr
    assert "--name" in schedules("change", "sch_1", code=2).stderr
    assert "no such schedule" in schedules("show", "sch_1", code=1).stderr


def test_the_help_of_an_engine_has_no_deadline(schedules):
    shown = schedules("add", "echo", "--help").stdout
    assert "--cron" in shown
    assert "--text" in shown
    assert "--start-by" not in shown
