"""Official networks (`.pkl`) as plain data, without running anything that is in them.

A pickle is a program, and the official loader also executes the source text that these files carry. This
reader knows some forty instructions (`pickle_machine`), a dozen names that stand for plain data
(`pickle_globals`), and nested storages of numbers (`pickle_storage`). Everything else is refused, and so is
everything out of bounds.

The file is mapped into memory: tensors are read-only numpy views on it, and a page is only loaded when
somebody looks at its numbers. Should the file be cut off by somebody else meanwhile, the process dies
(SIGBUS): strangers' files are read in a child process (`sandbox`).
"""

from __future__ import annotations

import mmap
from pathlib import Path

from engines.base import EngineError
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading.pickle_globals import Globals, set_state
from engines.stylegan.reading.pickle_machine import Budget, Limits, Machine, Value
from engines.stylegan.reading.pickle_storage import MAGIC

__all__ = ["BadNetwork", "Limits", "parse", "read"]

#: What people take for a network, by its first bytes.
_OTHERS = {
    b"PK": "this is a ZIP archive or a PyTorch checkpoint",
    b"\x1f\x8b": "this is a gzip archive; unpack it first",
    b"<": "this is a web page: the download went wrong",
    b"version https://git-lfs": "this is a pointer of Git LFS, not the file itself",
}
_FIRST_BYTES = 32


def read(path: Path, limits: Limits | None = None) -> dict[str, Value]:
    """The dictionary in an official file: `G_ema`, often `G`, `D` and more.

    Raises BadNetwork for everything that is not such a file, and EngineError where it cannot be opened.
    """
    limits = limits or Limits()
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            if size > limits.file_bytes:
                raise BadNetwork(f"it has {size:,} bytes; at most {limits.file_bytes:,} are read")
            if not size:
                raise BadNetwork("the file is empty")
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise EngineError(f"{path.name} cannot be read: {error}") from error
    return parse(memoryview(mapped), limits)


def parse(data: memoryview, limits: Limits | None = None) -> dict[str, Value]:
    """The dictionary in the bytes of an official file; tensors are views on them. Raises BadNetwork."""
    first = bytes(data[:_FIRST_BYTES])
    for begin, what in _OTHERS.items():
        if first.startswith(begin):
            raise BadNetwork(f"{what}; networks are .pkl files of stylegan2-ada-pytorch")
    if not first.startswith(b"\x80"):
        raise BadNetwork("this is not a pickle; networks are .pkl files of stylegan2-ada-pytorch")
    budget = Budget.of(limits or Limits())
    machine = Machine(data, 0, len(data), budget, Globals(data, budget).find, set_state)
    found = machine.run()
    if type(found) is int and found == MAGIC:
        raise BadNetwork(
            "this is a PyTorch checkpoint in the old format of torch.save (.pt), as other StyleGAN2 programs "
            "write it; networks are .pkl files of stylegan2-ada-pytorch"
        )
    if machine.position != len(data):
        raise BadNetwork(f"{len(data) - machine.position:,} bytes follow the end of its pickle")
    if type(found) is not dict:
        raise BadNetwork("its pickle holds no dictionary of networks")
    return found
