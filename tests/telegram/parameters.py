"""A call's parameters, however they came: in the query, as a form, as multipart or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.telegram.errors import bad_request

Json = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """A file that came with the request."""

    name: str
    mime: str
    data: bytes


@dataclass(frozen=True)
class Parameters:
    """Named values of one call. In a form all are strings, in a JSON body they have types: both are read."""

    values: Json = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name)
        return default if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; what is none counts as absent, as on the real server."""
        try:
            return int(self.values.get(name, default))
        except (TypeError, ValueError):
            return default

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1", "yes", "y", "t")

    def structure(self, name: str) -> Any:
        """An object or a list, JSON in a form's string; None where absent. Raises ApiError (400)."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error
