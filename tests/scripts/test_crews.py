"""The two crews: together they are the whole suite, and what they say last is what pytest would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import crews

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("....\n5 passed in 1.20s\n", "5 passed in 1.20s"),
        (
            "= 1 failed, 4 passed, 2 errors in 61.00s (0:01:01) =\n",
            "1 failed, 4 passed, 2 errors in 61.00s (0:01:01)",
        ),
        ("1 passed in 1.0s\nmore\n2 passed in 2.0s\n", "2 passed in 2.0s"),
        ("INTERNALERROR> it broke\n", "no summary"),
    ],
)
def test_the_last_summary_is_found(said, found):
    assert crews.summary(said) == found


def test_summaries_are_added_up():
    both = [
        "1 failed, 4 passed, 1 error in 2.00s",
        "7 passed, 2 skipped, 2 errors in 61.00s (0:01:01)",
        "no summary",
    ]
    assert crews.joined(both, 70.0) == "1 failed, 11 passed, 3 error, 2 skipped in 70.00s"


def test_each_file_is_in_one_crew_and_those_that_wait_wait():
    def files(*arguments: str) -> set[str]:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "tests/cli", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        return {line.partition("::")[0] for line in ran.stdout.splitlines() if "::" in line}

    waits, works = files("--crew", "waits"), files("--crew", "works")
    assert "tests/cli/test_up.py" in waits
    assert waits & works == set()
    assert waits | works == files()


def test_one_crew_that_fails_fails_both(monkeypatch, capsys):
    class Scripted:
        def __init__(self, name, _arguments, *, aloud):
            self.name, self.said = name, f"FAILED {name}\n1 failed in 1.00s" if aloud else "3 passed in 1.00s"

        def ended(self):
            return 1 if self.name == "works" else 0

    monkeypatch.setattr(crews, "Crew", Scripted)
    assert crews.main([]) == 1
    last = capsys.readouterr().out.splitlines()[-4:]
    assert last[0:3] == ["waits: 3 passed in 1.00s", "FAILED works", "works: 1 failed in 1.00s"]
    assert last[3].startswith("3 passed, 1 failed in ")
