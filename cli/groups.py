"""The sections of an engine's help: its parameters by their groups, those that few need last."""

from __future__ import annotations

from collections.abc import Mapping

import click

from cli.options import options
from client import Json

#: Of parameters that are in no group, and of those that are advanced.
UNGROUPED, ADVANCED = "What to make", "What few need"


def sections(schema: Json) -> Mapping[str, list[click.Option]]:
    """Title -> options, in the order in which help shows them; no section is empty."""
    groups: dict[str, str] = schema.get("x-ui", {}).get("groups", {})
    found: dict[str, list[click.Option]] = {title: [] for title in (UNGROUPED, *groups.values(), ADVANCED)}
    said = {name: field.get("x-ui", {}) for name, field in schema.get("properties", {}).items()}
    for option in sorted(options(schema), key=lambda option: said[str(option.name)].get("order", 0)):
        hints = said[str(option.name)]
        title = groups.get(hints.get("group", ""), UNGROUPED)
        found[ADVANCED if hints.get("advanced") else title].append(option)
    return {title: some for title, some in found.items() if some}
