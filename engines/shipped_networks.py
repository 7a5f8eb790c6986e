"""The networks that come with an engine, as the API shows them: from their files' headers, without torch.

`engines.shipped` reads the same files to draw with them, and verifies them then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engines.base import ShippedNetwork

_REGISTER = "weights.json"
_LONGEST_HEADER = 2**20


def described(
    folder: Path, names: Sequence[str], facts: Callable[[Mapping[str, str]], dict[str, Any]]
) -> tuple[ShippedNetwork, ...]:
    """Each `<name>.safetensors` of the folder; `facts` takes the metadata in its header.

    A machine that draws nothing may have been set up without the files: then only the name is known.
    """
    return tuple(_described(folder / f"{name}.safetensors", name, facts) for name in names)


def _described(path: Path, name: str, facts: Callable[[Mapping[str, str]], dict[str, Any]]) -> ShippedNetwork:
    try:
        registered = json.loads((path.parent / _REGISTER).read_text())
        with path.open("rb") as file:
            # The safetensors format: eight bytes with the header's length, then JSON.
            length = min(int.from_bytes(file.read(8), "little"), _LONGEST_HEADER)
            header = json.loads(file.read(length))
        return ShippedNetwork(
            name, registered[path.name]["sha256"], path.stat().st_size, facts(header["__metadata__"])
        )
    except (OSError, ValueError, KeyError):
        return ShippedNetwork(name)
