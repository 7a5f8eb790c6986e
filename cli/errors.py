"""What a command says when it cannot go on: one sentence, and what to do about it.

CommandError is a click.ClickException: printed as "Error: ...", exit code 1. What the client raises becomes
one in `explained`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from cli import treatment
from cli.options import flag
from client import ApiError, NoServer, NotAtelier, Refused
from client.errors import refused

#: The statuses of a request that is wrong in itself.
_WRONG = frozenset({400, 413, 415, 422})


class CommandError(click.ClickException):
    """The command cannot go on."""


@contextmanager
def explained(url: str) -> Iterator[None]:
    """What goes wrong with the server at this URL is raised as a CommandError."""
    try:
        yield
    except ApiError as error:
        raise CommandError(in_words(error, url)) from error


def in_words(error: ApiError, url: str) -> str:
    """What went wrong and what to do about it."""
    match error:
        case Refused():
            return sentence(error.status, error.problem)
        case NotAtelier():
            return sentence(error.status, {"detail": str(error)})
        case NoServer():
            return (
                f"no server answers at {url} ({error}).\n"
                "Start one with `atelier up`, or set ATELIER_URL to one that runs."
            )
        case _:
            return str(error)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """A file that cannot be written is a CommandError."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A file that cannot be read is a CommandError."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def of_file(error: Refused, field: str, path: str) -> Refused:
    """A refusal of an upload, said of the option whose file it was."""
    if error.status not in _WRONG:
        return error
    detail = f"{flag(field)} {path}: {_detail(error.status, error.problem)}"
    return refused(error.status, {**error.problem, "detail": detail, "errors": []})


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
