"""pydantic's report of what is wrong -> entries that a form can put beside its fields.

pydantic reports a union once for every branch, and names the branch in the place of the mistake. Here the
place is what the client wrote: the report is walked together with the model's core schema, which knows where
a part of the place is a key or an index and where it is a branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from accept.hints import hint

#: Entries and characters of a report: enough to help, too few to be an amplifier.
MAX_ERRORS = 20
MAX_TEXT = 200

#: The patterns of our ids, as the models have them.
_ID = re.compile(r"\^(?P<prefix>[a-z]{3})_\[0-9a-f\]\{32\}\$")

#: Of a value that no branch of a union takes for its type.
_NO_BRANCH = "wrong_type"

Schema = Mapping[str, Any]
#: What pydantic's `errors()` gives, with its context and its input.
Report = Mapping[str, Any]


@dataclass(frozen=True)
class _Entry:
    path: tuple[str, ...]
    message: str
    code: str
    #: The value is of another JSON type than this branch of a union takes.
    stray: bool = False


def field_errors(error: ValidationError, model: type[BaseModel]) -> list[dict[str, str]]:
    """`[{field, message, code}]`, one for each mistake; without the refused input: huge or secret.

    `field` is a parameter's plain name, with `.index` or `.key` inside a list or an object: `style`,
    `style_weights.0`. A validator says which one it is about by the context of its PydanticCustomError:
    `{"field": "morph_to"}`.
    """
    found = _Walk(model.__pydantic_core_schema__).entries(error.errors(include_url=False))
    # A wrong key of an object is often reported of its value as well.
    first = {entry.path: entry for entry in reversed(found)}
    entries = [entry for entry in found if first[entry.path] is entry][:MAX_ERRORS]
    return [
        {"field": ".".join(e.path)[:MAX_TEXT], "message": e.message[:MAX_TEXT], "code": e.code}
        for e in entries
    ]


class _Walk:
    """One core schema, with the definitions that its parts refer to."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._definitions = {part["ref"]: part for part in schema.get("definitions", ())}

    def entries(self, reports: Sequence[Report]) -> list[_Entry]:
        return list(self._entries(self._root, reports, 0))

    def _entries(self, schema: Schema, reports: Sequence[Report], depth: int) -> Iterator[_Entry]:
        """Those of reports that are at this schema's place or below it; paths begin at this place."""
        schema = self._bare(schema)
        yield from (_entry(report) for report in reports if len(report["loc"]) == depth)
        groups: dict[Any, list[Report]] = {}
        for report in reports:
            if len(report["loc"]) > depth:
                groups.setdefault(report["loc"][depth], []).append(report)
        if schema.get("type") in ("union", "tagged-union"):
            yield from self._of_union(schema, groups, depth + 1)
            return
        for part, group in groups.items():
            if part == "[key]":  # pydantic's mark for the key of an object, as against its value
                yield from (_entry(report) for report in group)
                continue
            for entry in self._entries(_child(schema, part), group, depth + 1):
                if entry.code == "extra_forbidden" and not entry.path:
                    near = hint(str(part), schema.get("fields", ()))
                    entry = replace(entry, message=f"There is no such field.{near}")
                yield replace(entry, path=(str(part), *entry.path), stray=False)

    def _of_union(
        self, schema: Schema, groups: Mapping[Any, Sequence[Report]], depth: int
    ) -> Iterator[_Entry]:
        """What is wrong by the branch that the value was meant for."""
        branches = [
            list(self._entries(branch, group, depth))
            for branch, group in zip(_branches(schema, list(groups)), groups.values(), strict=True)
        ]
        meant = [entries for entries in branches if not all(entry.stray for entry in entries)]
        if meant:
            yield from min(meant, key=len)
        elif branches:
            yield _of_no_branch([entry for entries in branches for entry in entries])

    def _bare(self, schema: Schema) -> Schema:
        """Without what stands around it and adds nothing to the place of a mistake."""
        while True:
            kind = schema.get("type")
            if kind == "definition-ref":
                schema = self._definitions.get(schema["schema_ref"], {})
            elif kind == "union" and len(schema["choices"]) == 1:
                schema = _choice(schema["choices"][0])
            elif (inner := schema.get("schema") or schema.get("json_schema")) is not None:
                schema = inner
            elif kind == "lax-or-strict":
                schema = schema["strict_schema"]
            elif kind == "chain":
                schema = schema["steps"][0]
            else:
                return schema


def _child(schema: Schema, part: Any) -> Schema:
    """The schema of a key or an index; an empty one where nothing is known of it."""
    found: Schema
    match schema.get("type"):
        case "model-fields" | "typed-dict":
            found = schema["fields"].get(part, {})
        case "list" | "set" | "frozenset":
            found = schema.get("items_schema", {})
        case "dict":
            found = schema.get("values_schema", {})
        case "tuple":
            items = schema["items_schema"]
            found = items[part] if isinstance(part, int) and part < len(items) else {}
        case _:
            found = {}
    return found


def _branches(schema: Schema, labels: Sequence[Any]) -> list[Schema]:
    """The branch that each label means; pydantic reports a union's branches in their order."""
    if schema["type"] == "tagged-union":
        return [schema["choices"].get(label, {}) for label in labels]
    choices = [_choice(choice) for choice in schema["choices"]]
    return choices if len(choices) == len(labels) else [{}] * len(labels)


def _choice(choice: Any) -> Schema:
    found: Schema = choice[0] if isinstance(choice, tuple) else choice
    return found


def _entry(report: Report) -> _Entry:
    context = report.get("ctx", {})
    code = str(report["type"])
    field = context.get("field")
    return _Entry((field,) if isinstance(field, str) else (), _message(report), code, _is_stray(report))


def _message(report: Report) -> str:
    """The sentence; a validator's own words as they are."""
    context = report.get("ctx", {})
    raised = context.get("error")
    if isinstance(raised, Exception):
        return str(raised)
    if an_id := _ID.fullmatch(str(context.get("pattern", ""))):
        return f"Input should be an id: {an_id['prefix']}_ and 32 hexadecimal digits"
    # JSON has no dictionaries, and what validation comes to is nobody's concern.
    return str(report["msg"]).replace("Dictionary", "Object").replace(" after validation", "")


def _is_stray(report: Report) -> bool:
    code = str(report["type"])
    if code in ("literal_error", "enum"):
        return not isinstance(report["input"], str)
    return code.endswith(("_type", "_parsing"))


def _of_no_branch(entries: Sequence[_Entry]) -> _Entry:
    """One entry for all that the value might have been: `a valid integer or a valid string`."""
    first, *more = entries
    if len({entry.message for entry in entries}) == 1:
        return first
    begin = "Input should be "
    if not all(entry.message.startswith(begin) for entry in entries):
        return first
    rest = dict.fromkeys(entry.message.removeprefix(begin) for entry in more)
    return replace(first, message=" or ".join([first.message, *rest]), code=_NO_BRANCH)
