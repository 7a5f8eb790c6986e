"""What a network draws a picture from: seeds, classes and saved points -> z, labels and w."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.base import BadInput
from engines.stylegan.config import GeneratorConfig
from engines.stylegan.model import Mapping

Floats = npt.NDArray[np.float32]

#: The coarsest and the finest resolution of each range of styles (Karras et al. 2019, section 3.1).
RANGES = {"coarse": (4, 8), "middle": (16, 32), "fine": (64, 1 << 30)}


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


def class_number(wanted: int | str | None, config: GeneratorConfig, names: tuple[str, ...]) -> int | None:
    """A class by its number or its name. Raises BadInput for one that the network has not."""
    if wanted is None:
        return None
    if not config.c_dim:
        raise BadInput("this network has no classes")
    if isinstance(wanted, str) and wanted in names:
        return names.index(wanted)
    if isinstance(wanted, str) and not re.fullmatch(r"\d{1,6}", wanted):
        known = f"; it has {', '.join(names[:20])}" if names else ", and its classes have no names"
        raise BadInput(f"this network has no class {wanted!r}{known}")
    if int(wanted) >= config.c_dim:
        raise BadInput(f"this network has the classes 0 to {config.c_dim - 1}, not {wanted}")
    return int(wanted)


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
    Raises BadInput for a range that the network's pictures are too small for.
    """
    ws = ws.clone()
    for name, other in others.items():
        coarsest, finest = RANGES[name]
        if config.img_resolution < coarsest:
            raise BadInput(f"pictures of {config.img_resolution} pixels have no {name} styles to mix")
        rows = [row for row, side in enumerate(_sides(config)) if coarsest <= side <= finest]
        ws[rows] = other[rows]
    return ws


def _sides(config: GeneratorConfig) -> list[int]:
    """The resolution each of the ws is for."""
    first, *rest = config.resolutions()
    sides = [first, *(side for side in rest for _ in range(2))]
    return [*sides, sides[-1]]
