"""What every report of mistakes is held to, and values that make some."""

from __future__ import annotations

import re
from typing import Any

#: Values of every JSON type; some are wrong for any parameter there is.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 10**30, -(10**30), 1.5, -0.25, 1e300),
    *("", "1", "1, 2", "9-1", "x", "x" * 2000, "é☃", "1/0", "%%%", "net_1", "https://"),
    *([], [1], [-1], [[1]], [None], ["x", None], [1, "x", -1], [{}], [0.5] * 100),
    *({}, {"a": 1}, {"mars": -1, "a": "b"}, {"coarse": "x"}, {"mix": {"name": []}}, {"0": [1]}),
)
#: Words of pydantic's workings and of its way to say things that are none of a user's.
JARGON = re.compile(
    r"Value error,|Assertion failed|function-|constrained-|tagged-union|literal\[|\[key\]|list\[|dict\["
    r"|nullable|_checked|validat|Dictionary|\\d|\(\?"
)
CODE = re.compile(r"[a-z][a-z_]{2,40}")


def elements(value: Any) -> int:
    """How many mistakes there can be in a value: its own, or one an element."""
    return max(1, len(value)) if isinstance(value, list | dict) else 1


def check(entries: list[dict[str, str]], fields: set[str], wrong: dict[str, Any]) -> None:
    """Each stands beside a field, in plain words, and one mistake is told once."""
    paths = [entry["field"] for entry in entries]
    assert len(set(paths)) == len(paths), entries
    for entry in entries:
        assert entry.keys() == {"field", "message", "code"}
        assert entry["message"]
        assert not JARGON.search(entry["message"] + entry["field"]), entry
        assert CODE.fullmatch(entry["code"]), entry
        assert entry["field"].partition(".")[0] in fields, entry
    for name, value in wrong.items():
        told = [
            e["field"] for e in entries if e["code"] != "missing"
        ]  # what is not there is a mistake of its own
        mine = [path for path in told if path.partition(".")[0] == name]
        assert len(mine) <= elements(value), (value, entries)
        if len(mine) > 1:
            assert all("." in path for path in mine), (value, entries)
