"""How a field of the params wants to be asked for: the `x-ui` of its JSON Schema, as docs/engines.md has it.

Light, as everything that specs import. Every client draws its forms from this and knows no field by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

#: What a field is to its engine, where clients have a use for knowing it. An engine has one field of a role.
Role = Literal["content", "style", "seed", "latent", "size", "quality", "strength", "precision", "format"]
ROLES: tuple[Role, ...] = get_args(Role)

#: The groups that engines have in common, in the order of a form, in English. An engine's own follow these.
GROUPS: Mapping[str, str] = {"subject": "Subject", "look": "Look", "film": "Film", "result": "Result"}

#: Choices that are called the same in every language.
FILE_TYPES: Mapping[str, str] = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WebP",
    "avif": "AVIF",
    "mp4": "MP4",
    "zip": "ZIP",
}


def ui(
    group: str,
    *,
    order: int = 0,
    only_with: str = "",
    role: Role | None = None,
    advanced: bool = False,
    ends: tuple[str, str] | None = None,
    choices: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """For `Field(json_schema_extra=...)`: what is said, and nothing of what is left out.

    `ends` says in English what the least and the most of a number do, `choices` what values are called whose
    names do not say it.
    """
    hints: dict[str, Any] = {"group": group}
    if order:
        hints["order"] = order
    if only_with:
        hints["with"] = only_with
    if role is not None:
        hints["role"] = role
    if advanced:
        hints["advanced"] = True
    if ends is not None:
        hints["ends"] = list(ends)
    if choices:
        hints["choices"] = dict(choices)
    return {"x-ui": hints}


def named(value: str) -> str:
    """What a choice, or a group, is called in English where nobody says it better."""
    return FILE_TYPES.get(value) or value.replace("_", " ").capitalize()
