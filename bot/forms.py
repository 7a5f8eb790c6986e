"""An engine's JSON Schema as a form: its fields, what each is asked with, what an answer means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from bot import hints, values
from bot.hints import Hints
from bot.presets import presets
from bot.texts import clean, clip
from bot.values import BadValue, Json

__all__ = ["BadValue", "Choice", "Field", "Form", "Kind", "NotAForm"]

#: What a list of files takes where its schema does not say.
_MANY_FILES = 10
#: UTF-16 code units of a title or description that the API sent; screens cut them further.
_LONGEST = 1000


class NotAForm(ValueError):
    """What should describe an engine does not."""


class Kind(StrEnum):
    """What a field is asked with."""

    FILE = "file"
    CHOICE = "choice"
    NUMBER = "number"
    WHOLE = "whole"
    SWITCH = "switch"
    TEXT = "text"
    JSON = "json"
    #: The name or id of an uploaded network.
    NETWORK = "network"


@dataclass(frozen=True)
class Choice:
    """A value for a button; `title` is the API's own text for it."""

    value: Any
    title: str

    @classmethod
    def of(cls, value: Any, titles: Mapping[str, str] | None = None) -> Self:
        """With its title among these, or else with the value itself, made presentable."""
        if title := (titles or {}).get(str(value)):
            return cls(value, _said(title))
        text = value.replace("_", " ") if isinstance(value, str) else json.dumps(value)
        return cls(value, text[:1].upper() + text[1:])


@dataclass(frozen=True)
class Field:
    """One parameter of an engine."""

    name: str
    title: str
    kind: Kind
    required: bool
    default: Any
    #: Of a choice, and of a network or a file where some are known.
    choices: tuple[Choice, ...]
    #: Of a number: some values worth a button, ascending.
    presets: tuple[float, ...]
    #: Of a number, both inclusive where it is a whole one.
    minimum: float | None
    maximum: float | None
    #: Media types of a file.
    accept: tuple[str, ...]
    #: Fewest and most files; (1, 1) where there is no list.
    multiple: tuple[int, int]
    description: str
    #: What it is to its engine (`bot.hints`).
    role: str | None
    #: Left out of the short form.
    advanced: bool
    #: The field without which this one means nothing.
    needs: str | None
    #: What the least and the most of a number do.
    ends: tuple[str, str] | None
    #: The plain schemas any one of which a value fits.
    forms: tuple[Json, ...] = field(repr=False)

    def parse(self, text: str) -> Any:
        """The value that was typed. Raises BadValue."""
        if self.kind is Kind.FILE:
            raise BadValue("send_a_file")
        wanted = clean(text).strip().casefold()
        for choice in self.choices:
            # What the button says is an answer too.
            if wanted and wanted in (choice.title.casefold(), str(choice.value).casefold()):
                return choice.value
        return values.parse(self.forms, text)

    def check(self, value: Any) -> None:
        """Raises BadValue for a value that none of the field's schemas allows."""
        complaints = []
        for form in self.forms:
            try:
                values.check(form, value)
            except BadValue as complaint:
                complaints.append(complaint)
            else:
                return
        if value is None and self.default is None and not self.required:
            return
        raise complaints[0] if complaints else BadValue("not_a_choice")


@dataclass(frozen=True)
class Form:
    """An engine's fields in the order of its form, in the language in which the API was asked for it."""

    engine: str
    title: str
    description: str
    fields: tuple[Field, ...]

    @classmethod
    def of(cls, engine: Json) -> Self:
        """Of one engine as `GET /v1/engines` shows it. Raises NotAForm."""
        try:
            schema = engine["params_schema"]
            required = frozenset(schema.get("required", ()))
            fields = tuple(
                _field(name, schema["properties"][name], name in required, schema)
                for name in hints.ordered(schema)
            )
            return cls(engine["name"], _said(engine["title"]), _said(engine["description"]), fields)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotAForm(f"not an engine's description: {error!r}") from error

    def __getitem__(self, name: str) -> Field:
        """The field of this name. Raises KeyError."""
        for one in self.fields:
            if one.name == name:
                return one
        raise KeyError(name)

    def role(self, role: str) -> Field | None:
        """The field that has this role."""
        return next((one for one in self.fields if one.role == role), None)

    @property
    def asks_nothing_more(self) -> bool:
        """Whether all is said when what is required is there."""
        return any(one.required for one in self.fields) and all(
            one.required or one.advanced for one in self.fields
        )

    def offering(self, choices: Mapping[str, Iterable[Choice]]) -> Self:
        """The same form, its files and networks with something to choose from (field -> choices)."""
        kept = {name: tuple(some) for name, some in choices.items()}
        return replace(
            self,
            fields=tuple(
                replace(one, choices=kept.get(one.name, one.choices))
                if one.kind in (Kind.FILE, Kind.NETWORK)
                else one
                for one in self.fields
            ),
        )

    @cached_property
    def digest(self) -> str:
        """Four characters that change with the fields and their choices: buttons carry indices into them."""
        said = [
            [one.name, one.kind, [choice.value for choice in one.choices], one.presets] for one in self.fields
        ]
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:4]


def _said(text: Any) -> str:
    return clip(clean(str(text)), _LONGEST)


def _field(name: str, schema: Json, required: bool, root: Json) -> Field:
    found = list(values.variants(schema, root))
    nullable = any(values.is_null(one) for one in found)
    forms = tuple(one for one in found if not values.is_null(one))
    files = [one for one in forms if _file(one) is not None]
    kind = Kind.FILE if files else _kind(forms)
    default = schema.get("default")
    minimum, maximum = _bounds(forms)
    said = Hints.of(schema)
    return Field(
        name=name,
        title=_said(schema.get("title", name)),
        kind=kind,
        required=required,
        default=default,
        choices=_choices(kind, forms, said, nullable and not required),
        presets=_numbers(kind, forms, default),
        minimum=minimum,
        maximum=maximum,
        accept=tuple(_file(files[0]) or ()) if files else (),
        multiple=_multiple(files),
        description=_said(schema.get("description", "")),
        role=said.role,
        advanced=said.advanced and not required,
        needs=said.only_with if said.only_with in root["properties"] and said.only_with != name else None,
        ends=said.ends,
        forms=forms,
    )


def _file(form: Json) -> Sequence[str] | None:
    """The media types of a file or a list of files; None for anything else."""
    marked = form.get("x-artifact") or (form.get("items") or {}).get("x-artifact")
    return None if marked is None else marked.get("accept", ())


def _multiple(files: Sequence[Json]) -> tuple[int, int]:
    for one in files:
        if one.get("type") == "array":
            # A required list may be declared without a minimum; none at all is no answer.
            return max(one.get("minItems", 1), 1), one.get("maxItems", _MANY_FILES)
    return 1, 1


def _kind(forms: Sequence[Json]) -> Kind:
    types = {one.get("type") for one in forms}
    if any("x-network" in one for one in forms):
        return Kind.NETWORK
    if any(values.options(one) is not None for one in forms):
        return Kind.CHOICE
    if types == {"boolean"}:
        return Kind.SWITCH
    if types == {"integer"}:
        return Kind.WHOLE
    if types in ({"number"}, {"number", "integer"}):
        return Kind.NUMBER
    if "string" in types:
        return Kind.TEXT
    return Kind.JSON


def _choices(kind: Kind, forms: Sequence[Json], said: Hints, may_be_none: bool) -> tuple[Choice, ...]:
    if kind is Kind.NETWORK:
        return tuple(
            Choice(name, name) for one in forms for name in one.get("x-network", {}).get("shipped", ())
        )
    if kind is not Kind.CHOICE:
        return ()
    listed = [Choice.of(value, said.choices) for one in forms for value in values.options(one) or ()]
    return (Choice(None, ""), *listed) if may_be_none else tuple(listed)


def _bounds(forms: Sequence[Json]) -> tuple[float | None, float | None]:
    """Of the first number among the forms."""
    for one in forms:
        if values.options(one) is None and one.get("type") in ("integer", "number"):
            return values.bounds(one)
    return None, None


def _numbers(kind: Kind, forms: Sequence[Json], default: Any) -> tuple[float, ...]:
    """Presets of a number, or of text that may be one (frames a second, say)."""
    if kind not in (Kind.NUMBER, Kind.WHOLE, Kind.TEXT):
        return ()
    for one in forms:
        if one.get("type") in ("integer", "number") and values.options(one) is None:
            low, high = values.bounds(one)
            usual = default if isinstance(default, int | float) and not isinstance(default, bool) else None
            found = presets(low, high, usual, whole=one["type"] == "integer")
            # A bound may be exclusive, and then is no value.
            return tuple(value for value in found if _is_allowed(one, value))
    return ()


def _is_allowed(form: Json, value: float) -> bool:
    try:
        values.check(form, value)
    except BadValue:
        return False
    return True
