"""A command over several ids: one that is refused stops none of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from cli.errors import CommandError, sentence
from client import Refused

#: What is wrong with one of them only: it is not there, or not in a state for this.
_OF_ONE = frozenset({404, 409})


def for_each(names: Sequence[str], act: Callable[[str], None]) -> None:
    """Do it with each in turn. Raises CommandError at the end if any was refused, each named when it was."""
    refused = 0
    for name in names:
        try:
            act(name)
        except (CommandError, Refused) as error:
            if len(names) == 1 or (isinstance(error, Refused) and error.status not in _OF_ONE):
                raise
            refused += 1
            said = sentence(error.status, error.problem) if isinstance(error, Refused) else error.message
            click.echo(f"{name}: {said}", err=True)
    if refused:
        raise CommandError(f"{refused} of {len(names)} refused")
