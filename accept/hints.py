"""What somebody meant who wrote a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

#: Longer ones are nobody's slip of the pen, and comparing takes the product of both lengths.
_MOST = 64
#: What other services call the same thing.
_ELSEWHERE: Mapping[str, str] = {
    "input": "params",
    "inputs": "params",
    "parameters": "params",
    "model": "engine",
    "version": "engine",
}


def hint(name: str, known: Iterable[str]) -> str:
    """` Did you mean ...?`, with the space before it; nothing where nothing is near."""
    names = list(known)
    other = _ELSEWHERE.get(name.lower())
    if other in names:
        return f" Did you mean {other}?"
    if len(name) > _MOST:
        return ""
    near = get_close_matches(name.lower().replace("-", "_"), names, n=1, cutoff=0.7)
    return f" Did you mean {near[0]}?" if near else ""
