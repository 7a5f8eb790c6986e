"""`atelier engines`."""

from __future__ import annotations

import json

import pytest

from engines import weights

pytestmark = pytest.mark.usefixtures("here")


def test_all_are_listed_the_diagnostic_one_that_up_says_to_run_among_them(run):
    listed = run("engines")
    assert listed.exit_code == 0, listed.output
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()[1:]}
    assert {"echo", "planets", "stylegan"} <= rows.keys()
    assert rows["echo"].split()[1] == "cpu"
    assert "diagnostic" in rows["echo"]
    assert "echo" in run("run", "--help").output


def test_one_is_shown_with_its_parameters_as_its_command_takes_them(run):
    shown = run("engines", "planets").stdout
    assert shown.startswith("Usage: atelier run planets")
    assert "--variation" in shown
    assert "\nMakes image/png" in shown
    assert "waits in queue" in shown


@pytest.mark.parametrize(
    ("there", "says"),
    [(False, "not installed: `atelier weights pull vgg19`."), (True, "installed.")],
    ids=["missing", "there"],
)
def test_weights_are_said_and_the_way_to_those_that_are_missing(run, monkeypatch, tmp_path, there, says):
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
    if there:
        weights.path("vgg19").write_bytes(b"")
    assert f"Weights vgg19: {says}" in run("engines", "neural_style").stdout.splitlines()


def test_programs_get_what_the_api_says(run):
    listed = json.loads(run("engines", "--json").stdout)
    assert "echo" in [one["name"] for one in listed]
    assert json.loads(run("engines", "echo", "--json").stdout)["params_schema"]["properties"]["text"]


def test_one_that_there_is_not_is_a_sentence(run):
    done = run("engines", "ecko")
    assert done.exit_code == 1
    assert "no such engine" in done.stderr
