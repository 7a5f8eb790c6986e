"""`atelier owners`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli.main import main


@pytest.fixture
def run(tmp_path):
    def run(*arguments: str):
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), *arguments])

    assert run("keys", "create", "ann").exit_code == 0
    return run


def listed(run):
    return json.loads(run("owners", "list", "--json").output)


def test_limits_are_set_and_given_back_to_the_default(run):
    assert run("owners", "set", "ann", "--max-running", "2", "--keep-days", "1.5").exit_code == 0
    assert run("owners", "set", "ann", "--max-queued", "0").exit_code == 0
    (ann,) = listed(run)
    assert (ann["name"], ann["max_running"], ann["max_queued"], ann["keep_days"]) == ("ann", 2, 0, 1.5)
    assert (ann["waiting"], ann["running"]) == (0, 0)

    said = run("owners", "set", "ann", "--max-running", "default", "--keep-days", "0").output
    says = "max running (none), max queued none, keep days none, max stored bytes (53687091200)"
    assert said == f"ann: {says}\n"
    assert [listed(run)[0][name] for name in ("max_running", "keep_days")] == [None, 0]


def test_the_table_has_defaults_in_brackets(run):
    run("owners", "set", "ann", "--max-running", "2")
    row = run("owners").output.splitlines()[1].split()
    assert row == ["ann", "0", "0", "2", "(20000)", "(none)", "(53687091200)"]


def test_more_owners_than_a_page(run, monkeypatch):
    monkeypatch.setattr("cli.commands.owners._PAGE", 2)
    for name in ("bob", "eve"):
        run("keys", "create", name)
    assert [one["name"] for one in listed(run)] == ["eve", "bob", "ann"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bob", "--max-queued", "1"), "no such owner"),
        (("ann",), "Say what to set"),
        (("ann", "--max-queued", "-1"), "--max-queued"),
        (("ann", "--keep-days", "soon"), "--keep-days"),
    ],
)
def test_what_cannot_be_set_is_a_sentence(run, arguments, says):
    result = run("owners", "set", *arguments)
    assert result.exit_code != 0
    assert says in result.output
