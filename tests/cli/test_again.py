"""`atelier again`: what reaches the server."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from cli.main import main
from client import Client

VIEW = {
    "name": "paint",
    "files": {"photo": {"multiple": False}, "styles": {"multiple": True}},
    "params_schema": {
        "properties": {
            "text": {"type": "string"},
            "size": {"type": "integer", "maximum": 100},
            "long_name": {"type": "boolean"},
            "photo": {"type": "string", "x-artifact": {}},
            "styles": {"type": "array", "items": {"type": "string", "x-artifact": {}}},
        }
    },
}


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(Client, "job", lambda *_: {"id": "job_1", "engine": "paint"})
    monkeypatch.setattr(Client, "engine", lambda *_: VIEW)
    monkeypatch.setattr(Client, "upload", lambda _, path: {"id": f"art_{path.name}"})
    monkeypatch.setattr(Client, "again", lambda _, *given: found.append(given) or {"id": "job_2"})
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    def run(*arguments: str):
        return CliRunner().invoke(
            main, ["--data-dir", str(tmp_path / "data"), "again", "job_1", "--detach", *arguments]
        )

    return run


def test_without_anything_it_is_the_same_once_more(run, sent):
    assert run().output.strip() == "job_2"
    assert sent == [("job_1", {})]


def test_values_are_read_as_the_engine_s_options_would_read_them(run, sent, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"png")

    result = run(
        *("--set", "text=5", "--set", "size=7", "--set", "long-name=yes", "--unset", "photo"),
        *("--set", f"styles={tmp_path}/a.png", "--set", "styles=https://example.org/b.png"),
    )

    assert result.exit_code == 0, result.output
    params = {"text": "5", "size": 7, "long_name": True, "photo": None}
    assert sent == [("job_1", {"params": {**params, "styles": ["art_a.png", "https://example.org/b.png"]}})]


def test_seeds_and_treatment(run, sent):
    run("--seed", "7", "--priority", "high")
    run("--new-seed")
    assert sent == [("job_1", {"priority": "high", "seed": 7}), ("job_1", {"seed": None})]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--set", "nonsense=1"), "text, size"),
        (("--set", "size=1000"), "size"),
        (("--set", "size"), "name=value"),
        (("--set", "photo=/no/such.png"), "photo"),
        (("--seed", "-1"), "--seed"),
        (("--seed", "1", "--new-seed"), "--new-seed"),
    ],
)
def test_what_makes_no_sense_is_refused_here(run, sent, arguments, word):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert word in result.output
    assert sent == []
