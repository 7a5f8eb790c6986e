"""Commands that need no server."""

from __future__ import annotations

import io
import json
import shlex
import signal
import stat
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from accounts.store import AccountStore
from cli import checks, embedded, settings, show, watchdog
from cli.commands import up
from cli.commands.run import targets_of, upload_files
from cli.main import main
from cli.supervise import rotate
from client import Client, Refused
from fleet.store import FleetStore
from jobs.database import Database
from jobs.store import JobStore, NewJob
from workers.settings import DRAIN_SECONDS

ECHO = {
    "name": "echo",
    "title": "Echo",
    "description": "",
    "files": {},
    "params_schema": {"properties": {"text": {"type": "string"}}},
}
JOB = {
    "id": "job_01a1fcbf5f2c77fab5e3d7a72c51e6aa",
    "engine": "neural_style",
    "state": "running",
    "progress": 1.0,
    "timings": {"run": 3599.0},
    "created_at": "2020-11-20T12:00:00Z",
}


@pytest.fixture
def run(tmp_path):
    def run(*arguments: str):
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), *arguments])

    return run


def test_a_key_lives_from_creation_to_revocation(run):
    made = json.loads(run("keys", "create", "ann", "--name", "laptop", "--json").output)
    listed = json.loads(run("keys", "list", "--json").output)

    assert made["key"].startswith("atl_")
    assert [(key["id"], key["user_name"], key["revoked"]) for key in listed] == [(made["id"], "ann", False)]
    assert made["key"] not in run("keys", "list").output

    assert run("keys", "revoke", made["id"]).exit_code == 0
    assert json.loads(run("keys", "list", "--json").output)[0]["revoked"]
    again = run("keys", "revoke", made["id"])
    assert again.exit_code == 1
    assert "no such key" in again.output


@pytest.mark.parametrize("user", ["", "  ", "a\x1b[2J", "x" * 101])
def test_a_user_needs_a_name_as_in_the_api(run, user):
    result = run("keys", "create", user)

    assert result.exit_code == 2
    assert "USER" in result.output


def test_an_admin_key_is_described_as_what_it_is(run):
    text = " ".join(run("keys", "create", "--help").output.split())

    assert "read, list, cancel and delete everybody's jobs and files, and make and revoke keys" in text


def test_keys_before_there_is_a_database(run):
    assert "atelier migrate" in run("keys", "list").output
    assert run("migrate").exit_code == 0
    assert run("keys", "list").exit_code == 0


def test_migrating_there_and_back(run):
    assert "empty ->" in run("migrate").output
    assert "->" not in run("migrate").output
    assert "-> empty" in run("migrate", "--revision", "base").output


def test_without_a_server_it_says_how_to_start_one(run, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    for command in (("jobs",), ("engines",), ("run", "echo")):
        result = run(*command)
        assert result.exit_code == 1
        assert "atelier up" in result.output
    assert run("run", "--help").exit_code == 0


def test_every_command_explains_itself(run):
    for name in main.commands:
        if name != "run":
            result = run(name, "--help")
            assert result.exit_code == 0, result.output
            assert "Usage:" in result.output


def test_the_doctor_fails_for_a_store_that_cannot_be_written(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/file")
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    result = run("doctor", "--json")

    found = {one["check"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert found["storage"]["level"] == "FAIL"
    assert found["storage"]["mend"]
    assert found["python"]["level"] == "OK"


def test_the_doctor_blames_no_local_log_for_a_server_elsewhere(run, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    settings.write_running(tmp_path / "data", settings.Running("http://127.0.0.1:10", 1))
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    result = run("doctor", "--json")

    server = next(one for one in json.loads(result.stdout) if one["check"] == "server")
    assert server["level"] == "FAIL"
    assert "ATELIER_URL" in server["mend"]
    assert "logs" not in server["mend"]


@pytest.fixture
def place(sqlite_database, tmp_path, monkeypatch) -> checks.Place:
    """A migrated database that `atelier up` seems to serve."""
    monkeypatch.setenv("DATABASE_URL", str(sqlite_database.url))
    folder = tmp_path / "data"
    return checks.Place(folder, settings.environment(folder), settings.Running("http://127.0.0.1:9", 1))


def waiting_job(database: Database, queue: str) -> None:
    owner = AccountStore(database).create_key("ann")[1].user_id
    JobStore(database).submit(NewJob(owner_id=owner, engine="echo", queue=queue, params={}, seed=1))


def living_worker(database: Database, queue: str) -> None:
    FleetStore(database).report(
        f"w-{queue}",
        hostname="here",
        pid=1,
        queues=[queue],
        engines=["echo"],
        weights=[],
        device="cpu",
    )


@pytest.mark.parametrize(
    ("waits", "lives", "running", "level", "words"),
    [
        ("gpu", [], True, "FAIL", "queue gpu"),
        ("gpu", ["cpu"], True, "FAIL", "queue gpu"),
        ("gpu", ["cpu", "gpu"], True, "OK", "2 alive"),
        (None, ["gpu"], True, "OK", "1 alive"),
        (None, [], True, "WARN", "none is alive"),
        (None, [], False, "OK", "none"),
    ],
)
def test_the_doctor_counts_the_workers(place, sqlite_database, waits, lives, running, level, words):
    if waits:
        waiting_job(sqlite_database, waits)
    for queue in lives:
        living_worker(sqlite_database, queue)

    found = checks.workers(place if running else replace(place, running=None))

    assert found.level == level
    assert words in found.text
    assert level == "OK" or "atelier up" in found.mend


def test_the_doctor_asks_no_workers_where_there_is_no_database(tmp_path):
    environment = settings.environment(tmp_path / "data")

    assert checks.workers(checks.Place(tmp_path / "data", environment, None)).level == "OK"
    assert not (tmp_path / "data" / "atelier.db").exists()


def test_weights_are_listed_and_located(run, tmp_path):
    assert "vgg19" in run("weights", "list").output
    assert run("weights", "path").output.strip() == str(tmp_path / "data" / "weights")
    assert run("weights", "verify", "vgg19").exit_code == 1
    assert "unknown weights" in run("weights", "path", "nothing").output


def test_a_private_file_is_private_from_its_first_moment(tmp_path):
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)

    settings.write_private(path, "new")

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_environment_completes_what_the_user_set(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/atelier")

    made = settings.environment(tmp_path)

    assert made["DATABASE_URL"] == "postgresql://db/atelier"
    assert made["STORAGE_URL"] == f"file://{tmp_path}/objects"


@pytest.mark.parametrize(
    ("arguments", "environment", "word"),
    [
        (("run", "echo", "-o", "{tmp}/file"), {}, "--output"),
        (("run", "echo", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("jobs", "job_1", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("retry", "job_1", "-o", "{tmp}/file/a.txt"), {}, "--output"),
        (("up",), {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}, "127.0.0.1:9"),
        (("up",), {"DATABASE_URL": "foo"}, "DATABASE_URL"),
        (("up",), {"DATABASE_URL": "nosuch://a/b"}, "DATABASE_URL"),
        (("up", "--data-dir", "{tmp}/file/x"), {}, "data folder"),
        (("up", "--data-dir", "{tmp}/file"), {}, "--data-dir"),
        (("up", "--port", "0", "--host", "203.0.113.1"), {}, "203.0.113.1"),
        (("keys", "list"), {"DATABASE_URL": "foo"}, "DATABASE_URL"),
        (("keys", "list"), {"DATABASE_URL": "sqlite:////proc/none/a.db"}, "folder"),
        (("migrate", "--revision", "nope"), {}, "nope"),
        (("jobs",), {"ATELIER_URL": "http://[::1"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_URL": "localhost:8080"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_URL": "http://localhost:port"}, "ATELIER_URL"),
        (("jobs",), {"ATELIER_KEY": "schlüssel"}, "ATELIER_KEY"),
        (("jobs",), {"ATELIER_KEY": "atl_a\nb"}, "ATELIER_KEY"),
    ],
)
def test_an_ordinary_mistake_is_a_sentence(run, monkeypatch, tmp_path, arguments, environment, word):
    (tmp_path / "file").write_text("in the way")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Client, "engine", lambda *_: ECHO)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    result = run(*(argument.format(tmp=tmp_path) for argument in arguments))

    for number, handler in handlers.items():  # `up` takes them
        signal.signal(number, handler)
    assert result.exit_code in (1, 2), result.output
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.output
    assert word in result.output
    assert "Traceback" not in result.output


def test_a_wrong_target_is_found_before_anything_is_asked_for(run, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(Client, "engine", lambda *_: ECHO)
    monkeypatch.setattr(Client, "submit", lambda *_, **__: asked.append(1))
    (tmp_path / "file").write_text("in the way")

    assert run("run", "echo", "-o", str(tmp_path / "file" / "a.txt")).exit_code == 1
    assert asked == []


def test_an_unknown_engine_is_answered_with_all_there_are(run, monkeypatch):
    def engine(_client, _name):
        raise Refused(404, {"code": "engine_not_found"})

    def engines(_client, *, hidden=False):
        return [{"name": "neural_style"}, *([{"name": "echo"}] if hidden else [])]

    monkeypatch.setattr(Client, "engine", engine)
    monkeypatch.setattr(Client, "engines", engines)

    output = run("run", "ecko").output

    assert "neural_style, echo" in output
    assert "Did you mean echo?" in output


def test_the_engine_that_up_says_to_run_is_listed(run, monkeypatch):
    def engines(_client, *, hidden=False):
        assert hidden
        return [{"name": "echo", "queue": "cpu", "title": "Echo (diagnostic)"}]

    monkeypatch.setattr(Client, "engines", engines)
    monkeypatch.setattr(Client, "engine", lambda *_: ECHO)

    assert "diagnostic" in run("engines").output
    assert "echo" in run("run", "--help").output


def test_the_hints_of_up_can_be_pasted(tmp_path, capsys):
    folder = tmp_path / "a b's"
    folder.mkdir()
    (folder / "key").write_text("atl_x\n")

    up._announce(folder, "http://127.0.0.1:1")
    hints = capsys.readouterr().out

    curl = next(line for line in hints.splitlines() if "curl" in line)
    shown = subprocess.run(
        ["bash", "-c", curl.replace("curl", "printf '%s\n'")], capture_output=True, text=True, check=True
    )
    assert "Authorization: Bearer atl_x" in shown.stdout.splitlines()
    command = shlex.split(next(line for line in hints.splitlines() if "run echo" in line))
    assert command[1:] == ["--data-dir", str(folder), "run", "echo", "--text", "hello"]


def test_the_usual_folder_needs_no_option():
    assert up.program(settings.data_dir()).split()[1:] == []


def test_tables_fit_eighty_columns(monkeypatch, run):
    made = io.StringIO()
    monkeypatch.setattr(show, "results", lambda: Console(file=made, width=80))
    monkeypatch.setattr(Client, "jobs_page", lambda *_, **__: {"jobs": [JOB, {**JOB, "state": "succeeded"}]})
    key = json.loads(run("keys", "create", "local", "--name", "atelier up", "--admin", "--json").output)

    assert run("jobs").exit_code == 0
    assert run("keys", "list").exit_code == 0

    lines = [line.split() for line in made.getvalue().splitlines()]
    assert lines[1][:4] == [JOB["id"], "neural_style", "running", "100%"]
    assert lines[2][-2:] == ["59m59s", "2020"]
    assert lines[4] == [key["id"], "local", "atelier", "up", key["key"][:12], "admin"]
    assert len(lines) == 5


def test_a_pipe_gets_a_line_for_each_row(run):
    run("keys", "create", "a user with a long name" * 4, "--name", "and something to say about it" * 3)

    assert len(run("keys", "list").output.splitlines()) == 2


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.04, "0.0s"), (99.6, "100s"), (200, "3m20s"), (7500, "2h05m")]
)
def test_durations_in_a_column(value, shown):
    assert show.short_seconds(value) == shown


def test_a_moment_is_short():
    now = datetime.now().astimezone()

    assert show.moment(now.isoformat()) == f"{now:%H:%M}"
    assert show.moment("2020-11-20T12:00:00Z") == "2020"


def test_a_worker_may_give_its_job_back_before_it_is_killed():
    assert embedded.WORKER_GRACE > DRAIN_SECONDS
    assert watchdog.GRACE_SECONDS > DRAIN_SECONDS
    assert embedded.CLEANUP_SECONDS > watchdog.GRACE_SECONDS


@pytest.mark.parametrize(
    ("output", "names", "expected"),
    [
        ("out", ["a.png"], ["out/job_1-a.png"]),
        ("out/me.png", ["a.png"], ["out/me.png"]),
        ("out/me.png", ["a.png", "b.gif"], ["out/me-1.png", "out/me-2.gif"]),
        ("out", ["../../etc/passwd"], ["out/job_1-passwd"]),
    ],
)
def test_where_results_go(output, names, expected):
    job = {"id": "job_1", "artifacts": [{"name": name} for name in names]}

    assert targets_of(job, Path(output)) == [Path(path) for path in expected]


def test_local_files_are_uploaded_once_and_references_left_alone():
    uploaded = []

    class Server:
        def upload(self, path):
            uploaded.append(str(path))
            return {"id": f"art_{len(uploaded)}"}

    view = {
        "files": {"photo": {"multiple": False}, "styles": {"multiple": True}, "mask": {"multiple": False}}
    }
    params = {"photo": "a.png", "styles": ["a.png", "https://example.org/b.png", "c.png"], "seed": 1}

    sent = upload_files(Server(), view, params)

    assert sent == {"photo": "art_1", "styles": ["art_1", "https://example.org/b.png", "art_2"], "seed": 1}
    assert uploaded == ["a.png", "c.png"]


def test_logs_of_earlier_starts_are_kept(tmp_path):
    log = tmp_path / "api.log"
    for number in range(7):
        log.write_text(str(number))
        rotate(log)

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"api.log.1": "6", "api.log.2": "5", "api.log.3": "4", "api.log.4": "3"}
