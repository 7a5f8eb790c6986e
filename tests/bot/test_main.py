"""`python -m bot`: how much it logs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

#: Logging belongs to a process, and pytest has its own in this one.
LEVELS = """
import logging
from bot import __main__ as command

def levels(_settings):
    for name in ("bot.app", "httpx", "httpcore.http11", "telegram.ext.ExtBot"):
        print(logging.getLevelName(logging.getLogger(name).getEffectiveLevel()))

command.run = levels
raise SystemExit(command.main())
"""


def ran(level: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LEVELS],
        env=os.environ | {"ATELIER_LOG_LEVEL": level, "ATELIER_TELEGRAM_TOKEN": "1:a"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [("debug", "DEBUG", "WARNING"), ("", "INFO", "WARNING"), ("Error", "ERROR", "ERROR")],
)
def test_the_environment_says_how_much_and_it_is_never_the_token(level, ours, theirs):
    done = ran(level)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [ours, theirs, theirs, theirs]


def test_an_unknown_level_is_refused():
    done = ran("loud")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "log_level: Input should be 'debug', 'info', 'warning' or 'error'" in done.stderr
