"""FID of a generator while it trains, on the features of the project's own classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.planet_classifier.network import load_trunk
from engines.planets.model import Generator
from engines.seeds import generator as draws
from training.metrics import fid
from training.planets.codes import drawn
from training.planets.data import Pictures

_BATCH = 64


class Judge:
    """Holds the features of the real pictures."""

    #: Made pictures for one measurement: fewer than for the published figures, which evaluate.py takes.
    count = 2048

    def __init__(self, pictures: Pictures, device: torch.device) -> None:
        self._device = device
        self._features = load_trunk(device)
        real = pictures.pixels[:, :3]
        self._real = torch.cat(
            [self._of(part.to(device).float() / 255.0) for part in torch.split(real, _BATCH)]
        )

    def fid(self, generator: Generator, seed: int) -> float:
        """The Frechet distance between made and real pictures; always from the same latents."""
        draw = draws(seed, "judge")
        found = []
        for _ in range(0, self.count, _BATCH):
            codes = drawn(_BATCH, generator.size, draw)
            with torch.no_grad():
                made = generator(*(part.to(self._device) for part in codes))[:, :3]
            found.append(self._of((made + 1.0) * 0.5))
        return fid(self._real, torch.cat(found))

    @torch.no_grad()
    def _of(self, rgb: Tensor) -> Tensor:
        return self._features(rgb).double().cpu()
