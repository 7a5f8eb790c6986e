"""FID of a generator of planets while it trains, on the features of the project's own classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from engines.planet_classifier.network import load_trunk
from engines.seeds import generator as draws
from engines.stylegan.model import Generator
from training.metrics import fid
from training.stylegan.dataset import Pictures

_BATCH = 64


class Judge:
    """Holds the features of the real pictures."""

    #: Made pictures for one measurement, and real ones at most.
    count, most = 2048, 20_000

    def __init__(self, pictures: Pictures, device: torch.device) -> None:
        """Raises EngineError when the classifier's weights are not what was shipped.

        Raises ValueError for greys, which it does not know.
        """
        if pictures.channels != 3:
            raise ValueError("the classifier of planets looks at colours; these pictures are grey")
        self._pictures, self._device = pictures, device
        self._features = load_trunk(device)
        step = -(-len(pictures) // self.most)
        chosen = range(0, len(pictures), step)
        found = []
        for start in range(0, len(chosen), _BATCH):
            part = torch.stack([pictures.picture(index) for index in chosen[start : start + _BATCH]])
            found.append(self._of(part.to(device).float() / 255.0))
        #: (N, F) of the real pictures.
        self.real = torch.cat(found)

    def fid(self, generator: Generator, seed: int) -> float:
        """The Frechet distance between made and real pictures; always from the same latents."""
        return fid(self.real, self.made(generator, seed, self.count))

    @torch.no_grad()
    def made(self, generator: Generator, seed: int, count: int) -> Tensor:
        """(count or a few more, F): the features of made pictures, classes as often as in the real ones."""
        random, found = draws(seed, "judge"), []
        for _ in range(0, count, _BATCH):
            z = torch.randn(_BATCH, generator.config.z_dim, generator=random).to(self._device)
            chosen = torch.randint(len(self._pictures), (_BATCH,), generator=random).tolist()
            labels = torch.stack([self._pictures.label(index) for index in chosen]).to(self._device)
            made = generator(z, labels, "random", random=random)
            found.append(self._of(((made + 1.0) * 0.5).clamp(0.0, 1.0)))
        return torch.cat(found)

    def _of(self, rgb: Tensor) -> Tensor:
        return self._features(rgb).double().cpu()
