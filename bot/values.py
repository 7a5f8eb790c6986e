"""What somebody typed -> a value that a JSON Schema allows.

Only what engines use of JSON Schema is known here; the API checks everything again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.texts import clean

Json = dict[str, Any]

#: No message is longer; what is typed past it was not meant as a value.
MAX_TYPED = 4096
#: Longer numbers are no numbers anybody means, and slow to read.
_MAX_DIGITS = 40
#: Nested references, in a schema or a typed value, are followed so deep.
_MAX_DEPTH = 8

_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?")
_PAIR = re.compile(r"\s*([^\s=:,;{}\"]+)\s*[=:\s]\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*%?\s*(?:[,;]|\s|$)")
_YES = frozenset({"yes", "y", "on", "true", "1", "ja", "an", "tak", "t", "да", "вкл", "+"})
_NO = frozenset({"no", "n", "off", "false", "0", "nein", "aus", "nie", "нет", "выкл", "-"})

#: The most telling complaint first, where a text fits none of several forms.
_TELLING = (
    "too_small",
    "too_large",
    "too_few",
    "too_many",
    "too_long",
    "too_short",
    "unknown_name",
    "missing_name",
    "not_a_choice",
    "pattern",
)


class BadValue(ValueError):
    """What was typed or sent is no value of this field; `code` says why, `facts` with which numbers."""

    def __init__(self, code: str, **facts: str | int | float) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


def variants(schema: Json, root: Json, depth: int = 0) -> Iterator[Json]:
    """The plain forms a value may have: `anyOf`, `oneOf`, references and lists of types taken apart."""
    if depth > _MAX_DEPTH:
        yield {}
        return
    if isinstance(ref := schema.get("$ref"), str):
        target = root.get("$defs", {}).get(ref.rpartition("/")[2], {})
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        yield from variants({**target, **rest}, root, depth + 1)
        return
    for word in ("anyOf", "oneOf", "allOf"):
        if inner := schema.get(word):
            for one in inner:
                yield from variants(one, root, depth + 1)
            return
    if isinstance(types := schema.get("type"), list):
        for one in types:
            yield {**schema, "type": one}
        return
    yield schema


def is_null(variant: Json) -> bool:
    """Whether it stands for "nothing"."""
    return variant.get("type") == "null" or ("const" in variant and variant["const"] is None)


def options(variant: Json) -> list[Any] | None:
    """The values it lists; None where it lists none."""
    if "const" in variant:
        return [variant["const"]]
    found: list[Any] | None = variant.get("enum")
    return found


def parse(forms: Sequence[Json], typed: str) -> Any:
    """The value of the first form that allows this text. Raises BadValue: the most telling complaint."""
    if len(typed) > MAX_TYPED:
        raise BadValue("too_long", maximum=MAX_TYPED)
    text = clean(typed).strip()
    complaints = []
    for variant in forms:
        try:
            value = _read(variant, text)
            check(variant, value)
        except BadValue as complaint:
            complaints.append(complaint)
        else:
            return value
    if not complaints:
        raise BadValue("not_a_choice")
    raise min(complaints, key=lambda one: _TELLING.index(one.code) if one.code in _TELLING else len(_TELLING))


def check(schema: Json, value: Any, depth: int = 0) -> None:
    """Raises BadValue where the schema does not allow the value."""
    if depth > _MAX_DEPTH:
        raise BadValue("not_json")
    if (listed := options(schema)) is not None:
        # 1 == True in Python and not in JSON.
        if not any(value == one and type(value) is type(one) for one in listed):
            raise BadValue("not_a_choice")
    elif inner := schema.get("anyOf") or schema.get("oneOf"):
        _check_any(inner, value, depth)
    else:
        _check_type(schema, value)
        if isinstance(value, str):
            _check_text(schema, value)
        elif isinstance(value, bool):
            pass
        elif isinstance(value, int | float):
            check_bounds(schema, value)
        elif isinstance(value, list):
            _check_count(len(value), schema.get("minItems"), schema.get("maxItems"))
            for one in value:
                check(schema.get("items", {}), one, depth + 1)
        elif isinstance(value, dict):
            _check_object(schema, value, depth)


def check_bounds(schema: Json, value: float) -> None:
    """Raises BadValue (`too_small`, `too_large`) for a number outside of the schema's bounds."""
    low, high = bounds(schema)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and (value < low or (above is not None and value <= above)):
        raise BadValue("too_small", minimum=low)
    if high is not None and (value > high or (below is not None and value >= below)):
        raise BadValue("too_large", maximum=high)


def bounds(schema: Json) -> tuple[float | None, float | None]:
    """The least and the greatest number; of a fraction, an exclusive bound itself."""
    step = 1 if schema.get("type") == "integer" else 0
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and (above := schema.get("exclusiveMinimum")) is not None:
        low = above + step
    if high is None and (below := schema.get("exclusiveMaximum")) is not None:
        high = below - step
    return low, high


def _check_any(inner: Sequence[Json], value: Any, depth: int) -> None:
    complaints = []
    for one in inner:
        try:
            check(one, value, depth + 1)
        except BadValue as complaint:
            complaints.append(complaint)
    if len(complaints) == len(inner):
        raise complaints[0]


def _check_type(schema: Json, value: Any) -> None:
    wanted: dict[str, tuple[type, str]] = {
        "string": (str, "not_text"),
        "boolean": (bool, "not_yes_or_no"),
        "integer": (int, "not_whole"),
        "array": (list, "not_a_list"),
        "object": (dict, "not_pairs"),
        "null": (type(None), "not_a_choice"),
    }
    name = schema.get("type")
    if name == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValue("not_a_number")
    elif name in wanted:
        kind, code = wanted[name]
        if not isinstance(value, kind) or (name == "integer" and isinstance(value, bool)):
            raise BadValue(code)


def _check_text(schema: Json, value: str) -> None:
    low, high = schema.get("minLength"), schema.get("maxLength")
    if low is not None and len(value) < low:
        raise BadValue("too_short", minimum=low)
    if high is not None and len(value) > high:
        raise BadValue("too_long", maximum=high)
    if (pattern := schema.get("pattern")) is not None:
        try:
            found = re.search(pattern, value)
        except re.error:
            return  # another dialect than Python's: the API judges
        if found is None:
            raise BadValue("pattern")


def _check_object(schema: Json, value: Mapping[str, Any], depth: int) -> None:
    _check_count(len(value), schema.get("minProperties"), schema.get("maxProperties"))
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        raise BadValue("missing_name", name=missing[0])
    for name, inner in value.items():
        if (named := options(schema.get("propertyNames", {}))) is not None and name not in named:
            raise BadValue("unknown_name", name=name)
        if name in known:
            check(known[name], inner, depth + 1)
        elif others is False:
            raise BadValue("unknown_name", name=name)
        elif isinstance(others, dict):
            check(others, inner, depth + 1)


def _check_count(count: int, low: int | None, high: int | None) -> None:
    if low is not None and count < low:
        raise BadValue("too_few", minimum=low)
    if high is not None and count > high:
        raise BadValue("too_many", maximum=high)


def _read(variant: Json, text: str) -> Any:
    if (listed := options(variant)) is not None:
        return _listed(listed, text)
    match variant.get("type"):
        case "integer":
            return whole(text)
        case "number":
            return number(text)
        case "boolean":
            return _switch(text)
        case "string":
            return text
        case "array":
            return _list(variant, text)
        case "object":
            return _object(variant, text)
        case _:
            return _json(text)


def _listed(listed: Sequence[Any], text: str) -> Any:
    wanted = text.casefold().replace(" ", "_")
    for one in listed:
        if str(one).casefold().replace(" ", "_") == wanted:
            return one
    raise BadValue("not_a_choice")


def whole(text: str) -> int:
    """A whole number. Raises BadValue."""
    text = text.replace("−", "-")
    if len(text) > _MAX_DIGITS or not _WHOLE.fullmatch(text):
        raise BadValue("not_whole")
    return int(text)


def number(text: str) -> float:
    """A finite number, with a decimal point or comma. Raises BadValue."""
    text = text.replace("−", "-")
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise BadValue("not_a_number")
    return _finite(text.replace(",", "."))


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadValue("not_a_number")
    return value


def _switch(text: str) -> bool:
    word = text.casefold()
    if word not in _YES | _NO:
        raise BadValue("not_yes_or_no")
    return word in _YES


def _list(variant: Json, text: str) -> Any:
    if text.startswith("["):
        return _json(text)
    items = variant.get("items", {})
    if items.get("type") in ("integer", "number"):
        return [_read(items, one) for one in re.split(r"[,;\s]+", text) if one]
    return [text]


def _object(variant: Json, text: str) -> Any:
    """JSON, or, where all values are numbers, pairs such as `earth=0.6, mars=0.4`."""
    if text.startswith("{"):
        return _json(text)
    inner = variant.get("additionalProperties")
    read: dict[str, Any] = {}
    position = 0
    if not isinstance(inner, dict) or inner.get("type") not in ("integer", "number"):
        raise BadValue("not_json")
    while position < len(text) and (pair := _PAIR.match(text, position)):
        read[pair[1].casefold()] = _read(inner, pair[2])
        position = pair.end()
    if not read or text[position:].strip():
        raise BadValue("not_pairs")
    return read


def _json(text: str) -> Any:
    def refuse(_word: str) -> Any:
        raise BadValue("not_json")

    try:
        return json.loads(text, parse_constant=refuse, parse_float=_finite)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadValue("not_json") from error
    except BadValue:
        raise
    except ValueError as error:  # a whole number of more digits than Python reads
        raise BadValue("not_json") from error
