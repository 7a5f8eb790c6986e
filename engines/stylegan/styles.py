"""What a network draws a picture from: seeds, classes and saved points -> z, labels and w."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.stylegan.config import GeneratorConfig
from engines.stylegan.fitting import RANGES
from engines.stylegan.model import Mapping

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """Where a picture comes from, before it is mapped to w."""

    seed: int
    #: (z_dim,) standard normal.
    z: Floats
    #: (c_dim,) a class as one number 1 among zeros; empty without classes.
    label: Floats

    def class_index(self) -> int | None:
        """The number of its class."""
        return int(self.label.argmax()) if len(self.label) else None


def origin(seed: int, config: GeneratorConfig, wanted: int | None) -> Origin:
    """The picture of a seed, the one the official program makes of it.

    Seeds it does not know, of more than 32 bits, are taken as two numbers. `wanted` is a class; None: a
    network with classes draws one by the seed.
    """
    chance = np.random.RandomState(seed if seed < 2**32 else [seed >> 32, seed & (2**32 - 1)])
    z = chance.randn(1, config.z_dim)[0].astype(np.float32)
    label = np.zeros(config.c_dim, dtype=np.float32)
    if config.c_dim:
        label[wanted if wanted is not None else chance.randint(config.c_dim)] = 1.0
    return Origin(seed, z, label)


def class_number(label: int | str | None, names: tuple[str, ...]) -> int | None:
    """The number of a class that the network has (`fitting.class_label`)."""
    if label is None:
        return None
    return names.index(label) if isinstance(label, str) and label in names else int(label)


def mapped(mapping: Mapping, origins: list[Origin], device: torch.device) -> Floats:
    """The w (N, w_dim) of each, without truncation. One by one, so that company changes no bit of it."""
    found = []
    with torch.inference_mode():
        for one in origins:
            z = torch.from_numpy(one.z)[None].to(device)
            label = torch.from_numpy(one.label)[None].to(device) if len(one.label) else None
            found.append(mapping(z, label)[0, 0].float().cpu().numpy())
    return np.stack(found)


def mixed(ws: Tensor, others: dict[str, Tensor], config: GeneratorConfig) -> Tensor:
    """(num_ws, w_dim) with the styles of some ranges from other ws, (num_ws, w_dim) each.

    A block's styles are those of its convolutions; the last colour layer goes with the finest.
    """
    ws = ws.clone()
    for name, other in others.items():
        coarsest, finest = RANGES[name]
        rows = [row for row, side in enumerate(_sides(config)) if coarsest <= side <= finest]
        ws[rows] = other[rows]
    return ws


def _sides(config: GeneratorConfig) -> list[int]:
    """The resolution each of the ws is for."""
    first, *rest = config.resolutions()
    sides = [first, *(side for side in rest for _ in range(2))]
    return [*sides, sides[-1]]
