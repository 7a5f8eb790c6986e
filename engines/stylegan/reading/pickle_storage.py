"""Tensors inside a pickle: the storage that PyTorch nests as a byte string, and the views on it.

`torch.storage._load_from_bytes` would run a second pickle with no guard at all; here its stream is parsed by
the same machine with a shorter list of names, and the numbers stay in the file: a tensor is a numpy view.
The nested stream is the legacy format of torch.save (torch/serialization.py): five pickles in a row (a magic
number, 1001, facts about the machine, one persistent id, the list of its key), an int64 count and the raw
little-endian numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt

from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.reading.pickle_machine import Blob, Budget, Global, Machine, Value

Array = npt.NDArray[np.generic]

#: What torch.save began with before version 1.6, as a pickle of its own.
MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DIMENSIONS = 8
#: A stride or an offset beyond it cannot point into any file.
_FAR = 2**40

_TYPES: dict[str, np.dtype[np.generic]] = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
    # As bytes: a file may hold others than 0 and 1, which numpy's bool must not.
    "BoolStorage": np.dtype("u1"),
}


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers in the file."""

    dtype: np.dtype[np.generic]
    #: Where it begins, in bytes from the beginning of the file.
    start: int
    #: How many.
    numel: int


def read_storage(data: memoryview, blob: Blob, budget: Budget) -> Storage:
    """The storage in a nested stream. Raises BadNetwork."""
    end = blob.start + blob.size
    position = blob.start

    def following() -> Value:
        nonlocal position
        machine = Machine(data, position, end, budget, _find_storage_type, find_persistent=_persistent)
        value = machine.run()
        position = machine.position
        return value

    magic, protocol, facts, declared, keys = (following() for _ in range(5))
    if magic != MAGIC or protocol != _LEGACY_PROTOCOL:
        raise BadNetwork("a tensor in it is not in PyTorch's format")
    if type(facts) is not dict or facts.get("little_endian") is not True:
        raise BadNetwork("its numbers were written by a big-endian machine")
    if type(declared) is not _Declared or keys != [declared.key]:
        raise BadNetwork("a tensor in it does not hold exactly one storage")
    numel = int.from_bytes(data[position : position + 8], "little", signed=True)
    start = position + 8
    if numel != declared.numel or start > end or end - start != numel * declared.dtype.itemsize:
        raise BadNetwork("a tensor in it does not hold as many numbers as it says")
    return Storage(declared.dtype, start, numel)


def view(data: memoryview, storage: Storage, offset: Value, size: Value, stride: Value) -> Array:
    """A tensor on a storage: read-only, nothing copied. Offset and strides count numbers, not bytes.

    Raises BadNetwork where it reaches outside the storage, or has more numbers than the storage, as a view
    with a stride of 0 would.
    """
    if type(size) is not tuple or type(stride) is not tuple or len(size) != len(stride):
        raise BadNetwork("a tensor in it has no proper shape")
    if len(size) > _DIMENSIONS:
        raise BadNetwork(f"a tensor in it has {len(size)} dimensions")
    for number in (offset, *size, *stride):
        if type(number) is not int or not 0 <= number < _FAR:
            raise BadNetwork("a tensor in it has a shape, stride or offset that cannot be")
    count = prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # numpy multiplies the other dimensions of an empty array as well.
    if prod(length or 1 for length in size) >= _FAR:
        raise BadNetwork("a tensor in it has a shape, stride or offset that cannot be")
    if count > storage.numel or offset > storage.numel or (count and last >= storage.numel):
        raise BadNetwork("a tensor in it reaches beyond its numbers")
    width = storage.dtype.itemsize
    # The stride of a dimension with one entry means nothing, and numpy need not see a strange one.
    steps = [step * width if length > 1 else width for length, step in zip(size, stride, strict=True)]
    if not count:
        return np.empty(size, storage.dtype)
    return np.ndarray(size, storage.dtype, data, storage.start + offset * width, steps)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What the persistent id of a storage says."""

    dtype: np.dtype[np.generic]
    key: str
    numel: int


def _persistent(value: Value) -> _Declared:
    if type(value) is tuple and len(value) == 6:
        what, kind, key, device, numel, part_of = value
        texts = type(what) is type(key) is type(device) is str
        if texts and what == "storage" and type(kind) is Global and type(numel) is int and part_of is None:
            return _Declared(_TYPES[kind.name], key, numel)
    raise BadNetwork("a tensor in it is of a kind that networks do not have")


def _find_storage_type(module: str, name: str) -> Global:
    if module != "torch" or name not in _TYPES:
        raise BadNetwork(f"a tensor in it asks for {clean(f'{module}.{name}')}, which no network needs")
    return Global(name, partial(_never_called, name))


def _never_called(name: str, arguments: tuple[Value, ...]) -> Value:
    raise BadNetwork(f"its pickle calls {name} with {len(arguments)} arguments, which no network does")
