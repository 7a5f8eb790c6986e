"""Whether a text is JSON that is valid against a schema; and which schemas are taken.

A schema is anybody's, and this work is done where others' jobs run: in Rust, whose regular expressions give
up where Python's would go on for ever, with nothing fetched, and with a bound on what references unfold to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

#: Characters of a schema as JSON.
MOST_SCHEMA = 16_384
#: Parts of a schema with all its references written out.
MOST_PARTS = 5_000
#: What would make it a schema that depends on others, or on itself.
_REFUSED = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
)

_FENCE = re.compile(r"\s*```[a-zA-Z]*\s*\n(.*)\n\s*```\s*", re.DOTALL)


class Misfit(ValueError):
    """What was answered is no JSON, or not of that shape."""


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ValueError for one that is not taken."""
    try:
        text = json.dumps(schema, allow_nan=False)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if len(text) > MOST_SCHEMA:
        raise ValueError(f"has more than {MOST_SCHEMA} characters as JSON")
    _Unfolded(schema).count()
    schemas = _library()
    try:
        schemas.validator_for(dict(schema), offline=True)
    except schemas.ValidationError as error:
        raise ValueError(f"is no JSON Schema: {error.message[:300]}") from error


def fitting(schema: Mapping[str, Any], text: str) -> bytes:
    """The JSON that a text holds, alone or in a fence, written anew. Raises Misfit."""
    found, schemas = _FENCE.fullmatch(text), _library()
    try:
        value = json.loads(found[1] if found else text, parse_constant=_refuse)
        written = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
        schemas.validator_for(dict(schema), offline=True).validate(value)
    except schemas.ValidationError as error:
        where = "".join(f"[{step!r}]" for step in error.instance_path)
        raise Misfit(f"at ${where}: {error.message[:300]}") from error
    except (ValueError, RecursionError) as error:
        raise Misfit(f"it is no JSON: {str(error)[:300]}") from error
    return f"{written}\n".encode("utf-8", "replace")


def _library() -> ModuleType:
    # Imported with the first schema: it is 5 MiB of each process that reads the engine's spec.
    import jsonschema_rs  # noqa: PLC0415  see above

    return jsonschema_rs


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


class _Unfolded:
    """How many parts a schema has when each reference is replaced by what it names."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        #: References that are being followed: one that comes again would never end.
        self._open: set[str] = set()
        self._of = cache(self._followed)

    def count(self) -> int:
        """Raises ValueError where there are too many, or no end to them."""
        try:
            return self._parts(self._root)
        except RecursionError as error:
            raise ValueError("is nested too deep") from error

    def _parts(self, node: object) -> int:
        total = 1 + sum(map(self._parts, _children(node)))
        if isinstance(node, Mapping):
            if refused := [key for key in _REFUSED if isinstance(node.get(key), str | bool)]:
                raise ValueError(f"may not use {refused[0]}")
            if isinstance(reference := node.get("$ref"), str):
                total += self._of(reference)
        if total > MOST_PARTS:
            raise ValueError(f"has more than {MOST_PARTS} parts with its references written out")
        return total

    def _followed(self, reference: str) -> int:
        if reference in self._open:
            raise ValueError(f"refers to itself ({reference[:100]})")
        self._open.add(reference)
        parts = self._parts(self._named(reference))
        self._open.discard(reference)
        return parts

    def _named(self, reference: str) -> object:
        if not reference.startswith("#/"):
            raise ValueError(f"may refer to parts of itself alone (#/$defs/...), not to {reference[:100]}")
        found: object = self._root
        for step in reference[2:].split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise ValueError(f"refers to {reference[:100]}, which it has not")
            found = found[name]
        return found


def _children(node: object) -> Iterator[object]:
    if isinstance(node, Mapping):
        yield from node.values()
    elif isinstance(node, list | tuple):
        yield from node
