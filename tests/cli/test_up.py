"""`atelier up` and the commands against it: real processes, a real Redis, a real job."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.api.helpers import picture
from tests.cli.conftest import ATELIER, clean_environment, end_system, gone, start_system, wait_until

pytestmark = pytest.mark.waits


def listening(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_it_becomes_ready_and_says_where(system):
    state = json.loads((system.folder / "server.json").read_text())

    assert state["pid"] == system.process.pid
    assert state["url"] in system.said()
    assert str(system.folder / "key") in system.said()
    assert httpx.get(f"{state['url']}/readyz").status_code == 200


def test_nothing_in_the_data_folder_is_others_to_read(system, atelier, tmp_path):
    assert atelier("run", "echo", "--text", "x", "-o", str(tmp_path)).returncode == 0
    url, key = (
        json.loads((system.folder / "server.json").read_text())["url"],
        (system.folder / "key").read_text(),
    )
    head = {"Authorization": f"Bearer {key.strip()}"}
    assert (
        httpx.post(f"{url}/v1/files", files={"file": ("x.png", picture())}, headers=head).status_code == 201
    )
    made = {path for path in system.folder.rglob("*") if not path.is_socket()}
    assert {"atelier.db", "logs", "objects"} <= {path.name for path in made}
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_secrets_are_readable_by_their_owner_only(system):
    for name in ("key", "server.json", "redis/redis.conf"):
        assert stat.S_IMODE((system.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(system.folder.stat().st_mode) == 0o700


def test_no_secret_is_in_the_arguments_of_a_process(system):
    secret = urlsplit(json.loads((system.folder / "server.json").read_text())["redis_url"]).password

    shown = " ".join(" ".join(process.cmdline()) for process in system.tree())

    assert secret not in shown
    assert (system.folder / "key").read_text().strip() not in shown


def test_a_second_start_says_where_the_first_runs(system):
    again = subprocess.run(
        (*ATELIER, "up", "--data-dir", str(system.folder)),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert again.returncode == 0, again.stderr
    assert json.loads((system.folder / "server.json").read_text())["url"] in again.stdout
    assert system.process.poll() is None


def test_a_job_runs_from_submission_to_its_file(command, tmp_path):
    done = command("run", "echo", "--text", "from the command line", "--seconds", "0.5", "-o", str(tmp_path))

    assert done.returncode == 0, done.stderr
    (written,) = tmp_path.iterdir()
    assert done.stdout.strip() == str(written)
    assert written.read_text() == "from the command line\n"
    assert "succeeded" in done.stderr
    assert "seed" in done.stderr


def test_the_result_can_be_named_and_described_as_json(atelier, tmp_path):
    target = tmp_path / "mine.txt"

    done = atelier("run", "echo", "--text", "x", "--json", "-o", str(target))

    job = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    assert job["files"] == [str(target)]
    assert target.read_text() == "x\n"


def test_options_are_the_engines_own(atelier, command):
    shown = atelier("run", "echo", "--help")
    wrong = command("run", "echo", "--seconds", "-1")

    assert "How long to pretend to work" in shown.stdout
    assert "default: hello" in shown.stdout
    assert wrong.returncode == 2
    assert "--seconds" in wrong.stderr


def test_a_detached_job_can_be_watched_canceled_retried_and_deleted(atelier, tmp_path):
    job = atelier("run", "echo", "--seconds", "60", "--detach").stdout.strip()
    assert job.startswith("job_")
    assert job in atelier("jobs").stdout

    canceled = atelier("cancel", job)
    watched = atelier("jobs", job, "--watch")
    again = atelier("run", "echo", "--text", "twice", "--json", "-o", str(tmp_path / "a.txt"))
    done = json.loads(again.stdout)["id"]
    refused = atelier("retry", done)
    repeated = atelier("again", done, "--set", "text=thrice", "-o", str(tmp_path / "b.txt"))
    deleted = atelier("delete", job)

    assert canceled.returncode == 0, canceled.stderr
    assert "canceled" in watched.stdout
    assert "atelier again" in atelier("retry", "--help").stdout
    assert "succeeded" in refused.stderr
    assert repeated.returncode == 0, repeated.stderr
    assert (tmp_path / "b.txt").read_text() == "thrice\n"
    assert deleted.returncode == 0, deleted.stderr
    assert atelier("jobs", job).returncode == 1


def test_waiting_jobs_are_held_released_moved_and_looked_at(atelier, tmp_path):
    ahead = atelier("run", "echo", "--seconds", "60", "--detach").stdout.strip()
    first, second = (atelier("run", "echo", "--detach").stdout.strip() for _ in range(2))
    held = atelier("run", "echo", "--hold", "--priority", "high").stdout.strip()
    try:
        assert "on hold until you release it" in atelier("jobs", held).stdout
        assert "high priority" in atelier("jobs", held).stdout
        assert "on hold" in atelier("jobs").stdout
        assert "position 1" in atelier("move", second, "--before", first).stdout
        assert "position 2" in atelier("move", second, "--end").stdout
        assert "on hold" in atelier("hold", first, second).stdout
        assert "position 1" in atelier("release", held).stdout
        assert "position 2" in atelier("run", "echo", "--dry-run").stdout
        for wrong in (("move", second), ("move", second, "--front", "--end"), ("hold",)):
            assert atelier(*wrong).returncode == 2
        assert "queued" in atelier("hold", ahead).stderr
    finally:
        for job in (ahead, first, second):
            atelier("cancel", job)
    done = atelier("jobs", held, "--watch", "-o", str(tmp_path / "a.txt"))
    assert done.returncode == 0, done.stderr
    assert "cpu" in atelier("usage").stdout


def test_what_was_canceled_is_retried_as_it_was(atelier):
    job = atelier("run", "echo", "--hold", "--priority", "low", "--timeout", "50").stdout.strip()
    atelier("cancel", job)

    again = atelier("retry", job, "--json", "--detach")

    new = json.loads(again.stdout)
    assert (new["priority"], new["timeout"]) == ("low", 50)
    assert new["id"] != job


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cancels_its_job(system, atelier, number):
    process = subprocess.Popen(
        (*ATELIER, "--data-dir", str(system.folder), "run", "echo", "--seconds", "60"),
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stderr.readline()
    job = first.split()[-1]
    wait_until(lambda: "running" in atelier("jobs", job).stdout)

    process.send_signal(number)
    _out, err = process.communicate(timeout=30)

    assert process.returncode == 130, err
    assert "canceled" in err


def test_what_dies_is_started_again(system, atelier):
    url = json.loads((system.folder / "server.json").read_text())["url"]

    def masters() -> list[psutil.Process]:
        found = psutil.Process(system.process.pid).children()
        return [p for p in found if not gone(p) and "gunicorn" in " ".join(p.cmdline())]

    (master,) = masters()

    master.kill()
    wait_until(lambda: [p.pid for p in masters()] not in ([], [master.pid]))

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(ready)
    assert atelier("run", "echo", "--detach").returncode == 0


def test_own_keys_are_listed_and_revoked_over_the_server(atelier):
    made = json.loads(atelier("keys", "create", "local", "--name", "a lost laptop", "--json").stdout)
    own = {key["id"]: key for key in json.loads(atelier("keys", "mine", "--json").stdout)}
    assert own[made["id"]]["name"] == "a lost laptop"
    assert "a lost laptop" in atelier("keys", "mine").stdout

    assert atelier("keys", "revoke", "--mine", made["id"]).returncode == 0

    own = {key["id"]: key for key in json.loads(atelier("keys", "mine", "--json").stdout)}
    assert own[made["id"]]["revoked_at"]
    assert atelier("keys", "revoke", "--mine", made["id"]).returncode != 0


def test_the_doctor_finds_it_well(command):
    found = command("doctor")

    assert found.returncode == 0, found.stdout
    assert "ready at" in found.stdout
    assert "FAIL" not in found.stdout


def test_ctrl_c_stops_everything_it_started(tmp_path):
    system = start_system(tmp_path / "data", tmp_path / "up.log", "--port", "0")
    try:
        system.wait_ready()
        state = json.loads((system.folder / "server.json").read_text())
        tree = system.tree()

        system.process.send_signal(signal.SIGINT)
        began = time.monotonic()
        code = system.process.wait(30)

        assert code == 0, system.said()
        assert time.monotonic() - began < 21
        assert [process for process in tree if not gone(process)] == []
        assert not listening(state["url"])
        assert not listening(state["redis_url"])
        assert not (system.folder / "server.json").exists()
    finally:
        end_system(system)


def test_a_killed_supervisor_leaves_no_orphan_and_can_be_followed(tmp_path):
    system = start_system(tmp_path / "data", tmp_path / "up.log")
    follower = None
    try:
        system.wait_ready()
        key = (system.folder / "key").read_text()
        tree = system.tree()

        os.kill(system.process.pid, signal.SIGKILL)
        system.process.wait()
        follower = start_system(system.folder, tmp_path / "again.log")  # at once: it waits for the remains

        wait_until(lambda: all(gone(process) for process in tree))
        wait_until(lambda: "is ready at" in follower.said() or follower.process.poll() is not None)
        assert follower.process.poll() is None, follower.said()
        assert (system.folder / "key").read_text() == key
        assert (system.folder / "logs" / "api.log.1").exists()
    finally:
        end_system(system)
        if follower:
            end_system(follower)


def test_a_taken_port_is_a_clear_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = (*ATELIER, "up", "--data-dir", str(tmp_path / "data"), "--port", str(port))
        tried = subprocess.run(
            command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
        )

    assert tried.returncode == 1
    assert f"port {port}" in tried.stderr
    assert "--port 0" in tried.stderr
