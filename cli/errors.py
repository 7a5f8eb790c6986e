"""What a command says when it cannot go on: one sentence, and what to do about it.

CommandError        (a click.ClickException: printed as "Error: ...", exit code 1)
├── NoServer        nobody answers at the URL
└── Refused         the server answered with a problem document; `code` and `status` are the server's
"""

from __future__ import annotations

from typing import Any

import click

from cli import treatment
from cli.options import flag

#: The statuses of a request that is wrong in itself.
_WRONG = frozenset({400, 413, 415, 422})


class CommandError(click.ClickException):
    """The command cannot go on."""


class NoServer(CommandError):
    """Nobody answers at the URL."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no server answers at {url} ({reason}).\n"
            "Start one with `atelier up`, or set ATELIER_URL to one that runs."
        )


class Refused(CommandError):
    """The server said no."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "error"))
        self.problem = problem
        super().__init__(sentence(status, problem))

    def of_file(self, field: str, path: str) -> Refused:
        """The same, said of the option whose file was refused."""
        if self.status not in _WRONG:
            return self
        detail = f"{flag(field)} {path}: {_detail(self.status, self.problem)}"
        return Refused(self.status, {**self.problem, "detail": detail, "errors": []})


def sentence(status: int, problem: dict[str, Any]) -> str:
    """A problem document as people read it: its detail, then one line for each field it points at."""
    text = _detail(status, problem)
    errors = problem.get("errors") or []
    found = [_line(error) for error in errors]
    said_twice = len(found) == 1 and text.endswith(str(errors[0].get("message", "")))
    text = found[0] if said_twice else "\n  ".join([text, *found])
    if status == 401:
        text += "\nSet ATELIER_KEY, or make a key with `atelier keys create`."
    if reference := problem.get("instance"):
        text += f"\n(request {reference})"
    return text


def _detail(status: int, problem: dict[str, Any]) -> str:
    text = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    return text.replace("; `errors` says which and why", "")  # here they follow


def _line(error: dict[str, Any]) -> str:
    """`--style: what is wrong`, or `--style (2): ...` of one of several; without a field the message."""
    field, _, within = str(error.get("field", "")).partition(".")
    message = str(error.get("message", ""))
    if not field:
        return message
    own = field.replace("_", "-")
    option = f"--{own}" if own in treatment.NAMES else flag(field)
    # People count from one.
    which = str(int(within) + 1) if within.isdecimal() else within
    return f"{option} ({which}): {message}" if which else f"{option}: {message}"
