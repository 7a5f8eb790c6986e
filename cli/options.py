"""A JSON Schema of parameters -> command line options, and their values -> the params of a job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from cli import treatment

Schema = dict[str, Any]

#: Option names every engine command has of its own.
RESERVED = frozenset({"output", "json", "detach", "dry-run", "help"}) | treatment.NAMES


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


def options(schema: Schema) -> list[click.Option]:
    """One option for each property, required ones first."""
    required = set(schema.get("required", ()))
    properties: dict[str, Schema] = schema.get("properties", {})
    names = sorted(properties, key=lambda name: name not in required)  # stable: else in the schema's order
    return [_option(name, _simple(properties[name], schema), name in required) for name in names]


def values(given: dict[str, Any]) -> dict[str, Any]:
    """The params to send: what was given, and nothing else, so that defaults stay the server's."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != ()
    }


def assigned(schema: Schema, given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The params that `name=value` texts set, each read as its option would read it. Raises UsageError."""
    known = {option.name: option for option in options(schema)}
    made: dict[str, Any] = {}
    for name, text in given:
        option = known.get(name.replace("-", "_"))
        if option is None or option.name is None:
            raise click.UsageError(f"There is no parameter {name!r}; there are {', '.join(map(str, known))}.")
        value = option.type.convert(text, option, None)
        made[option.name] = [*made.get(option.name, []), value] if option.multiple else value
    return made


def _option(name: str, field: Schema, required: bool) -> click.Option:
    kind = field.get("type")
    repeated = kind == "array" and _is_scalar(field.get("items", {}))
    default = field.get("default")
    help_text = str(field.get("description", "")).strip()
    notes = [_default_note(default)] if default is not None else []
    notes += _network_notes(field["items"] if repeated else field)
    if repeated:
        notes += _length_notes(field)
    if other := field.get("x-ui", {}).get("with"):
        notes.append(f"only with {flag(other)}")
    if notes:
        help_text += f"  [{'; '.join(notes)}]"
    declarations = [_switch(name) if kind == "boolean" else flag(name), name]
    if "_" in name and kind != "boolean":
        declarations.insert(1, f"--{name}")  # as the API spells it
    return click.Option(
        declarations,
        type=click.BOOL if kind == "boolean" else _type(field["items"] if repeated else field),
        required=required,
        multiple=repeated,
        default=None,
        help=help_text,
    )


def _switch(name: str) -> str:
    return f"{flag(name)}/--no-{flag(name).removeprefix('--')}"


def _type(field: Schema) -> click.ParamType[Any]:
    if "x-artifact" in field:
        return FileType()
    if "x-network" in field:
        return NetworkType()
    if "enum" in field or "const" in field:
        return click.Choice([str(choice) for choice in field.get("enum", [field.get("const")])])
    kind = field.get("type")
    if kind in ("integer", "number"):
        low, high = field.get("minimum"), field.get("maximum")
        low_open, high_open = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
        bounds: dict[str, Any] = {
            "min": low if low is not None else low_open,
            "max": high if high is not None else high_open,
            "min_open": low is None and low_open is not None,
            "max_open": high is None and high_open is not None,
        }
        return click.IntRange(**bounds) if kind == "integer" else click.FloatRange(**bounds)
    if kind == "string":
        return click.STRING
    return JsonType(words=any(choice.get("type") == "string" for choice in _alternatives(field)))


def _alternatives(field: Schema) -> list[Schema]:
    """What a union of several types may be."""
    return [
        inner
        for name in ("anyOf", "oneOf")
        for choice in field.get(name, [])
        for inner in (choice, *_alternatives(choice))
    ]


def _simple(field: Schema, root: Schema) -> Schema:
    """The field with references resolved and `X | null` reduced to X."""
    outer = {key: value for key, value in field.items() if key not in ("$ref", "anyOf", "allOf")}
    inner: Schema = {}
    if "$ref" in field:
        target: Any = root
        for part in str(field["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        inner = _simple(target, root)
    for several in ("anyOf", "allOf"):
        choices = [choice for choice in field.get(several, []) if choice.get("type") != "null"]
        # "One X or a list of X": the list, which a repeated option is. "Text or a list of numbers": the text.
        lists = [choice for choice in choices if choice.get("type") == "array"]
        texts = [choice for choice in choices if choice.get("type") == "string"]
        if lists and texts and lists[0].get("items", {}).get("type") not in ("string", None):
            lists = texts
        if len(choices) == 1 or lists:
            inner = _simple((lists or choices)[0], root)
        elif choices:
            inner = {several: choices}
    merged = {**inner, **outer}
    if "items" in merged:
        merged["items"] = _simple(merged["items"], root)
    return merged


def _is_scalar(field: Schema) -> bool:
    return "enum" in field or field.get("type") in ("string", "integer", "number", "boolean")


def _default_note(default: Any) -> str:
    shown = default if isinstance(default, str) else json.dumps(default)
    return f"default: {shown}" if shown != "" else "default: empty"


def _network_notes(field: Schema) -> list[str]:
    if "x-network" not in field:
        return []
    shipped = field["x-network"].get("shipped", [])
    own = "yours: `atelier networks list`"
    return [f"there are {', '.join(shipped)}", own] if shipped else [own]


def _length_notes(field: Schema) -> list[str]:
    low, high = field.get("minItems"), field.get("maxItems")
    if low is not None and high is not None:
        return [f"repeat for several, {low} to {high}" if low != high else f"give it {low} times"]
    return [f"repeat for several, at most {high}"] if high is not None else ["repeat for several"]
