"""A trained generator in memory: pictures that do not depend on what else is drawn with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from engines.base import BadInput
from engines.chunks import filled_chunks
from engines.seeds import generator as draws
from engines.stylegan import network_file
from engines.stylegan.config import PICTURE_MODES
from engines.stylegan.fast import FastSynthesis, Precision
from engines.stylegan.fitting import Facts
from engines.stylegan.model import Generator, Noise, noise_of, truncated

NoiseKind = Literal["const", "random", "none"]

#: On CUDA, the most pictures and pixels of one pass: its activations take about 2 GB.
_CHUNK, _CHUNK_PIXELS = 8, 2**22


def chunk_of(side: int, device: torch.device) -> int:
    """Pictures of one pass: always as many for a network, so that no picture depends on its company."""
    if device.type != "cuda":
        return 1  # a CPU draws one as fast as its part of many
    return max(min(_CHUNK, _CHUNK_PIXELS // side**2), 1)


class Drawing(NamedTuple):
    """One picture to draw."""

    #: (num_ws, w_dim), truncated.
    ws: Tensor
    #: What random noise is drawn by.
    seed: int
    number: int


class Network:
    """A generator of a file, with the fast synthesis of each precision that was asked for."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """Raises BadNetwork when it is no such file, BadInput for pictures that cannot be shown."""
        header = network_file.read_header(path)
        self.config, self.classes = header.config, header.classes
        if self.config.img_channels not in PICTURE_MODES:
            raise BadInput(f"pictures of {self.config.img_channels} channels cannot be shown")
        _, tensors = network_file.read(path)
        self.generator = Generator(self.config)
        self.generator.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
        self.generator.to(device).eval().requires_grad_(False)
        self.facts = Facts.read(self.config.model_dump(mode="json"), self.classes)
        self._stored = sum(value.nbytes for value in tensors.values())
        self.device = device
        self._fast: dict[Precision, FastSynthesis] = {}

    @property
    def bytes(self) -> int:
        """What it takes in memory with all that was made ready of it."""
        return self._stored + sum(fast.bytes for fast in self._fast.values())

    def rest(self) -> None:
        """Give back what is only needed while it draws."""
        for fast in self._fast.values():
            fast.rest()

    def ws(self, w: npt.NDArray[np.float32], psi: float, cutoff: int | None) -> Tensor:
        """(w_dim,) -> (num_ws, w_dim), truncated."""
        ws = torch.from_numpy(w).to(self.device).expand(1, self.config.num_ws(), -1)
        if psi == 1.0:
            return ws[0]
        return truncated(ws, self.generator.mapping.w_avg, psi, cutoff)[0]

    def draw(
        self, drawings: Iterable[Drawing], noise: NoiseKind, precision: Precision
    ) -> Iterator[Image.Image]:
        """The pictures, one after the other; drawings are taken a chunk at a time."""
        synthesis = self._synthesis(precision)
        for chunk, wanted in filled_chunks(drawings, chunk_of(self.config.img_resolution, self.device)):
            ws = torch.stack([one.ws for one in chunk])
            drawn = synthesis(ws, self._noise(noise, chunk))
            pixels = (drawn.float() * 127.5 + 128.0).clamp(0, 255).to(torch.uint8)  # as the official program
            for one in pixels[:wanted].permute(0, 2, 3, 1).cpu().numpy():
                mode = PICTURE_MODES[self.config.img_channels]
                yield Image.fromarray(np.ascontiguousarray(one[..., 0] if mode == "L" else one), mode)

    def _synthesis(self, precision: Precision) -> FastSynthesis:
        if precision not in self._fast:
            self._fast[precision] = FastSynthesis(self.generator, precision)
        return self._fast[precision]

    def _noise(self, noise: NoiseKind, chunk: list[Drawing]) -> Noise:
        """Random noise belongs to the picture, so that it is the same in any chunk."""
        if noise != "random" or not self.config.use_noise:
            return noise
        constant = self.generator.synthesis.constant_noise()
        each = []
        for one in chunk:
            random = draws(one.seed, "stylegan noise", iteration=one.number)
            drawn = noise_of(self.config, constant, 1, noise, random)
            each.append([part for part in drawn if part is not None])
        return [torch.cat(parts) for parts in zip(*each, strict=True)]
