"""An engine's JSON Schema, read once for all who draw a form of it: flat fields, each with its variants.

Only what engines use of JSON Schema is known; what is allowed, the API decides. What is not read here is in
`Variant.schema`, and a field's hints (`x-ui`) are in `Field.ui`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from client.errors import Json

#: References within references are followed so deep.
_MAX_DEPTH = 8
#: What a field says of itself, and none of its variants.
_OF_THE_FIELD = frozenset({"title", "description", "default", "examples", "x-ui"})
_REFERRING = frozenset({"$ref", "anyOf", "oneOf", "allOf"})


class Kind(StrEnum):
    """What a value of a variant is."""

    #: A file id, a URL or a data: URI.
    FILE = "file"
    #: The name or id of a network.
    NETWORK = "network"
    #: One of the choices.
    CHOICE = "choice"
    WHOLE = "whole"
    NUMBER = "number"
    SWITCH = "switch"
    TEXT = "text"
    #: Several values of one variant.
    LIST = "list"
    #: Names with values: known names (`fields`), or any with values of one variant (`items`).
    OBJECT = "object"
    #: Nobody knows.
    ANY = "any"


_KINDS = {
    "integer": Kind.WHOLE,
    "number": Kind.NUMBER,
    "boolean": Kind.SWITCH,
    "string": Kind.TEXT,
    "array": Kind.LIST,
    "object": Kind.OBJECT,
}


@dataclass(frozen=True)
class Bounds:
    """The least and the greatest; of a number itself, of a text or a list its length."""

    low: float | None = None
    high: float | None = None
    #: Whether the bound itself is no value.
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True)
class Variant:
    """One plain form that a value may have."""

    kind: Kind
    choices: tuple[Any, ...]
    bounds: Bounds
    #: Of a text; empty: any.
    pattern: str
    #: Media types of a file.
    accept: tuple[str, ...]
    #: Of a network: its kind, and the names that are there without an upload.
    network: str
    shipped: tuple[str, ...]
    #: Of a list: the one form of its values. Of an object with any names: that of theirs.
    items: Variant | None
    #: Of an object with known names.
    fields: tuple[Field, ...]
    #: Of an object with any of some names; empty: any.
    names: tuple[str, ...]
    #: All of it, references followed.
    schema: Json

    @property
    def is_text(self) -> bool:
        """Whether a value is written as plain text."""
        return self.schema.get("type") == "string"


@dataclass(frozen=True)
class Field:
    """One parameter."""

    name: str
    title: str
    description: str
    required: bool
    #: Whether null, or nothing, is a value.
    nullable: bool
    default: Any
    #: At least one; a value fits any of them.
    variants: tuple[Variant, ...]
    #: What the engine says of how it is shown: group, order, ends, with, role...
    ui: Json

    @property
    def file(self) -> Variant | None:
        """The form of its files, where it takes files."""
        return next((found for one in self.variants if (found := _single(one)).kind is Kind.FILE), None)

    @property
    def network(self) -> Variant | None:
        """The form of its networks, where it names networks."""
        return next((found for one in self.variants if (found := _single(one)).kind is Kind.NETWORK), None)

    @property
    def several(self) -> Variant | None:
        """The list that it may be."""
        return next((one for one in self.variants if one.kind is Kind.LIST), None)

    @property
    def role(self) -> str:
        """What it is for, by the engine's word (`latent`, `seed`...), or by its form: `file`, `network`."""
        found = self.ui.get("role")
        if isinstance(found, str):
            return found
        return "file" if self.file else "network" if self.network else ""


def fields(schema: Json) -> tuple[Field, ...]:
    """The parameters that an object's schema describes, in its order."""
    return _fields(schema, schema, 0)


def plain(schema: Json, root: Json, depth: int = 0) -> Iterator[Json]:
    """The forms a value may have: `anyOf`, `oneOf`, references and lists of types taken apart."""
    if depth > _MAX_DEPTH:
        yield {}
        return
    rest = {name: value for name, value in schema.items() if name not in _REFERRING}
    if isinstance(ref := schema.get("$ref"), str):
        yield from plain({**_found(ref, root), **rest}, root, depth + 1)
        return
    if every := schema.get("allOf"):
        together: Json = {}
        for one in every:
            together |= next(plain(one, root, depth + 1))
        yield from plain({**together, **rest}, root, depth + 1)
        return
    if some := schema.get("anyOf") or schema.get("oneOf"):
        inherited = {name: value for name, value in rest.items() if name not in _OF_THE_FIELD}
        for one in some:
            yield from plain({**inherited, **one}, root, depth + 1)
        return
    if isinstance(types := schema.get("type"), list):
        for one in types:
            yield {**schema, "type": one}
        return
    yield schema


def _fields(schema: Json, root: Json, depth: int) -> tuple[Field, ...]:
    required = frozenset(schema.get("required", ()))
    properties: dict[str, Json] = schema.get("properties", {})
    return tuple(_field(name, one, name in required, root, depth) for name, one in properties.items())


def _field(name: str, schema: Json, required: bool, root: Json, depth: int) -> Field:
    forms = list(plain(schema, root, depth))
    some = [one for one in forms if not _is_null(one)]
    outer = {**_found(schema.get("$ref", ""), root), **schema}
    return Field(
        name=name,
        title=str(outer.get("title", name)),
        description=str(outer.get("description", "")).strip(),
        required=required,
        nullable=len(some) < len(forms),
        default=outer.get("default"),
        variants=tuple(_variant(one, root, depth) for one in some or [{}]),
        ui=outer.get("x-ui") or {},
    )


def _variant(schema: Json, root: Json, depth: int) -> Variant:
    network = schema.get("x-network") or {}
    inner = schema.get("items") if schema.get("type") == "array" else schema.get("additionalProperties")
    deeper = depth + 1
    items = None
    if isinstance(inner, dict) and deeper <= _MAX_DEPTH:
        forms = [one for one in plain(inner, root, deeper) if not _is_null(one)]
        # Of values that may have several forms nothing is said.
        items = _variant(forms[0] if len(forms) == 1 else {}, root, deeper)
    return Variant(
        kind=_kind(schema),
        choices=tuple(_listed(schema)),
        bounds=_bounds(schema),
        pattern=str(schema.get("pattern", "")),
        accept=tuple((schema.get("x-artifact") or {}).get("accept", ())),
        network=str(network.get("kind", "")),
        shipped=tuple(network.get("shipped", ())),
        items=items,
        fields=_fields(schema, root, deeper) if deeper <= _MAX_DEPTH else (),
        names=tuple(map(str, _listed(schema.get("propertyNames") or {}))),
        schema=schema,
    )


def _kind(schema: Json) -> Kind:
    if "x-artifact" in schema:
        return Kind.FILE
    if "x-network" in schema:
        return Kind.NETWORK
    if _listed(schema):
        return Kind.CHOICE
    return _KINDS.get(schema.get("type", ""), Kind.ANY)


def _listed(schema: Json) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _bounds(schema: Json) -> Bounds:
    for what in ("Length", "Items", "Properties"):
        if f"min{what}" in schema or f"max{what}" in schema:
            return Bounds(schema.get(f"min{what}"), schema.get(f"max{what}"))
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return Bounds(
        low=above if low is None else low,
        high=below if high is None else high,
        low_open=low is None and above is not None,
        high_open=high is None and below is not None,
    )


def _is_null(schema: Json) -> bool:
    return schema.get("type") == "null" or ("const" in schema and schema["const"] is None)


def _single(variant: Variant) -> Variant:
    return variant.items if variant.kind is Kind.LIST and variant.items is not None else variant


def _found(ref: str, root: Json) -> Json:
    """What a reference within the schema means; nothing where there is no such thing."""
    target: Any = root
    for part in ref.removeprefix("#").strip("/").split("/") if ref else ():
        target = target.get(part) if isinstance(target, dict) else None
    return target if ref and isinstance(target, dict) else {}
