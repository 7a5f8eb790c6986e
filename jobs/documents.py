"""JSON objects as rows and requests hold them."""

from __future__ import annotations

from typing import Any

#: One whose names and values are somebody else's: an engine's params, an owner's metadata.
JSONObject = dict[str, Any]
