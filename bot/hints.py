"""How an engine's schema wants its fields asked for: their `x-ui` (docs/engines.md), and their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True)
class Hints:
    """Of one field; a field that says nothing is one like any other."""

    group: str
    order: int
    #: The field without which this one means nothing.
    only_with: str | None
    #: What it is to its engine: `style`, `seed`, `strength`...
    role: str | None
    #: For those who look for it.
    advanced: bool
    #: What the least and the most of a number do.
    ends: tuple[str, str] | None
    #: Value, as text -> what it is called.
    choices: Mapping[str, str]

    @classmethod
    def of(cls, field: Json) -> Self:
        """Of one property. Raises TypeError, ValueError and AttributeError for what is none."""
        said = field.get("x-ui", {})
        low, high = said.get("ends") or (None, None)
        return cls(
            group=said.get("group", ""),
            order=int(said.get("order", 0)),
            only_with=said.get("with"),
            role=said.get("role"),
            advanced=bool(said.get("advanced", False)),
            ends=None if low is None or high is None else (str(low), str(high)),
            choices={str(value): str(title) for value, title in said.get("choices", {}).items()},
        )


def ordered(schema: Json) -> list[str]:
    """The fields' names as a form shows them: by groups, by `order`, and else as they are declared."""
    hints = {name: Hints.of(field) for name, field in schema.get("properties", {}).items()}
    groups = {name: number for number, name in enumerate(schema.get("x-ui", {}).get("groups", {}))}
    return sorted(hints, key=lambda n: (groups.get(hints[n].group, len(groups)), hints[n].order))


def of_role(schema: Json, role: str) -> str | None:
    """The name of the field that has this role."""
    for name, field in schema.get("properties", {}).items():
        if Hints.of(field).role == role:
            return str(name)
    return None
