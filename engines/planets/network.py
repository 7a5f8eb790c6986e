"""A trained generator: verified weights, and pictures that do not depend on what else is drawn with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from engines import shipped
from engines.base import OutOfMemory
from engines.chunks import filled_chunks
from engines.planets.fast import FastGenerator
from engines.planets.latents import Code
from engines.planets.model import Generator, noise_of
from engines.planets.spec import CHUNK
from engines.torch_device import has_native_bfloat16, is_out_of_memory, release_memory, reproducible

WEIGHTS = Path(__file__).parent / "weights"

Floats = npt.NDArray[np.float32]
Precision = Literal["exact", "fast"]


class Network:
    """The net of one size, ready to draw."""

    def __init__(self, side: int, device: torch.device, folder: Path = WEIGHTS, variant: str = "v1") -> None:
        """Read `planets-<side>-<variant>.safetensors`. Raises EngineError when it is not what was shipped."""
        self.side = side
        #: Numbers of noise a code has for this net.
        self.noise = noise_of(side)
        self._device = device
        name = f"planets-{side}-{variant}.safetensors"
        tensors, _ = shipped.read(folder, name)
        generator = Generator(side, variant)
        shipped.fill(generator, tensors, name)
        self._generator = generator.to(device).eval().requires_grad_(False)
        self._fast: dict[torch.dtype, FastGenerator] = {}

    def draw(self, codes: Iterable[Code], precision: Precision = "exact") -> Iterator[Floats]:
        """(S, S, 4) float32 in 0..1 for each code, which are taken a chunk at a time.

        Colours are premultiplied by alpha. Raises OutOfMemory.
        """
        for chunk, wanted in filled_chunks(codes, CHUNK):
            yield from self._drawn(chunk, precision)[:wanted]

    def _drawn(self, chunk: Sequence[Code], precision: Precision) -> Floats:
        """(B, S, S, 4)."""
        try:
            inputs = [torch.from_numpy(np.stack(part)).to(self._device) for part in zip(*chunk, strict=True)]
            with reproducible():
                drawn = (self._ready(precision)(*inputs) + 1.0) * 0.5
            found: Floats = drawn.permute(0, 2, 3, 1).cpu().numpy()
            return found
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the except block, whose traceback would keep the tensors.
        release_memory(self._device)
        raise OutOfMemory("the planets did not fit into this machine's memory")

    def _ready(self, precision: Precision) -> FastGenerator:
        half = precision == "fast" and has_native_bfloat16(self._device)
        dtype = torch.bfloat16 if half else torch.float32
        if dtype not in self._fast:
            self._fast[dtype] = FastGenerator(self._generator, dtype)
        return self._fast[dtype]
