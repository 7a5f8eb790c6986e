"""The `atelier` command."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import click

from cli.commands import (
    again,
    doctor,
    engines,
    jobs,
    keys,
    networks,
    order,
    owners,
    parts,
    processes,
    run,
    schedules,
    storage,
    telegram,
    up,
    usage,
    webhooks,
    weights,
    workers,
)
from cli.settings import DEFAULT_DATA_DIR

EPILOG = """\b
Start here:      atelier up
Make a picture:  atelier run neural_style --content me.jpg --style monet.jpg
Something odd?   atelier doctor

\b
Tab completion:  eval "$(_ATELIER_COMPLETE=bash_source atelier)"   (zsh_source, fish_source)"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("atelier"), prog_name="atelier")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where the embedded system keeps everything. [default: ATELIER_DATA_DIR, else {DEFAULT_DATA_DIR}]",
)
def main(data_dir: Path | None) -> None:
    """A self-hosted studio for generative-art jobs.

    Commands talk to the server at ATELIER_URL with the key in ATELIER_KEY; with neither set, to the one
    `atelier up` started on this machine.
    """


for _command in (
    up.up,
    run.run,
    engines.engines,
    jobs.jobs,
    parts.parts,
    jobs.cancel,
    jobs.retry,
    again.again,
    order.hold,
    order.release,
    order.move,
    jobs.delete,
    schedules.schedules,
    usage.usage,
    keys.keys,
    owners.owners,
    storage.storage,
    webhooks.webhooks,
    networks.networks,
    weights.weights,
    workers.workers,
    processes.migrate,
    processes.api,
    processes.worker,
    processes.sweep,
    processes.dispatch,
    processes.bot,
    telegram.telegram,
    doctor.doctor,
):
    main.add_command(_command)
