"""Networks of stylegan2-ada-pytorch, and of stylegan3 with --cfg=stylegan2, as configuration and tensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import pickle_reader
from engines.stylegan.reading.official_config import (
    discriminator_config,
    generator_config,
    layers_that_keep_their_size,
)
from engines.stylegan.reading.official_modules import Part, modules
from engines.stylegan.reading.pickle_machine import Limits, Value
from engines.stylegan.reading.pickle_storage import Array
from engines.stylegan.reading.shapes import expected_shapes

#: By official name, float32; read-only views on the file where it has them as float32.
Tensors = dict[str, npt.NDArray[np.float32]]

#: Tensors of one network, and numbers of a filter; a file may name the same tensor in many places.
_TENSORS, _FILTER = 4096, 64 * 64

#: The running mean of the generator, which pictures are made with.
AVERAGED = "G_ema"


class Official:
    """The networks of one official file. Each is checked when it is asked for."""

    def __init__(self, networks: dict[str, Value]) -> None:
        """What `pickle_reader` found. Raises BadNetwork where no network is among it."""
        self._networks = networks
        if not self.names():
            raise BadNetwork("its pickle holds no G_ema, G or D: it is not a file of StyleGAN2-ADA")

    def names(self) -> tuple[str, ...]:
        """Which of G_ema, G and D are there; forks leave some out."""
        return tuple(name for name in (AVERAGED, "G", "D") if self._networks.get(name) is not None)

    def generator(self, name: str = AVERAGED) -> tuple[GeneratorConfig, Tensors]:
        """One of the generators. Raises BadNetwork where it is absent or cannot be used."""
        part = Part(self._networks.get(name), name)
        config = generator_config(part)
        return config, _tensors(part, config)

    def discriminator(self) -> tuple[DiscriminatorConfig, Tensors]:
        """Raises BadNetwork where it is absent or cannot be used."""
        part = Part(self._networks.get("D"), "D")
        config = discriminator_config(part)
        return config, _tensors(part, config)


def read(path: Path, limits: Limits | None = None) -> Official:
    """The networks in a file. Raises BadNetwork, and EngineError where the file cannot be opened."""
    return Official(pickle_reader.read(path, limits))


def check_names(found: dict[str, tuple[int, ...]], config: GeneratorConfig | DiscriminatorConfig) -> None:
    """Raises BadNetwork unless there is exactly what the configuration implies, in exactly those shapes."""
    expected = expected_shapes(config)
    missing = sorted(expected.keys() - found.keys())
    if missing:
        raise BadNetwork(f"it lacks the tensor {_and_more(missing)}")
    surplus = sorted(found.keys() - expected.keys())
    if surplus:
        raise BadNetwork(f"it holds a tensor that such a network does not have: {_and_more(surplus)}")
    for name, shape in expected.items():
        if found[name] != shape:
            raise BadNetwork(f"the tensor {name} is {found[name]}; it must be {shape}")


def check_finite(name: str, tensor: npt.NDArray[np.floating]) -> None:
    """Raises BadNetwork where a value is infinite or not a number: training had gone wrong."""
    if not np.isfinite(tensor).all():
        raise BadNetwork(f"the tensor {name} holds values that are not finite: its training went wrong")


def _tensors(part: Part, config: GeneratorConfig | DiscriminatorConfig) -> Tensors:
    found: dict[str, Array] = {}
    for prefix, module in modules(part):
        found |= {f"{prefix}{name}": tensor for name, tensor in module.tensors()}
        if len(found) > _TENSORS:
            raise BadNetwork(f"{part.path} has more than {_TENSORS} tensors")
    _unify_filters(found, layers_that_keep_their_size(part))
    check_names({name: tensor.shape for name, tensor in found.items()}, config)
    tensors = {}
    for name, tensor in found.items():
        if not np.issubdtype(tensor.dtype, np.floating):
            raise BadNetwork(f"the tensor {name} holds integers")
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused
            tensors[name] = tensor.astype(np.float32, copy=False)
        check_finite(name, tensors[name])
    return tensors


def _unify_filters(found: dict[str, Array], unused: set[str]) -> None:
    """One filter in all places. Raises BadNetwork where filters that are used differ."""
    names = {name for name in found if name.endswith("resample_filter")}
    for name in names:
        if found[name].size > _FILTER:
            raise BadNetwork(f"the filter {clean(name)} has {found[name].size:,} numbers")
    used = sorted(names - unused)
    for name in used:
        if not np.array_equal(found[name], found[used[0]]):
            raise BadNetwork("its layers differ in their filters, which is not computed here")
    for name in names & unused:
        if used:
            found[name] = found[used[0]]


def _and_more(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{clean(names[0])}{more}"
