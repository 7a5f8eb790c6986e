"""Our own file of a generator: safetensors with its configuration in the header. Data only, and the same
network gives the same bytes, so that a file can be named by its sha256.

The format (github.com/huggingface/safetensors) is eight bytes with the length of a JSON header, the header,
and the numbers. It is written here and not by the library because that one orders metadata by chance; it is
read here because uploads come from strangers: every number of the header is checked before it is used, and
no torch is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from engines.base import EngineError
from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.config import GeneratorConfig
from engines.stylegan.reading.official import check_finite, check_names

FORMAT = "atelier.stylegan2"
VERSION = "1"

#: A 1024 px network's header is 25 kB.
_LONGEST_HEADER = 2**20
#: A length below it begins a safetensors file, if of something else: a pickle's first eight bytes are more.
_LONGEST_OF_ANY = 2**27
_MOST_CLASSES = 65_536
_TYPES: dict[str, np.dtype[np.floating]] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
_METADATA = "__metadata__"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """A tensor in the file."""

    dtype: np.dtype[np.floating]
    shape: tuple[int, ...]
    #: Of its first and behind its last byte, from the end of the header.
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself, checked."""

    config: GeneratorConfig
    entries: dict[str, Entry]
    #: Names of the classes, in the order of the label's numbers; empty where they are not known.
    classes: tuple[str, ...]
    #: Where the network comes from, as whoever wrote the file put it.
    origin: dict[str, str]
    #: Where the numbers begin, in bytes from the beginning of the file.
    start: int


def write(
    path: Path,
    config: GeneratorConfig,
    tensors: Mapping[str, npt.NDArray[np.floating]],
    *,
    half: bool = False,
    classes: Sequence[str] = (),
    origin: Mapping[str, str] | None = None,
) -> str:
    """Write a generator as fp32, or fp16 where `half`; the file's sha256.

    Raises BadNetwork where tensors are not exactly the configuration's, or not finite (in fp16: too large).
    """
    check_names({name: tensor.shape for name, tensor in tensors.items()}, config)
    kind = "F16" if half else "F32"
    header = _header(config, tensors, kind, classes, origin or {})
    digest = hashlib.sha256()
    with path.open("wb") as stream:
        for part in (len(header).to_bytes(8, "little"), header):
            digest.update(part)
            stream.write(part)
        for name in sorted(tensors):
            with np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused
                stored = np.ascontiguousarray(tensors[name], dtype=_TYPES[kind])
            check_finite(name, stored)
            for sink in (digest.update, stream.write):
                sink(stored.reshape(-1).data)
    return digest.hexdigest()


def read(path: Path) -> tuple[GeneratorConfig, dict[str, Floats]]:
    """A generator, its tensors as float32 in memory of their own (`torch.from_numpy` takes them as they are).

    Raises BadNetwork for everything that is not such a file, and EngineError where it cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            header = _read_header(stream)
            data = np.fromfile(stream, dtype=np.uint8)
    except OSError as error:
        raise EngineError(f"{path.name} cannot be read: {error}") from error
    tensors = {}
    for name, entry in header.entries.items():
        stored = data[entry.begin : entry.end].view(entry.dtype).reshape(entry.shape)
        check_finite(name, stored)
        tensors[name] = np.require(stored, np.float32, "A")
    return header.config, tensors


def begins_like_one(first: bytes) -> bool:
    """Whether these are the first nine bytes of a safetensors file, and not of a pickle."""
    return first[8:9] == b"{" and int.from_bytes(first[:8], "little") <= _LONGEST_OF_ANY


def read_header(path: Path) -> Header:
    """What the file says of itself, without its numbers. Raises as `read` does."""
    try:
        with path.open("rb") as stream:
            return _read_header(stream)
    except OSError as error:
        raise EngineError(f"{path.name} cannot be read: {error}") from error


def _header(
    config: GeneratorConfig,
    tensors: Mapping[str, npt.NDArray[np.floating]],
    kind: str,
    classes: Sequence[str],
    origin: Mapping[str, str],
) -> bytes:
    said: dict[str, Any] = {
        _METADATA: {
            "format": FORMAT,
            "version": VERSION,
            "config": config.model_dump_json(),
            "classes": json.dumps(list(classes)),
            "origin": json.dumps(dict(sorted(origin.items()))),
        }
    }
    position = 0
    for name in sorted(tensors):
        end = position + tensors[name].size * _TYPES[kind].itemsize
        said[name] = {"dtype": kind, "shape": list(tensors[name].shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(said, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)  # the numbers begin at a multiple of eight


# --- reading a stranger's ---------------------------------------------------------------------------


def _read_header(stream: BinaryIO) -> Header:
    """Leaves the stream where the numbers begin."""
    size = stream.seek(0, 2)
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if _LONGEST_HEADER < length <= min(_LONGEST_OF_ANY, size - 8):
        raise BadNetwork(f"its header has {length:,} bytes; this is a safetensors file of something else")
    if not 2 <= length <= min(_LONGEST_HEADER, size - 8):
        raise BadNetwork("this is not a safetensors file, or it was cut off")
    said = _object(stream.read(length))
    metadata = said.pop(_METADATA, None)
    if type(metadata) is not dict or metadata.get("format") != FORMAT:
        raise BadNetwork(
            "this safetensors file does not say that it is a StyleGAN2 network; those that can be used are "
            "written by Atelier, or converted from a .pkl of stylegan2-ada-pytorch"
        )
    if metadata.get("version") != VERSION:
        raise BadNetwork("it is of another version of the format; this Atelier reads version " + VERSION)
    try:
        config = GeneratorConfig.model_validate_json(_text(metadata, "config"), strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise BadNetwork(f"its configuration cannot be used: {clean(where)}: {first['msg']}") from None
    entries = {name: _entry(name, entry) for name, entry in said.items()}
    check_names({name: entry.shape for name, entry in entries.items()}, config)
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != position:
            raise BadNetwork("its tensors overlap or leave gaps")
        position = entry.end
    if size != 8 + length + position:
        raise BadNetwork("it does not hold as many numbers as it says: it was cut off, or something follows")
    return Header(config, entries, _classes(metadata, config), _origin(metadata), 8 + length)


def _entry(name: str, said: Any) -> Entry:
    match said:
        case {
            "dtype": str() as kind,
            "shape": list() as shape,
            "data_offsets": [int() as begin, int() as end],
        }:
            sizes = all(type(size) is int and 0 <= size < 2**31 for size in shape) and len(shape) <= 8
            if kind not in _TYPES:
                raise BadNetwork(
                    f"the tensor {clean(name)} is of type {clean(kind)}; F16 and F32 can be used"
                )
            if sizes and 0 <= begin <= end and end - begin == prod(shape) * _TYPES[kind].itemsize:
                return Entry(_TYPES[kind], tuple(shape), begin, end)
    raise BadNetwork(f"the tensor {clean(name)} is not described as tensors are")


def _classes(metadata: dict[str, Any], config: GeneratorConfig) -> tuple[str, ...]:
    classes = _json(_text(metadata, "classes").encode())
    if type(classes) is not list or not all(type(name) is str and len(name) <= 200 for name in classes):
        raise BadNetwork("its names of classes are not a list of short texts")
    if len(classes) not in (0, config.c_dim) or len(classes) > _MOST_CLASSES:
        raise BadNetwork(f"it names {len(classes)} classes; the network has {config.c_dim}")
    return tuple(classes)


def _origin(metadata: dict[str, Any]) -> dict[str, str]:
    origin = _object(_text(metadata, "origin").encode())
    if not all(type(value) is str and len(name) + len(value) <= 1000 for name, value in origin.items()):
        raise BadNetwork("what it says of its origin is not made of short texts")
    return origin


def _text(metadata: dict[str, Any], name: str) -> str:
    value = metadata.get(name)
    if type(value) is not str:
        raise BadNetwork(f"its header does not say its {name}")
    return value


def _object(data: bytes) -> dict[str, Any]:
    found = _json(data)
    if type(found) is not dict:
        raise BadNetwork("its header is not a JSON object")
    return found


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
    # Nested too deep ends as a RecursionError, an integer of too many digits as a ValueError.
    except (ValueError, RecursionError):
        raise BadNetwork("its header is not JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
