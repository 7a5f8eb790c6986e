"""The modules of an official network as the pickle tells of them: children, tensors and attributes, checked.

A file may put anything anywhere, so nothing here trusts a type. What stands once in it may be recalled in any
number of places, so every table is bounded as well: what is walked is no more than modules times entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.reading.pickle_globals import Module, Parameter
from engines.stylegan.reading.pickle_machine import Value
from engines.stylegan.reading.pickle_storage import Array

T = TypeVar("T")

#: A 1024 px network has 70 modules, six deep.
_MODULES, _DEPTH = 2000, 12
#: Children, parameters or buffers of one module, and letters of their names; 33 and 15 are known.
_ENTRIES, _NAME = 256, 100


class Part:
    """A module and where it stands, for messages."""

    def __init__(self, module: Value, path: str) -> None:
        """Raises BadNetwork where it is no module."""
        if type(module) is not Module:
            raise BadNetwork(f"it has no module {path}")
        self.path = path
        self._state = module.state

    def child(self, name: str) -> Part:
        """Raises BadNetwork where there is none."""
        return Part(self._entries("_modules").get(name), f"{self.path}.{name}")

    def children(self) -> dict[str, Part]:
        """All of them; official code writes None where a module has been left out."""
        return {
            name: Part(module, f"{self.path}.{clean(name)}")
            for name, module in self._listed("_modules")
            if module is not None
        }

    def tensors(self) -> Iterator[tuple[str, Array]]:
        """Its own parameters and those buffers that belong to a state dict."""
        for name, value in self._listed("_parameters"):
            if value is not None:
                if type(value) is not Parameter:
                    raise BadNetwork(f"{self.path}.{clean(name)} is not a parameter")
                yield name, value.array
        unsaved = self._state.get("_non_persistent_buffers_set")
        for name, value in self._listed("_buffers"):
            if value is not None and not (type(unsaved) is set and name in unsaved):
                if not isinstance(value, np.ndarray):
                    raise BadNetwork(f"{self.path}.{clean(name)} is not a tensor")
                yield name, value

    def tensor(self, name: str, dimensions: int) -> Array:
        """Raises BadNetwork where there is none, or it has another number of dimensions."""
        found = dict(self.tensors()).get(name)
        if found is None or found.ndim != dimensions:
            raise BadNetwork(f"{self.path} has no {name} of {dimensions} dimensions")
        return found

    def is_buffer(self, name: str) -> bool:
        """Whether that tensor is not trained."""
        return name in self._entries("_buffers")

    def has(self, name: str) -> bool:
        """Whether it has an attribute of that name."""
        return name in self._state

    def integer(self, name: str) -> int:
        """An attribute. Raises BadNetwork where it is absent or something else."""
        value = self._attribute(name)
        if type(value) is not int or abs(value) > 2**31:
            raise BadNetwork(f"{self.path}.{name} is not an integer in bounds")
        return value

    def several(self, name: str) -> list[Value] | tuple[Value, ...] | None:
        """An attribute that is a list of things where others have one; None where it is not."""
        value = self._state.get(name)
        return value if type(value) in (list, tuple) else None

    def number(self, name: str) -> float | None:
        """An attribute that may be None. Raises BadNetwork where it is absent or something else."""
        value = self._attribute(name)
        if value is None:
            return None
        if type(value) not in (int, float) or not abs(value) < 2**31:
            raise BadNetwork(f"{self.path}.{name} is not a number in bounds")
        return float(value)

    def flag(self, name: str) -> bool:
        """An attribute. Raises BadNetwork where it is absent or something else."""
        value = self._attribute(name)
        if type(value) is not bool:
            raise BadNetwork(f"{self.path}.{name} is not a truth value")
        return value

    def text(self, name: str) -> str:
        """An attribute. Raises BadNetwork where it is absent or something else."""
        value = self._attribute(name)
        if type(value) is not str:
            raise BadNetwork(f"{self.path}.{name} is not a text")
        return value

    def hint(self, name: str) -> int:
        """What its maker was called with, where that was an integer; else 0."""
        arguments = self._state.get("_init_kwargs")
        value = arguments.get(name) if type(arguments) is dict else None
        return value if type(value) is int else 0

    def expect(self, **attributes: str | float) -> None:
        """Raises BadNetwork where one of these attributes is there and has another value."""
        for name, expected in attributes.items():
            if not self.has(name):
                continue
            if isinstance(expected, str):
                found: str | float | None = self.text(name)
                same = found == expected
            else:
                found = self.number(name)
                same = found is not None and math.isclose(found, expected, rel_tol=1e-5)
            if not same:
                raise BadNetwork(
                    f"{self.path}.{name} is {clean(str(found))}, which is not computed here: {expected}"
                )

    def _attribute(self, name: str) -> Value:
        if not self.has(name):
            raise BadNetwork(f"{self.path} does not say its {name}")
        return self._state[name]

    def _listed(self, name: str) -> Iterator[tuple[str, Value]]:
        """Entries, to be walked. Raises BadNetwork for more of them than a module has."""
        entries = self._entries(name)
        if len(entries) > _ENTRIES:
            raise BadNetwork(f"{self.path} has {len(entries):,} {name}; at most {_ENTRIES} are read")
        for key, value in entries.items():
            if len(key) > _NAME:
                raise BadNetwork(f"{self.path} has an entry named {clean(key)}, of {len(key):,} letters")
            yield key, value

    def _entries(self, name: str) -> dict[str, Value]:
        entries = self._state.get(name)
        if type(entries) is not dict:
            raise BadNetwork(f"{self.path} has no {name}")
        return entries


def modules(part: Part) -> Iterator[tuple[str, Part]]:
    """The module and everything in it, by official name. Raises BadNetwork where there is no end to it."""
    waiting = [("", part, 0)]
    for _ in range(_MODULES):
        if not waiting:
            return
        prefix, current, depth = waiting.pop()
        yield prefix, current
        if depth >= _DEPTH:
            raise BadNetwork(f"{part.path} nests its modules more than {_DEPTH} deep")
        for name, child in current.children().items():
            waiting.append((f"{prefix}{name}.", child, depth + 1))
    raise BadNetwork(f"{part.path} has more than {_MODULES} modules")


def same(what: str, found: Iterable[T]) -> T:
    """What all have in common. Raises BadNetwork where they differ."""
    values = set(found)
    if len(values) != 1:
        raise BadNetwork(f"its parts differ in {what}, which is not computed here")
    return values.pop()
