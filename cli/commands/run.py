"""`atelier run ENGINE`: the options are the engine's own, as the server describes them."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import click

from cli import context, groups, options, show, stages, treatment, words
from cli.errors import CommandError, in_words, of_file, readable, written
from cli.waiting import Waiting
from client import FINAL, ApiError, Client, Json, Refused

#: How long an interrupted command waits to see its job canceled.
CANCEL_SECONDS = 10.0
#: The shell's code for a command ended by Ctrl-C.
INTERRUPTED = 130


class EngineGroup(click.Group):
    """A group whose commands are the server's engines."""

    def command_of(self, view: Json) -> click.Command:
        """What is to be done with an engine."""
        return engine_command(view)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The engines, diagnostic ones too: the first one that anybody tries is one."""
        try:
            with context.client(ctx) as client:
                return [engine["name"] for engine in client.engines(hidden=True)]
        except CommandError:
            return []

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of one engine. Raises CommandError."""
        with context.client(ctx) as client:
            try:
                return self.command_of(client.engine(cmd_name))
            except Refused as error:
                if error.code != "engine_not_found":
                    raise
                known = [engine["name"] for engine in client.engines(hidden=True)]
                near = get_close_matches(cmd_name, known, n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                raise CommandError(
                    f"there is no engine {cmd_name!r}; there are: {', '.join(known)}.{meant}"
                ) from error


class EngineCommand(click.Command):
    """A command whose options are shown under headings."""

    def __init__(self, name: str, *, sections: Mapping[str, Sequence[click.Option]], **more: Any) -> None:
        super().__init__(name, params=[option for some in sections.values() for option in some], **more)
        self._sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections; `--help` goes with the last one."""
        shown = {title: [o.get_help_record(ctx) for o in some] for title, some in self._sections.items()}
        if (own := self.get_help_option(ctx)) is not None:
            list(shown.values())[-1].append(own.get_help_record(ctx))
        for title, records in shown.items():
            with formatter.section(title):
                formatter.write_dl([record for record in records if record])


@click.group(cls=EngineGroup, no_args_is_help=True, subcommand_metavar="ENGINE [OPTIONS]...")
def run() -> None:
    """Make something: submit a job, follow it, fetch the result.

    The options are the engine's parameters: see `atelier engines` and `atelier run ENGINE --help`. The
    engines below are those of the server that runs; without one, start it with `atelier up`.
    """


def engine_command(view: Json) -> click.Command:
    """The command of one engine, drawn from its JSON Schema."""
    common: list[click.Option] = [
        file_option(),
        click.Option(
            ["-o", "--output", "_output"],
            type=click.Path(path_type=Path),
            default=Path("out"),
            show_default=True,
            help="A folder for the results, or the file's name; a .zip takes them all.",
        ),
        click.Option(["--json", "_as_json"], is_flag=True, help="Print the job as JSON, with its files."),
        click.Option(["--detach", "_detach"], is_flag=True, help="Submit, print the job's id, do not wait."),
        click.Option(
            ["--dry-run", "_dry_run"],
            is_flag=True,
            help="Submit nothing: check it, and say what it would take and when it would be done.",
        ),
    ]
    return EngineCommand(
        view["name"],
        callback=lambda **given: _run(view, given),
        sections={
            **groups.sections(view["params_schema"]),
            "How the job is treated": treatment.options(),
            "The command": common,
        },
        help=f"{view['title']}\n\n{view['description']}",
        short_help=view["title"],
    )


def file_option() -> click.Option:
    """The parameters from a file; those that are given besides go before."""
    return click.Option(
        ["-f", "--file", "_file"],
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A JSON file with parameters; what is given here as well goes before.",
        callback=_from_file,
        is_eager=True,  # before the options that it may give
        expose_value=False,
    )


def _from_file(ctx: click.Context, _option: click.Parameter, path: Path | None) -> None:
    """The options that are not given get what the file says. Raises CommandError and UsageError."""
    if path is None:
        return
    with readable(path):
        text = path.read_bytes()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from error
    known = {option.name for option in ctx.command.params}
    if not isinstance(found, dict):
        raise CommandError(f"{path} must be a JSON object of parameters, such as {{...}}.")
    if unknown := sorted(set(found) - known):
        raise click.UsageError(f"{path}: there is no parameter {unknown[0]!r}.", ctx)
    ctx.default_map = found


def _run(view: Json, given: dict[str, Any]) -> None:
    output, as_json = given.pop("_output"), given.pop("_as_json")
    detach, dry = given.pop("_detach"), given.pop("_dry_run")
    treated = treatment.take(given)
    detach = detach or "hold" in treated
    if not (detach or dry):
        check_output(output)
    with context.client(click.get_current_context()) as client:
        if dry:
            params = _with_files(view, options.values(given))
            say_what_would_be(client.dry_run(view["name"], params, **treated), as_json)
            return
        params = upload_files(client, view, options.values(given))
        job = client.submit(view["name"], params, **treated)
        if detach:
            click.echo(json.dumps(job) if as_json else job["id"])
            return
        finish(client, follow_or_stop(client, job["id"]), output, as_json)


def _with_files(view: Json, params: Json) -> Json:
    """The params with the files of this machine in place of their paths: a dry run stores none."""

    def file(value: str) -> str | Path:
        return value if options.is_reference(value) else Path(value)

    made = dict(params)
    for name in view["files"]:
        if isinstance(value := made.get(name), list):
            made[name] = [file(one) for one in value]
        elif value is not None:
            made[name] = file(value)
    return made


def say_what_would_be(found: Json, as_json: bool) -> None:
    """The answer to a dry run."""
    if as_json:
        click.echo(json.dumps(found))
        return
    takes = found["device_seconds"]
    click.echo(f"{found['engine']} in queue {found['queue']}: {words.outlook(found) or 'it can be taken'}")
    click.echo(
        f"takes about {words.about(takes)} of a device"
        if takes is not None
        else "no such job was measured yet"
    )
    for name, value in found["params"].items():
        if value is not None:
            click.echo(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}")


def upload_files(client: Client, view: Json, params: dict[str, Any]) -> dict[str, Any]:
    """The params with every local path replaced by the id of the uploaded file."""
    ids: dict[str, str] = {}

    def reference(name: str, value: str) -> str:
        if options.is_reference(value):
            return value
        if value not in ids:
            try:
                with readable(Path(value)):
                    ids[value] = client.upload(Path(value))["id"]
            except Refused as error:
                raise of_file(error, name, value) from error
        return ids[value]

    made = dict(params)
    for name in view["files"]:
        if isinstance(value := made.get(name), list):
            made[name] = [reference(name, one) for one in value]
        elif value is not None:
            made[name] = reference(name, value)
    return made


def follow(client: Client, job_id: str) -> Json:
    """Show a job's progress until it is final, and return it."""
    console = show.errors()
    console.print(f"job {job_id}", markup=False)
    with show.progress(console) as step, Waiting(client, job_id, step) as waiting:
        for event in client.events(job_id):
            waiting.see(event)
    return client.job(job_id)


def follow_or_stop(client: Client, job_id: str) -> Json:
    """`follow`; but Ctrl-C and SIGTERM cancel the job and end the command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return follow(client, job_id)
    except KeyboardInterrupt:
        stop(client, job_id)


def stop(client: Client, job_id: str) -> NoReturn:
    """Ask the server to cancel, wait a little to see it, and leave."""
    click.echo("\ncanceling ...", err=True)
    try:
        state = client.cancel(job_id)["state"]
        deadline = time.monotonic() + CANCEL_SECONDS
        while state not in FINAL and time.monotonic() < deadline:
            time.sleep(0.2)
            state = client.job(job_id)["state"]
        click.echo(f"job {job_id}: {state if state in FINAL else 'will be canceled'}", err=True)
    except ApiError as error:
        click.echo(f"job {job_id} could not be canceled: {in_words(error, client.url)}", err=True)
    sys.exit(INTERRUPTED)


def finish(client: Client, job: Json, output: Path, as_json: bool) -> None:
    """Fetch the results of a final job and say where they are. Exits with 1 unless it succeeded."""
    files = fetch(client, job, output) if job["state"] == "succeeded" else []
    if as_json:
        click.echo(json.dumps({**job, "files": [str(file) for file in files]}))
    else:
        for file in files:
            click.echo(str(file))
        device = f" on {job['device']}" if job.get("device") else ""
        click.echo(f"{job['state']}: {words.took(job)}{device}, seed {job['seed']}", err=True)
    if job["state"] != "succeeded":
        raise CommandError("\n".join(filter(None, (words.failure(job), stages.way_on(job)))))


def fetch(client: Client, job: Json, output: Path) -> list[Path]:
    """Download every result of a job; into one archive where the output is a .zip."""
    if output.suffix.lower() == ".zip" and not output.is_dir():
        with written(output):
            return [client.archive(job["id"], output)]
    targets = targets_of(job, output)
    for artifact, target in zip(job["artifacts"], targets, strict=True):
        with written(target):
            client.download(artifact, target)
    return targets


def check_output(output: Path) -> None:
    """Make the folder the results will go to: better to fail now than when they are there.

    Raises CommandError.
    """
    if output.is_file() and not output.suffix:
        raise CommandError(f"{output} is a file; give --output a folder, or a file's name with a suffix.")
    folder = output if _is_folder(output) else output.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CommandError(f"--output {output} cannot be written: {error.strerror or error}") from error


def _is_folder(output: Path) -> bool:
    return output.is_dir() or not output.suffix


def targets_of(job: Json, output: Path) -> list[Path]:
    """Where the results go: `<folder>/<job>-<name>`, or the file the user named (more than one: numbered)."""
    names = [Path(artifact["name"]).name or "result" for artifact in job["artifacts"]]
    if _is_folder(output):
        return [output / f"{job['id']}-{name}" for name in names]
    if len(names) <= 1:
        return [output] * len(names)
    return [
        output.with_name(f"{output.stem}-{number}{Path(name).suffix}") for number, name in enumerate(names, 1)
    ]
