"""`atelier run`: what is looked at before anything is submitted, and where results go."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands.run import finish, targets_of, upload_files
from cli.errors import CommandError
from client import Client, Refused

ECHO = {
    "name": "echo",
    "title": "Echo",
    "description": "",
    "files": {},
    "params_schema": {"properties": {"text": {"type": "string"}}},
}


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


def test_a_chain_that_failed_names_its_part_and_how_it_goes_on(capsys):
    stage = {"name": "kinds", "state": "failed", "jobs": 4, "seconds": 3.0}
    error = {"code": "part_failed", "detail": "kinds-002: timeout: Too long."}
    job = {"id": "job_1", "state": "failed", "seed": 7, "stages": [stage], "error": error}

    with pytest.raises(CommandError) as caught:
        finish(None, job | {"timings": {"queued": 1.0, "run": None}}, Path("out"), False)

    assert caught.value.message.startswith(
        "its part kinds-002 did not succeed: timeout: Too long. (part_failed)"
    )
    assert "`atelier retry job_1` goes on" in caught.value.message
    assert "failed: its 4 parts ran 3.0 s" in capsys.readouterr().err
