"""A JSON Schema of parameters -> command line options, and their values -> the params of a job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from cli import treatment
from client import Json, schema
from client.schema import Bounds, Field, Kind, Variant

#: Option names every engine command has of its own.
RESERVED = frozenset({"output", "json", "detach", "dry-run", "file", "help"}) | treatment.NAMES


class FileType(click.ParamType[str]):
    """A path, a URL, a file id (`art_...`) or a `data:` URI; a path has to exist."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check a path; leave the other forms to the server."""
        if is_reference(str(value)):
            return str(value)
        path = click.Path(exists=True, dir_okay=False, readable=True)
        return str(path.convert(value, param, ctx))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002  click's signature
        """As the help shows it."""
        return "PATH|URL"


class NetworkType(click.ParamType[str]):
    """A network's name or id; the server knows which there are."""

    name = "network"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002  click's signature
        """As it is."""
        return str(value)


class JsonType(click.ParamType[Any]):
    """A value no simpler option can hold: JSON text, or, where `words`, also a bare word."""

    name = "json"

    def __init__(self, words: bool = False) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse it."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            if self.words and not value.lstrip().startswith(("{", "[", '"')):
                return value
            self.fail(f"not JSON: {error}", param, ctx)


def is_reference(value: str) -> bool:
    """Whether a file value is something the server understands, and not a path here."""
    return value.startswith(("http://", "https://", "data:", "art_"))


def flag(name: str) -> str:
    """The option of a parameter, dashes and all."""
    plain = name.replace("_", "-")
    return f"--param-{plain}" if plain in RESERVED else f"--{plain}"


def options(params: Json) -> list[click.Option]:
    """One option for each property, required ones first."""
    found = sorted(schema.fields(params), key=lambda field: not field.required)  # stable: else in its order
    return [_option(field) for field in found]


def values(given: dict[str, Any]) -> dict[str, Any]:
    """The params to send: what was given, and nothing else, so that defaults stay the server's."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != ()
    }


def assigned(params: Json, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The params that `name=value` texts set, each read as its option would read it. Raises UsageError."""
    known = {option.name: option for option in options(params)}
    made: dict[str, Any] = {}
    for name, text in given:
        option = known.get(name.replace("-", "_"))
        if option is None or option.name is None:
            raise click.UsageError(f"There is no parameter {name!r}; there are {', '.join(map(str, known))}.")
        value = option.type.convert(text, option, None)
        made[option.name] = [*made.get(option.name, []), value] if option.multiple else value
    return made


def _option(field: Field) -> click.Option:
    name, form = field.name, _form(field)
    one = form.items if form is not None and _is_repeated(form) else form
    repeated, switch = one is not form, one is not None and one.kind is Kind.SWITCH
    notes = [_default_note(field.default)] if field.default is not None else []
    notes += _network_notes(one)
    if form is not None and repeated:
        notes += _length_notes(form.bounds)
    if field.ui.get("with"):
        notes.append(f"only with {flag(field.ui['with'])}")
    help_text = field.description + (f"  [{'; '.join(notes)}]" if notes else "")
    declarations = [_switch(name) if switch else flag(name), name]
    if "_" in name and not switch:
        declarations.insert(1, f"--{name}")  # as the API spells it
    return click.Option(
        declarations,
        type=JsonType(words=any(one.is_text for one in field.variants)) if one is None else _type(one),
        required=field.required,
        multiple=repeated,
        default=None,
        help=help_text,
    )


def _form(field: Field) -> Variant | None:
    """The form of a field's values that an option can have; None: there are several, and none is it."""
    lists = [one for one in field.variants if one.kind is Kind.LIST]
    texts = [one for one in field.variants if one.is_text]
    # "One X or a list of X": the list, which a repeated option is. "Text or a list of numbers": the text.
    if lists and texts and (of := lists[0].items) is not None and not of.is_text and of.kind is not Kind.ANY:
        return texts[0]
    if lists:
        return lists[0]
    return field.variants[0] if len(field.variants) == 1 else None


def _is_repeated(form: Variant) -> bool:
    of = form.items
    return form.kind is Kind.LIST and of is not None and of.kind not in (Kind.LIST, Kind.OBJECT, Kind.ANY)


def _switch(name: str) -> str:
    return f"{flag(name)}/--no-{flag(name).removeprefix('--')}"


def _type(form: Variant) -> click.ParamType[Any]:
    bounds = form.bounds
    limits: dict[str, Any] = {
        "min": bounds.low,
        "max": bounds.high,
        "min_open": bounds.low_open,
        "max_open": bounds.high_open,
    }
    match form.kind:
        case Kind.FILE:
            return FileType()
        case Kind.NETWORK:
            return NetworkType()
        case Kind.CHOICE:
            return click.Choice([str(choice) for choice in form.choices])
        case Kind.SWITCH:
            return click.BOOL
        case Kind.WHOLE:
            return click.IntRange(**limits)
        case Kind.NUMBER:
            return click.FloatRange(**limits)
        case Kind.TEXT:
            return click.STRING
        case _:
            return JsonType()


def _default_note(default: Any) -> str:
    shown = default if isinstance(default, str) else json.dumps(default)
    return f"default: {shown}" if shown != "" else "default: empty"


def _network_notes(form: Variant | None) -> list[str]:
    if form is None or form.kind is not Kind.NETWORK:
        return []
    own = "yours: `atelier networks list`"
    return [f"there are {', '.join(form.shipped)}", own] if form.shipped else [own]


def _length_notes(bounds: Bounds) -> list[str]:
    low, high = bounds.low, bounds.high
    if low is not None and high is not None:
        return [f"repeat for several, {low} to {high}" if low != high else f"give it {low} times"]
    return [f"repeat for several, at most {high}"] if high is not None else ["repeat for several"]
