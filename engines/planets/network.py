"""A trained generator: verified weights, and pictures that do not depend on what else is drawn with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from engines import shipped
from engines.chunks import filled_chunks
from engines.planets.fast import FastGenerator
from engines.planets.latents import Code
from engines.planets.model import Generator, noise_of
from engines.torch_device import has_native_bfloat16, reproducible

WEIGHTS = Path(__file__).parent / "weights"

#: Pictures of one forward pass, always: a planet is the same to the last bit alone and among others.
CHUNK = 16

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

        Colours are premultiplied by alpha.
        """
        generator = self._ready(precision)
        for chunk, wanted in filled_chunks(codes, CHUNK):
            inputs = [torch.from_numpy(np.stack(part)).to(self._device) for part in zip(*chunk, strict=True)]
            with reproducible():
                drawn = (generator(*inputs) + 1.0) * 0.5
            yield from drawn[:wanted].permute(0, 2, 3, 1).cpu().numpy()

    def _ready(self, precision: Precision) -> FastGenerator:
        half = precision == "fast" and has_native_bfloat16(self._device)
        dtype = torch.bfloat16 if half else torch.float32
        if dtype not in self._fast:
            self._fast[dtype] = FastGenerator(self._generator, dtype)
        return self._fast[dtype]
