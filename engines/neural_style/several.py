"""Several pictures of one job: one after the other, each as if it were alone, under one progress.

A checkpoint holds the pictures that are finished, as their files, and that of the one in the making.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import torch
from torch import Tensor

from engines import images
from engines.base import Context, Ledger, Output, PartOutput
from engines.neural_style.checkpoint import digest_of, pack, unpack
from engines.neural_style.spec import NeuralStyleParams

_CPU = torch.device("cpu")
_PRESENT = "present"


class Several:
    """The pictures of a job whose `count` is more than one."""

    def __init__(self, params: NeuralStyleParams, context: Context) -> None:
        self._params = params
        self._pictures = params.pictures()
        self._context = context
        self._digest = _digest(params, context)
        saved = unpack(self._digest, context.restore(), _CPU) or {}
        #: The checkpoint of the picture in the making, of an earlier attempt.
        self._present = _bytes(saved.pop(_PRESENT)) if _PRESENT in saved else None
        self._files = [_bytes(saved[str(n)]) for n in range(len(saved))]

    def restored(self) -> Iterator[Output]:
        """Those that an earlier attempt finished."""
        for one, data in zip(self._pictures, self._files, strict=False):
            kind = self._params.format
            meta = images.read_metadata(data) or {}
            name = f"result.{images.SUFFIXES[kind]}"
            yield _named(one, Output(name, images.MEDIA_TYPES[kind], data, meta))

    def missing(self) -> Iterator[tuple[NeuralStyleParams, Context]]:
        """The others, each with a context of its own."""
        for one in self._pictures[len(self._files) :]:
            yield one, _Picture(self, self._context, len(self._files), len(self._pictures), self._present)
            self._present = None

    def keep(self, one: NeuralStyleParams, output: Output) -> Output:
        """The finished picture, under its own name."""
        assert isinstance(output.data, bytes)
        self._files.append(output.data)
        return _named(one, output)

    def state(self, present: bytes | None) -> bytes:
        """A checkpoint: what is finished, and that of the picture in the making."""
        tensors = {str(n): _tensor(data) for n, data in enumerate(self._files)}
        return pack(self._digest, tensors | ({_PRESENT: _tensor(present)} if present else {}))


class _Picture:
    """The job's context, as one of its pictures sees it."""

    def __init__(
        self, several: Several, whole: Context, number: int, count: int, checkpoint: bytes | None
    ) -> None:
        self._several, self._whole = several, whole
        self._number, self._count = number, count
        self._checkpoint = checkpoint

    @property
    def scratch(self) -> Path:
        return self._whole.scratch

    @property
    def parts(self) -> Mapping[str, tuple[PartOutput, ...]]:
        return self._whole.parts

    def input(self, ref: str) -> Path:
        return self._whole.input(ref)

    def network(self, ref: str) -> Path:
        return self._whole.network(ref)

    def progress(
        self,
        fraction: float,
        message: str = "",
        *,
        preview: Callable[[], bytes] | None = None,
        state: Callable[[], bytes] | None = None,
    ) -> None:
        """A part of the whole's."""
        self._whole.progress(
            (self._number + min(fraction, 1.0)) / self._count,
            f"picture {self._number + 1} of {self._count}, {message}".rstrip(", "),
            preview=preview,
            state=lambda: self._several.state(state() if state is not None else self._checkpoint),
        )

    def restore(self) -> bytes | None:
        return self._checkpoint

    def ledger(self, provider: str, *, calls_per_day: int, tokens_per_day: int) -> Ledger:
        return self._whole.ledger(provider, calls_per_day=calls_per_day, tokens_per_day=tokens_per_day)


def _named(one: NeuralStyleParams, output: Output) -> Output:
    name = PurePath(output.name)
    return replace(output, name=f"{name.stem}-{one.seed}{name.suffix}")


def _digest(params: NeuralStyleParams, context: Context) -> bytes:
    """What the finished pictures depend on: the choices, and the files."""
    used = [ref for ref, share in zip(params.style, params.shares(), strict=True) if share > 0]
    files = []
    for ref in (params.content, *used):
        with context.input(ref).open("rb") as stream:
            files.append(hashlib.file_digest(stream, "sha256").digest())
    return digest_of("several", params.model_dump_json(exclude={"content", "style"}), *files)


def _tensor(data: bytes) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())


def _bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
