"""Commands that need no server."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import settings
from cli.commands.run import targets_of, upload_files
from cli.main import main
from cli.supervise import rotate


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
    assert found["server"]["level"] == "WARN"
    assert found["python"]["level"] == "OK"


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
            return f"art_{len(uploaded)}"

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
