"""The pickle machine, as far as networks need it: a stack, a memo and 40 opcodes, each of them bounded.

Python's own Unpickler with a `find_class` was not taken: it cannot be told how large a memo, an integer or a
text may grow, it looks up attributes of whatever a file builds (BUILD), and it copies every byte string. Here
nothing is imported, called or set but what stands in `Global` tables of ours; byte strings stay where they
are in the file (`Blob`), so 360 MB of weights cost no memory.

Work is paid for in steps: one for an opcode, and one more for every value that it walks, so that a few bytes
which recall a long list again and again cannot buy more than the same bytes written out. The loop is plain
Python: a file of 1024 px networks takes about 100,000 steps, a tenth of a second.

The opcodes are described in Lib/pickletools.py of CPython. Left out are those that official networks never
hold: EXT, INST, OBJ, DUP, POP, the text forms of protocol 0, and PERSID.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engines.stylegan.bad_network import BadNetwork, clean

#: Whatever a pickle holds: plain values, and the stand-ins of `pickle_globals`.
Value = Any

#: Texts longer than this are measured and dropped: the program text that official files carry.
LONG_TEXT = 4096
_LONGEST_NAME = 256
#: An official file's longest integer is the ten-byte magic number of a storage.
_LONGEST_INTEGER = 16


@dataclass(frozen=True)
class Limits:
    """How much a file may ask for. A file of 1024 px networks: 380 MB, some 100,000 steps, 450 tensors."""

    file_bytes: int = 2**30
    #: Opcodes, and the values these walk.
    steps: int = 300_000
    #: Open MARKs at once: how deep things are nested while they are built.
    depth: int = 128
    #: Bytes of all texts that are kept, together.
    text_bytes: int = 2**22
    tensors: int = 4096


@dataclass(slots=True)
class Budget:
    """What is left of the limits; one for a file with all its nested streams."""

    limits: Limits
    steps: int
    text_bytes: int
    tensors: int

    @classmethod
    def of(cls, limits: Limits) -> Budget:
        """A full one."""
        return cls(limits, limits.steps, limits.text_bytes, limits.tensors)

    def pay(self, steps: int) -> None:
        """Charge for work before it is done. Raises BadNetwork when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise BadNetwork(f"reading it takes more than {self.limits.steps} steps, which no network needs")


@dataclass(frozen=True, slots=True)
class Blob:
    """A byte string, left in the file: where it begins, and its length."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A text that was not kept."""

    size: int


@dataclass(frozen=True, slots=True)
class Global:
    """An inert stand-in for one of the listed callables; it has no attribute a file could set."""

    name: str
    #: Makes the value of REDUCE from its arguments, which are paid for; what else it walks it pays for
    #: itself. Raises BadNetwork.
    call: Callable[[tuple[Value, ...]], Value]
    #: Whether NEWOBJ may name it.
    is_class: bool = False


class Machine:
    """Runs one stream of `data` between two offsets."""

    def __init__(
        self,
        data: memoryview,
        start: int,
        end: int,
        budget: Budget,
        find_global: Callable[[str, str], Global],
        build: Callable[[Value, Value], None] | None = None,
        find_persistent: Callable[[Value], Value] | None = None,
    ) -> None:
        #: Of the next byte.
        self.position = start
        self._data = data
        self._end = end
        self._budget = budget
        self._find_global = find_global
        self._build = build
        self._find_persistent = find_persistent
        self._stack: list[Value] = []
        self._marks: list[int] = []
        #: Everything under it belongs to an open MARK's outside.
        self._floor = 0
        self._memo: list[Value] = []

    def run(self) -> Value:
        """The value of the stream; `position` is then behind its STOP. Raises BadNetwork."""
        data, end, budget = self._data, self._end, self._budget
        while True:
            if self.position >= end:
                raise BadNetwork("the file ends in the middle: it was cut off, or never whole")
            opcode = data[self.position]
            self.position += 1
            budget.pay(1)
            if opcode == _STOP:
                return self._result()
            operation = _OPERATIONS.get(opcode)
            if operation is None:
                raise BadNetwork(f"it uses the pickle instruction 0x{opcode:02x}, which no network needs")
            operation(self)

    def _result(self) -> Value:
        if len(self._stack) != 1 or self._marks:
            raise BadNetwork("its pickle ends with things left over")
        return self._stack.pop()

    # --- reading the file ---------------------------------------------------------------------------

    def _take(self, size: int) -> int:
        """Move over so many bytes; where they begin."""
        start = self.position
        if size > self._end - start:
            raise BadNetwork("the file ends in the middle: it was cut off, or never whole")
        self.position = start + size
        return start

    def _unsigned(self, size: int) -> int:
        start = self._take(size)
        return int.from_bytes(self._data[start : start + size], "little")

    def _line(self) -> str:
        """A name that ends with a line."""
        window = bytes(self._data[self.position : min(self._end, self.position + _LONGEST_NAME)])
        length = window.find(b"\n")
        if length < 0:
            raise BadNetwork("its pickle names something with a name without end")
        self.position += length + 1
        return _decoded(window[:length])

    # --- the stack ----------------------------------------------------------------------------------

    def _pop(self) -> Value:
        if len(self._stack) <= self._floor:
            raise BadNetwork("its pickle takes more than there is")
        return self._stack.pop()

    def _top(self) -> Value:
        if len(self._stack) <= self._floor:
            raise BadNetwork("its pickle takes more than there is")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Value]:
        if not self._marks:
            raise BadNetwork("its pickle takes more than there is")
        mark = self._marks.pop()
        self._floor = self._marks[-1] if self._marks else 0
        self._budget.pay(len(self._stack) - mark)
        items = self._stack[mark:]
        del self._stack[mark:]
        return items

    # --- plain values -------------------------------------------------------------------------------

    def _protocol(self) -> None:
        version = self._unsigned(1)
        if not 2 <= version <= 5:
            raise BadNetwork(f"it is a pickle of protocol {version}; networks are of protocol 2 to 5")

    def _frame(self) -> None:
        if self._unsigned(8) > self._end - self.position:
            raise BadNetwork("the file ends in the middle: it was cut off, or never whole")

    def _mark(self) -> None:
        if len(self._marks) >= self._budget.limits.depth:
            raise BadNetwork(f"it nests things more than {self._budget.limits.depth} deep")
        self._floor = len(self._stack)
        self._marks.append(self._floor)

    def _text(self, width: int) -> None:
        size = self._unsigned(width)
        start = self._take(size)
        if size > LONG_TEXT:
            self._stack.append(LongText(size))
            return
        self._budget.text_bytes -= size
        if self._budget.text_bytes < 0:
            raise BadNetwork(f"it holds more than {self._budget.limits.text_bytes} bytes of text")
        self._stack.append(_decoded(bytes(self._data[start : start + size])))

    def _blob(self, width: int) -> None:
        size = self._unsigned(width)
        self._stack.append(Blob(self._take(size), size))

    def _integer(self) -> None:
        size = self._unsigned(1)
        if size > _LONGEST_INTEGER:
            raise BadNetwork(f"it holds an integer of {size} bytes")
        start = self._take(size)
        self._stack.append(int.from_bytes(self._data[start : start + size], "little", signed=True))

    def _signed(self) -> None:
        start = self._take(4)
        self._stack.append(int.from_bytes(self._data[start : start + 4], "little", signed=True))

    def _float(self) -> None:
        self._stack.append(struct.unpack_from(">d", self._data, self._take(8))[0])

    # --- containers ---------------------------------------------------------------------------------

    def _tuple_of(self, size: int) -> None:
        items = [self._pop() for _ in range(size)]
        self._stack.append(tuple(reversed(items)))

    def _append(self, items: list[Value]) -> None:
        target = self._top()
        if type(target) is not list:
            raise BadNetwork(f"its pickle appends to {_kind(target)}")
        target.extend(items)

    def _add(self) -> None:
        items = self._pop_to_mark()
        target = self._top()
        if type(target) is not set:
            raise BadNetwork(f"its pickle adds to {_kind(target)}")
        target.update(checked_keys(items))

    def _set_items(self, items: list[Value]) -> None:
        target = self._top()
        if type(target) is not dict or len(items) % 2:
            raise BadNetwork(f"its pickle sets an entry of {_kind(target)}")
        target.update(zip(checked_keys(items[::2]), items[1::2], strict=True))

    def _set_item(self) -> None:
        value = self._pop()
        self._set_items([self._pop(), value])

    # --- the memo -----------------------------------------------------------------------------------

    def _memoize(self) -> None:
        self._memo.append(self._top())

    def _put(self, width: int) -> None:
        # Every writer numbers its entries in order, so the memo is a list and as long as what was put in.
        index = self._unsigned(width)
        if index > len(self._memo):
            raise BadNetwork("its pickle remembers things out of order")
        self._memo[index : index + 1] = [self._top()]

    def _get(self, width: int) -> None:
        index = self._unsigned(width)
        if index >= len(self._memo):
            raise BadNetwork("its pickle recalls what it never remembered")
        self._stack.append(self._memo[index])

    # --- what would be calls ------------------------------------------------------------------------

    def _named_global(self) -> None:
        module = self._line()
        self._stack.append(self._find_global(module, self._line()))

    def _stack_global(self) -> None:
        name = self._pop()
        module = self._pop()
        if type(module) is not str or type(name) is not str:
            raise BadNetwork("its pickle names something with what is not a name")
        self._stack.append(self._find_global(module, name))

    def _reduce(self, *, as_class: bool = False) -> None:
        arguments = self._pop()
        called = self._pop()
        if type(called) is not Global or type(arguments) is not tuple or (as_class and not called.is_class):
            raise BadNetwork(f"its pickle calls {_kind(called)}")
        # Most tables look at a few of them, and a pattern that ends in `*rest` copies all.
        self._budget.pay(len(arguments))
        self._stack.append(called.call(arguments))

    def _set_state(self) -> None:
        state = self._pop()
        target = self._top()
        if self._build is None:
            raise BadNetwork(f"its pickle sets the state of {_kind(target)}")
        self._build(target, state)

    def _persistent(self) -> None:
        if self._find_persistent is None:
            raise BadNetwork("its pickle refers to things outside the file")
        self._stack.append(self._find_persistent(self._pop()))


def checked_keys(keys: list[Value]) -> list[str]:
    """Raises BadNetwork unless all are texts: their hashes are salted, so none can be made to collide."""
    for key in keys:
        if type(key) is not str:
            raise BadNetwork(f"it names an entry by {_kind(key)}")
    return keys


def _kind(value: Value) -> str:
    return value.name if type(value) is Global else f"a {clean(type(value).__name__)}"


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadNetwork("it holds a text that is not UTF-8") from None


_STOP = 0x2E

_OPERATIONS: Mapping[int, Callable[[Machine], None]] = {
    0x80: Machine._protocol,
    0x95: Machine._frame,
    ord("("): Machine._mark,
    # Plain values.
    ord("N"): lambda m: m._stack.append(None),
    0x88: lambda m: m._stack.append(True),
    0x89: lambda m: m._stack.append(False),
    ord("K"): lambda m: m._stack.append(m._unsigned(1)),
    ord("M"): lambda m: m._stack.append(m._unsigned(2)),
    ord("J"): Machine._signed,
    0x8A: Machine._integer,
    ord("G"): Machine._float,
    0x8C: lambda m: m._text(1),
    ord("X"): lambda m: m._text(4),
    0x8D: lambda m: m._text(8),
    ord("C"): lambda m: m._blob(1),
    ord("B"): lambda m: m._blob(4),
    0x8E: lambda m: m._blob(8),
    # Containers.
    ord(")"): lambda m: m._stack.append(()),
    ord("]"): lambda m: m._stack.append([]),
    ord("}"): lambda m: m._stack.append({}),
    0x8F: lambda m: m._stack.append(set()),
    0x85: lambda m: m._tuple_of(1),
    0x86: lambda m: m._tuple_of(2),
    0x87: lambda m: m._tuple_of(3),
    ord("t"): lambda m: m._stack.append(tuple(m._pop_to_mark())),
    ord("a"): lambda m: m._append([m._pop()]),
    ord("e"): lambda m: m._append(m._pop_to_mark()),
    0x90: Machine._add,
    ord("s"): Machine._set_item,
    ord("u"): lambda m: m._set_items(m._pop_to_mark()),
    # The memo.
    0x94: Machine._memoize,
    ord("q"): lambda m: m._put(1),
    ord("r"): lambda m: m._put(4),
    ord("h"): lambda m: m._get(1),
    ord("j"): lambda m: m._get(4),
    # What would be calls.
    ord("c"): Machine._named_global,
    0x93: Machine._stack_global,
    ord("R"): Machine._reduce,
    0x81: lambda m: m._reduce(as_class=True),
    ord("b"): Machine._set_state,
    ord("Q"): Machine._persistent,
}
