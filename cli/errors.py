"""What a command says when it cannot go on: one sentence, and what to do about it.

CommandError        (a click.ClickException: printed as "Error: ...", exit code 1)
├── NoServer        nobody answers at the URL
└── Refused         the server answered with a problem document; `code` and `status` are the server's
"""

from __future__ import annotations

from typing import Any

import click


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
        super().__init__(sentence(status, problem))


def sentence(status: int, problem: dict[str, Any]) -> str:
    """A problem document as people read it: its detail, then one line for each field it points at."""
    text = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
    for error in problem.get("errors") or []:
        text += f"\n  --{str(error.get('field', '?')).replace('_', '-')}: {error.get('message', '')}"
    if status == 401:
        text += "\nSet ATELIER_KEY, or make a key with `atelier keys create`."
    if reference := problem.get("instance"):
        text += f"\n(request {reference})"
    return text
