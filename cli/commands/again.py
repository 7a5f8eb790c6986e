"""`atelier again JOB`: a job that has ended, once more; the same, or with something changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from cli import context, options, treatment
from cli.commands.run import check_output, finish, follow_or_stop, say_what_would_be, upload_files
from client import Client, Json


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--seed", type=click.IntRange(0, 2**63, max_open=True), help="Another seed.")
@click.option("--new-seed", is_flag=True, help="Draw another seed.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    type=treatment.PairType(),
    help="Change a parameter (see `atelier run ENGINE --help`); repeat for several, and for several values.",
)
@click.option("--unset", multiple=True, metavar="NAME", help="Back to the engine's default; may be repeated.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("out"),
    show_default=True,
    help="A folder for the results, or the file's name; a .zip takes them all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the new job as JSON.")
@click.option("--detach", is_flag=True, help="Submit, print the new job's id, do not wait.")
@click.option(
    "--dry-run",
    "dry",
    is_flag=True,
    help="Make nothing: say what it would take. A file of --set is uploaded.",
)
@click.pass_context
def again(
    ctx: click.Context,
    /,
    job_id: str,
    seed: int | None,
    new_seed: bool,
    changes: tuple[tuple[str, str], ...],
    unset: tuple[str, ...],
    output: Path,
    as_json: bool,
    detach: bool,
    dry: bool,
    **treated: Any,
) -> None:
    """Make a finished job once more, as a new job, with what you change.

    It may have succeeded, failed or been canceled. Everything else is as it was: parameters, seed, files,
    priority, timeout, webhook and labels. (`atelier retry` tries a failed or canceled one again, unchanged.)
    """
    if seed is not None and new_seed:
        raise click.UsageError("Give either --seed or --new-seed.")
    wanted = treatment.take(treated)
    detach = detach or "hold" in wanted
    if not (detach or dry):
        check_output(output)
    if seed is not None or new_seed:
        wanted["seed"] = seed
    with context.client(ctx) as client:
        if changes or unset:
            wanted["params"] = _params(client, job_id, changes, unset)
        if dry:
            say_what_would_be(client.again_dry_run(job_id, wanted), as_json)
            return
        job = client.again(job_id, wanted)
        if detach:
            click.echo(json.dumps(job) if as_json else job["id"])
            return
        finish(client, follow_or_stop(client, job["id"]), output, as_json)


again.params.extend(treatment.options())


def _params(
    client: Client, job_id: str, changes: tuple[tuple[str, str], ...], unset: tuple[str, ...]
) -> Json:
    """The changed params, with local files uploaded; None for those that are to be as the engine has them."""
    view = client.engine(client.job(job_id)["engine"])
    made: Json = {name.replace("-", "_"): None for name in unset}
    return made | upload_files(client, view, options.assigned(view["params_schema"], changes))
