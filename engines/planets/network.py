"""A trained generator: verified weights, and pictures that do not depend on what else is drawn with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines import shipped
from engines.planets.model import Generator
from engines.torch_device import channels_last

WEIGHTS = Path(__file__).parent / "weights"

#: Pictures of one forward pass, always: filled up where there are fewer. Libraries choose their algorithm,
#: and with it the rounding, by the shape; so a planet is the same to the last bit alone and among others.
CHUNK = 16

Floats = npt.NDArray[np.float32]


class Network:
    """The net of one size, ready to draw."""

    def __init__(self, side: int, device: torch.device, folder: Path = WEIGHTS, variant: str = "v1") -> None:
        """Read `planets-<side>-<variant>.safetensors`. Raises EngineError when it is not what was shipped."""
        self.side = side
        self._device = device
        name = f"planets-{side}-{variant}.safetensors"
        tensors, _ = shipped.read(folder, name)
        generator = Generator(side, variant)
        shipped.fill(generator, tensors, name)
        self._generator = channels_last(generator.to(device)).eval().requires_grad_(False)

    def draw(self, latents: Floats, worlds: Floats) -> Iterator[Floats]:
        """(N, 128) latents and (N, 12) shares -> (S, S, 4) float32 in 0..1 one after the other.

        Colours are premultiplied by alpha. Computes in float32: in lower precision a planet would look a
        little different on every kind of machine.
        """
        for start in range(0, len(latents), CHUNK):
            part = slice(start, start + CHUNK)
            count = len(latents[part])
            z, shares = (_padded(values[part], self._device) for values in (latents, worlds))
            with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
                drawn = (self._generator(z, shares) + 1.0) * 0.5
            yield from drawn[:count].permute(0, 2, 3, 1).cpu().numpy()


def _padded(values: Floats, device: torch.device) -> Tensor:
    """(n <= CHUNK, K) -> (CHUNK, K) on the device; the filling is never looked at."""
    filled = np.zeros((CHUNK, values.shape[1]), dtype=np.float32)
    filled[: len(values)] = values
    return torch.from_numpy(filled).to(device)
