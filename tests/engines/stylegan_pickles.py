"""Pickles by hand: an assembler of opcodes, and networks in the structure of official files.

Written from the structure that the reference describes; no program text is in them. `Call` names a callable
and its arguments: nothing here ever calls it.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading.shapes import expected_shapes

Config = GeneratorConfig | DiscriminatorConfig
Tensors = Mapping[str, np.ndarray]

#: A network of a few hundred numbers that has one of everything.
TINY = GeneratorConfig(
    c_dim=2,
    img_resolution=8,
    img_channels=1,
    channel_base=16,
    channel_max=4,
    num_fp16_res=1,
    z_dim=3,
    w_dim=4,
    mapping_layers=2,
)

_STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "f8": "DoubleStorage", "i8": "LongStorage"}


@dataclass
class Call:
    """GLOBAL, arguments, REDUCE (or NEWOBJ); then SETITEMS and BUILD where there are items and a state."""

    module: str
    name: str
    arguments: tuple[Any, ...] = ()
    new: bool = False
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass
class Global:
    """A callable, not called."""

    module: str
    name: str


@dataclass
class Raw:
    """Opcodes as they are."""

    code: bytes


# --- opcodes ----------------------------------------------------------------------------------------


class Assembler:
    """Writes protocol 4 as official files are: texts and globals once, then from the memo."""

    def __init__(self) -> None:
        self.parts: list[bytes] = [b"\x80\x04"]
        self._known: dict[Any, int] = {}
        self._memoized = 0

    def stop(self) -> bytes:
        return b"".join([*self.parts, b"."])

    def put(self, value: Any) -> None:
        """Append what makes the value."""
        match value:
            case Raw(code):
                self.parts.append(code)
            case None:
                self.parts.append(b"N")
            case bool():
                self.parts.append(b"\x88" if value else b"\x89")
            case int():
                self._integer(value)
            case float():
                self.parts.append(b"G" + struct.pack(">d", value))
            case str():
                self._once(value, lambda: self.parts.append(text(value)))
            case bytes() | bytearray():
                # One part, never copied: these are the weights.
                self.parts += [b"B" + len(value).to_bytes(4, "little"), value]
                self._memoize()
            case tuple():
                self._tuple(value)
            case list():
                self.parts.append(b"]")
                self._memoize()
                self._marked(value, b"e")
            case dict():
                self.parts.append(b"}")
                self._memoize()
                self._marked(flat(value), b"u")
            case set():
                self.parts.append(b"\x8f")
                self._memoize()
                self._marked(sorted(value), b"\x90")
            case Global(module, name):
                self._global(module, name)
            case Call():
                self._call(value)
            case _:
                raise TypeError(type(value))

    def _integer(self, value: int) -> None:
        if 0 <= value < 256:
            self.parts.append(b"K" + bytes([value]))
        elif -(2**31) <= value < 2**31:
            self.parts.append(b"J" + value.to_bytes(4, "little", signed=True))
        else:
            size = value.bit_length() // 8 + 1
            self.parts.append(b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True))

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if not value:
            self.parts.append(b")")
            return
        if len(value) > 3:
            self.parts.append(b"(")
        for item in value:
            self.put(item)
        self.parts.append({1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value), b"t"))
        self._memoize()

    def _marked(self, items: Iterable[Any], end: bytes) -> None:
        items = list(items)
        if items:
            self.parts.append(b"(")
            for item in items:
                self.put(item)
            self.parts.append(end)

    def _global(self, module: str, name: str) -> None:
        def write() -> None:
            self.put(module)
            self.put(name)
            self.parts.append(b"\x93")

        self._once((module, name), write)

    def _call(self, call: Call) -> None:
        self._global(call.module, call.name)
        self.put(call.arguments)
        self.parts.append(b"\x81" if call.new else b"R")
        self._memoize()
        self._marked(flat(call.items), b"u")
        if call.state is not None:
            self.put(call.state)
            self.parts.append(b"b")

    def _memoize(self) -> None:
        self.parts.append(b"\x94")
        self._memoized += 1

    def _once(self, key: Any, write: Any) -> None:
        if key in self._known:
            index = self._known[key]
            self.parts.append(b"h" + bytes([index]) if index < 256 else b"j" + index.to_bytes(4, "little"))
            return
        write()
        self._known[key] = self._memoized
        self._memoize()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def flat(entries: Mapping[Any, Any]) -> list[Any]:
    return [part for entry in entries.items() for part in entry]


def assemble(value: Any) -> bytes:
    """The whole file that makes the value."""
    assembler = Assembler()
    assembler.put(value)
    return assembler.stop()


# --- tensors ----------------------------------------------------------------------------------------


def storage_bytes(
    array: np.ndarray,
    *,
    magic: int = 0x1950A86A20F9469CFC6C,
    protocol: int = 1001,
    facts: Any = None,
    kind: Any = None,
    declared: int | None = None,
    counted: int | None = None,
    extra: bytes = b"",
) -> bytes:
    """The nested stream of a storage; the keywords make it wrong."""
    facts = facts or {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4}}
    kind = kind or Global("torch", _STORAGES[array.dtype.str[1:]])
    numel = array.size if declared is None else declared
    assembler = Assembler()
    assembler.put(("storage", kind, "1234", "cpu", numel, None))
    assembler.parts.append(b"Q")
    parts = [assemble(magic), assemble(protocol), assemble(facts), assembler.stop(), assemble(["1234"])]
    count = array.size if counted is None else counted
    return b"".join(
        [*parts, count.to_bytes(8, "little", signed=True), array.ravel(order="K").tobytes(), extra]
    )


def ordered() -> Call:
    return Call("collections", "OrderedDict")


def tensor(
    array: np.ndarray, *, offset: Any = 0, size: Any = None, stride: Any = None, blob: bytes | None = None
) -> Call:
    """As `torch.Tensor.__reduce_ex__` writes one; the keywords make it another."""
    size = array.shape if size is None else size
    stride = tuple(step // array.itemsize for step in array.strides) if stride is None else stride
    data = storage_bytes(array) if blob is None else blob
    storage = Call("torch.storage", "_load_from_bytes", (data,))
    return Call("torch._utils", "_rebuild_tensor_v2", (storage, offset, size, stride, False, ordered()))


def parameter(inner: Any) -> Call:
    return Call("torch._utils", "_rebuild_parameter", (inner, False, ordered()))


def number(value: float, *, old_numpy: bool = False, code: str = "f8", data: bytes | None = None) -> Call:
    """A numpy scalar."""
    kind = Call("numpy", "dtype", (code, False, True), state=(3, "<", None, None, None, -1, -1, 0))
    place = "numpy.core.multiarray" if old_numpy else "numpy._core.multiarray"
    return Call(place, "scalar", (kind, struct.pack("<d", value) if data is None else data))


# --- networks ---------------------------------------------------------------------------------------


def module(name: str, state: dict[str, Any], source: str = "") -> Call:
    """A persistent object of the official code."""
    said = {"type": "class", "version": 6, "module_src": source, "class_name": name, "state": state}
    return Call("torch_utils.persistence", "_reconstruct_persistent_obj", (said,))


def random_tensors(config: Config, seed: int = 0) -> dict[str, np.ndarray]:
    """Normal numbers for every tensor, the configuration's filter for every filter."""
    rng = np.random.default_rng(seed)
    taps = np.asarray(config.resample_filter or (1.0,), dtype=np.float64)
    square = np.outer(taps, taps) / taps.sum() ** 2
    return {
        name: square.astype(np.float32)
        if name.endswith("resample_filter")
        else rng.standard_normal(shape, dtype=np.float32)
        for name, shape in expected_shapes(config).items()
    }


_BUFFERS = ("resample_filter", "noise_const", "w_avg")


def network(
    config: Config,
    tensors: Tensors,
    *,
    hints: bool = True,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    source: str = "",
) -> Call:
    """The tree of modules. `changes`: attributes to set otherwise, by module ("" is the whole)."""
    tree: dict[str, Any] = {}
    for name, array in tensors.items():
        node = tree
        *path, leaf = name.split(".")
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = array
    if isinstance(config, DiscriminatorConfig) and config.mbstd_num_channels:
        tree["b4"]["mbstd"] = {}
    return _module(config, tree, "", hints, changes or {}, source)


def _module(
    config: Config,
    tree: dict[str, Any],
    path: str,
    hints: bool,
    changes: Mapping[str, Mapping[str, Any]],
    source: str,
) -> Call:
    frozen = _frozen(config, path)
    parameters, buffers, children = {}, {}, {}
    for name, value in tree.items():
        if isinstance(value, dict):
            below = f"{path}.{name}" if path else name
            children[name] = _module(config, value, below, hints, changes, source)
        elif name in _BUFFERS or frozen:
            buffers[name] = tensor(value)
        else:
            parameters[name] = parameter(tensor(value))
    state: dict[str, Any] = {
        "training": False,
        "_parameters": parameters,
        "_buffers": buffers,
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": ordered(),
        "_forward_hooks": ordered(),
        "_modules": children,
        **_attributes(config, tree, path),
        "_init_args": (),
        "_init_kwargs": _arguments(config, path) if hints else {},
    }
    return module(path.rpartition(".")[2] or "Network", {**state, **changes.get(path, {})}, source)


def _frozen(config: Config, path: str) -> bool:
    if isinstance(config, GeneratorConfig):
        return False
    layers = [
        f"b{side}.{name}"
        for side in reversed(config.resolutions()[1:])
        for name in ("fromrgb", "conv0", "conv1", "skip")
        if f"b{side}.{name}.weight" in expected_shapes(config)
    ]
    return path in layers[: config.freeze_layers]


def _arguments(config: Config, path: str) -> Any:
    said = {"channel_base": config.channel_base, "channel_max": config.channel_max}
    if path in ("", "synthesis"):
        return Call("dnnlib.util", "EasyDict", new=True, items=said)
    return {}


def _attributes(config: Config, tree: dict[str, Any], path: str) -> dict[str, Any]:
    """What official modules have besides tensors, as the golden files show."""
    name = path.rpartition(".")[2]
    if not path:
        whole = {name: getattr(config, name) for name in ("c_dim", "img_resolution", "img_channels")}
        if isinstance(config, GeneratorConfig):
            whole |= {"z_dim": config.z_dim, "w_dim": config.w_dim, "num_ws": config.num_ws()}
        return whole
    if name == "mapping":
        beta = config.w_avg_beta if isinstance(config, GeneratorConfig) else None
        return {"num_layers": config.mapping_layers, "w_avg_beta": beta}
    if name == "mbstd" and isinstance(config, DiscriminatorConfig):
        return {"group_size": config.mbstd_group_size, "num_channels": config.mbstd_num_channels}
    if name[:1] == "b" and name[1:].isdigit():
        return _block(config, int(name[1:]))
    if "weight" in tree:
        return _layer(config, name, tree["weight"].shape)
    return {}


def _block(config: Config, side: int) -> dict[str, Any]:
    fp16 = side >= max(2 ** (int(math.log2(config.img_resolution)) + 1 - config.num_fp16_res), 8)
    said: dict[str, Any] = {"resolution": side, "architecture": config.architecture, "use_fp16": fp16}
    if isinstance(config, DiscriminatorConfig) and side == 4:
        said["cmap_dim"] = (config.cmap_dim or config.channels(4)) if config.c_dim else 0
    return said


def _layer(config: Config, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Dense layers, and convolutions of both networks."""
    clamp = config.conv_clamp
    fan_in = math.prod(shape[1:])
    if len(shape) == 2:
        lr = config.mapping_lr if name[2:].isdigit() else 1
        kind = "lrelu" if name.startswith("fc") else "linear"
        return {"activation": kind, "weight_gain": number(lr / math.sqrt(max(fan_in, 1))), "bias_gain": lr}
    if name == "torgb":
        return {"conv_clamp": clamp, "weight_gain": number(1 / math.sqrt(shape[1]))}
    if isinstance(config, GeneratorConfig) and name != "skip":
        said = {"up": 2 if name == "conv0" else 1, "padding": 1, "activation": "lrelu", "conv_clamp": clamp}
        return said | {"act_gain": number(math.sqrt(2)), "use_noise": config.use_noise}
    skip = name == "skip"
    grows = 2 if isinstance(config, GeneratorConfig) else 1
    return {
        "activation": "linear" if skip else "lrelu",
        "up": grows,
        "down": 2 if grows == 1 and name in ("conv1", "skip") else 1,
        "conv_clamp": None if skip else clamp,
        "padding": shape[2] // 2,
        "weight_gain": number(1 / math.sqrt(fan_in)),
        "act_gain": 1 if skip else number(math.sqrt(2)),
    }


def official_file(generator: Any, **others: Any) -> bytes:
    """The bytes of a file with this G_ema and whatever else."""
    return assemble(
        {"training_set_kwargs": {"use_labels": False}, "G_ema": generator, "augment_pipe": None, **others}
    )


def recalled_list(texts: int, calls: int) -> bytes:
    """A list of that many texts, made once, and `set([list])` called on it again and again."""
    items = b"".join(text(f"{number:x}") for number in range(texts))
    begin = b"\x80\x04}\x8c\x01ac__builtin__\nset\n\x94](" + items + b"e\x85\x94"
    # Into one entry of the dictionary each, so that what they make is not kept.
    return begin + b"R" + b"s" + b"\x8c\x01ah\x00h\x01Rs" * calls + b"."


class Hostile:
    """Pickled by Python's own pickler: what would run if anything ran."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def python_pickle(value: Any, protocol: int = 4) -> bytes:
    return pickle.dumps(value, protocol)
