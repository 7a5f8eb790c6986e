"""Keys that stand twice in one JSON object: a parser takes the last one and says nothing."""

from __future__ import annotations

import json
from typing import Any

from api.requests.data_uris import without_data_uris
from jobs.errors import Invalid

#: From here on what is long is put aside first: pictures, which are most of a large body and hold no keys.
_LARGE = 64 * 1024
_MAX_SHOWN = 100


def refuse_repeated(data: bytes) -> None:
    """Raise Invalid (`duplicate_key`) for a text, valid JSON, in which an object has a key twice."""
    if len(data) > _LARGE:
        data = without_data_uris(data)
    _PARSER.decode(data.decode())


def _object(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise Invalid(f"The key {repeated[:_MAX_SHOWN]!r} stands twice in one object.", code="duplicate_key")


#: Numbers stay text: nobody looks at them, and making one takes time that grows with its length squared.
_PARSER = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str)
