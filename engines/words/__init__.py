"""What an engine, its fields and their choices are called, in every language that there are words for.

English is what the specs say. Another language is `engines/<kind>/words/<tag>.toml`, and for what several
engines have in common `engines/words/<tag>.toml`; what neither says stays English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import engines
from engines.base import EngineSpec
from engines.ui import GROUPS, named

Json = dict[str, Any]

#: The language of the specs.
ENGLISH = "en"
#: Where what engines have in common is.
COMMON = Path(__file__).parent


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldWords(_Words):
    """One field's; what is left out is said in another catalogue, or in English."""

    title: str | None = None
    description: str | None = None
    #: What the least and the most of a number do.
    ends: tuple[str, str] | None = None
    choices: Mapping[str, str] = {}


class Catalogue(_Words):
    """One file."""

    title: str | None = None
    description: str | None = None
    groups: Mapping[str, str] = {}
    #: Of any field, and of what results say (`EngineSpec.labels`).
    choices: Mapping[str, str] = {}
    fields: Mapping[str, FieldWords] = {}


@dataclass(frozen=True)
class Shown:
    """An engine in one language."""

    title: str
    description: str
    #: The JSON Schema of the params, its `x-ui` complete: all groups and all choices have their titles.
    params_schema: Json
    #: Of `EngineSpec.labels`.
    labels: dict[str, str]


@cache
def languages() -> tuple[str, ...]:
    """The tags of the languages there are, English first."""
    return (ENGLISH, *sorted(path.stem for path in COMMON.glob("*.toml")))


def folder(name: str) -> Path:
    """Where an engine's own words are; it need not exist."""
    places = [Path(place) / name / "words" for place in engines.__path__]
    return next((place for place in places if place.is_dir()), places[0])


@cache
def catalogue(folder: Path, language: str) -> Catalogue:
    """The words in a folder; none where there is no file."""
    path = folder / f"{language}.toml"
    return Catalogue.model_validate(tomllib.loads(path.read_text("utf-8")) if path.is_file() else {})


def shown(spec: EngineSpec, language: str = ENGLISH) -> Shown:
    """The engine in one of the languages there are."""
    own, common = catalogue(folder(spec.name), language), catalogue(COMMON, language)
    schema = spec.params.model_json_schema()
    used: dict[str, None] = {}
    for name, field in schema.get("properties", {}).items():
        words = _of_field(name, own, common)
        choices = {value: words.choices.get(value) for value in choices_of(field, schema)}
        hints = dict(field.get("x-ui", {}))
        english = hints.get("choices", {})
        if choices:
            hints["choices"] = {
                value: said or english.get(value, named(value)) for value, said in choices.items()
            }
        if words.ends is not None:
            hints["ends"] = list(words.ends)
        if hints:
            field["x-ui"] = hints
        field |= words.model_dump(include={"title", "description"}, exclude_none=True)
        used |= dict.fromkeys([hints["group"]] if "group" in hints else ())
    titles = {**GROUPS, **common.groups, **own.groups}
    ordered = [
        *(group for group in GROUPS if group in used),
        *(group for group in used if group not in GROUPS),
    ]
    schema["x-ui"] = {"groups": {group: titles.get(group, named(group)) for group in ordered}}
    said = {**common.choices, **own.choices}
    return Shown(
        title=own.title or spec.title,
        description=own.description or spec.description,
        params_schema=schema,
        labels={label: said.get(label, english) for label, english in spec.labels.items()},
    )


def choices_of(field: Json, root: Json) -> list[str]:
    """The values that a field lists, and the names that an object of it may have, as text."""
    found: list[str] = []
    if isinstance(ref := field.get("$ref"), str):
        found += choices_of(root["$defs"][ref.rpartition("/")[2]], root)
    listed = [field["const"]] if "const" in field else field.get("enum", ())
    found += [str(value) for value in listed if value is not None]
    keys = [field["propertyNames"]] if "propertyNames" in field else []
    for inner in (*field.get("anyOf", ()), *field.get("oneOf", ()), *keys):
        found += choices_of(inner, root)
    return list(dict.fromkeys(found))


def _of_field(name: str, own: Catalogue, common: Catalogue) -> FieldWords:
    """A field's words: the engine's own before those that it has in common with others."""
    first, second = own.fields.get(name, FieldWords()), common.fields.get(name, FieldWords())
    return FieldWords(
        title=first.title or second.title,
        description=first.description or second.description,
        ends=first.ends or second.ends,
        choices={**common.choices, **own.choices, **second.choices, **first.choices},
    )
