"""The names that official networks refer to, each with an inert stand-in of ours.

What a call would have made becomes plain data: a module of the network is its class name and its state, a
numpy number is a Python number, an array that nobody needs is only its place. The program text of a module
is never looked at.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.reading.pickle_machine import Blob, Budget, Global, Value, checked_keys
from engines.stylegan.reading.pickle_storage import Array, Storage, read_storage, view


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a network: what a persistent object of the official code says of itself."""

    class_name: str
    #: The object's attributes. May hold anything the file likes; only names are sure to be texts.
    state: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A tensor that is trained; buffers are bare arrays."""

    array: Array


class NumberType:
    """A numpy dtype of one number."""

    __slots__ = ("code", "little_endian")

    def __init__(self, code: str) -> None:
        self.code = code
        self.little_endian = True


class UnreadArray:
    """A numpy array, not read: StyleGAN2 has none."""

    __slots__ = ()


#: struct's letters for numpy's names.
_NUMBERS = {
    **{"f2": "e", "f4": "f", "f8": "d", "b1": "?"},
    **{"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
}


class Globals:
    """The table of one file: some of its stand-ins read further in the file."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        calls: dict[tuple[str, str], Callable[[tuple[Value, ...]], Value]] = {
            ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
            ("collections", "OrderedDict"): _dictionary,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch.storage", "_load_from_bytes"): self._storage,
            ("dnnlib.util", "EasyDict"): _dictionary,
            ("builtins", "set"): self._set,
            ("__builtin__", "set"): self._set,
            ("numpy", "dtype"): _number_type,
            ("numpy", "ndarray"): partial(_refused, "numpy.ndarray"),
        }
        # The place's name in numpy 1 and in numpy 2.
        for place in ("numpy.core.multiarray", "numpy._core.multiarray"):
            calls[place, "scalar"] = self._number
            calls[place, "_reconstruct"] = _unread_array
        self._table = {
            (module, name): Global(f"{module}.{name}", call, is_class=name == "EasyDict")
            for (module, name), call in calls.items()
        }

    def find(self, module: str, name: str) -> Global:
        """Raises BadNetwork for every name that is not in the table."""
        found = self._table.get((module, name))
        if found is not None:
            return found
        if module.startswith("dnnlib.tflib"):
            raise BadNetwork(
                "this is a network of the old TensorFlow StyleGAN; convert it with the legacy.py of "
                "stylegan2-ada-pytorch, on a machine on which you would run it, and take the result"
            )
        raise BadNetwork(f"its pickle asks for {clean(f'{module}.{name}')}, which no network needs")

    def _storage(self, arguments: tuple[Value, ...]) -> Storage:
        match arguments:
            case (Blob() as blob,):
                return read_storage(self._data, blob, self._budget)
        raise BadNetwork("a tensor in it has no numbers")

    def _tensor(self, arguments: tuple[Value, ...]) -> Array:
        self._budget.tensors -= 1
        if self._budget.tensors < 0:
            raise BadNetwork(f"it holds more than {self._budget.limits.tensors} tensors")
        match arguments:
            # Behind the stride: whether it needs a gradient, hooks and, since torch 2, metadata.
            case (Storage() as storage, offset, size, stride, bool(), dict(), *rest) if len(rest) < 2:
                return view(self._data, storage, offset, size, stride)
        raise BadNetwork("a tensor in it is not built as tensors are")

    def _number(self, arguments: tuple[Value, ...]) -> float | int | bool:
        match arguments:
            case (NumberType() as kind, Blob() as blob):
                layout = "<" + _NUMBERS[kind.code]
                if kind.little_endian and blob.size == struct.calcsize(layout):
                    number: float | int | bool = struct.unpack_from(layout, self._data, blob.start)[0]
                    return number
        raise BadNetwork("a number in it is not built as numbers are")

    def _set(self, arguments: tuple[Value, ...]) -> set[str]:
        match arguments:
            case (list() as items,):
                # The list may come from the memo, any number of times.
                self._budget.pay(len(items))
                return set(checked_keys(items))
        raise BadNetwork("a set in it is not built as sets are")


def set_state(target: Value, state: Value) -> None:
    """What BUILD does: numpy's types and arrays alone have a state. Raises BadNetwork for all else."""
    if type(target) is UnreadArray:
        return
    match state:
        # The version of the state, the order of bytes, and what only matters for other types.
        case (int(), str() as order, *_) if type(target) is NumberType and order in ("<", "|", ">"):
            target.little_endian = order != ">"
        case _:
            raise BadNetwork(f"its pickle sets the state of a {clean(type(target).__name__)}")


# The patterns below compare nothing but texts and integers: an array in their place would not be equal to
# anything, but a whole array of answers.


def _module(arguments: tuple[Value, ...]) -> Module:
    match arguments:
        case ({"type": str() as kind, "class_name": str() as name, "state": dict() as state},) if (
            kind == "class"
        ):
            return Module(name, state)
    raise BadNetwork("a module in it is not built as modules are")


def _parameter(arguments: tuple[Value, ...]) -> Parameter:
    match arguments:
        # Behind the tensor: whether it needs a gradient, hooks and, with some, its attributes.
        case (np.ndarray() as tensor, bool(), dict(), *rest) if len(rest) < 2:
            return Parameter(tensor)
    raise BadNetwork("a parameter in it is not built as parameters are")


def _dictionary(arguments: tuple[Value, ...]) -> dict[str, Value]:
    if arguments:
        raise BadNetwork("a dictionary in it is not built as dictionaries are")
    return {}


def _number_type(arguments: tuple[Value, ...]) -> NumberType:
    match arguments:
        # Objects ("O") would be a door to everything; they are not in the table.
        case (str() as code, int() as align, int() as copy) if code in _NUMBERS and (align, copy) == (0, 1):
            return NumberType(code)
    raise BadNetwork("a number in it is of a kind that networks do not have")


def _unread_array(arguments: tuple[Value, ...]) -> UnreadArray:
    match arguments:
        case (Global() as kind, (int(),), Blob()) if kind.name == "numpy.ndarray":
            return UnreadArray()
    raise BadNetwork("an array in it is not built as arrays are")


def _refused(name: str, arguments: tuple[Value, ...]) -> Value:
    raise BadNetwork(f"its pickle calls {name} with {len(arguments)} arguments, which no network does")
