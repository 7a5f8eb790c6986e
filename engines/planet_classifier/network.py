"""The trained classifier: verified weights, and answers that do not depend on what else is asked with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines import shipped
from engines.base import EngineError
from engines.chunks import filled_chunks
from engines.planet_classifier.model import PlanetClassifier
from engines.planet_classifier.pictures import Floats
from engines.planet_classifier.spec import CHUNK
from engines.torch_device import channels_last, reproducible

WEIGHTS = Path(__file__).parent / "weights"
NAME = "planet_classifier.safetensors"


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities; measured on pictures that the network was not trained on.

    World: softmax(logits / temperature) (Guo et al. 2017). Planet or not: sigmoid(slope x logit + offset)
    (Platt 1999), for as many planets as other pictures.
    """

    temperature: float = 1.0
    slope: float = 1.0
    offset: float = 0.0
    #: The score from which a picture counts as one of the worlds.
    threshold: float = 0.5

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read what `to_metadata` wrote. Raises EngineError when it is absent or senseless."""
        try:
            found = cls(**{name: float(metadata[name]) for name in cls.__dataclass_fields__})
        except (KeyError, ValueError) as error:
            raise EngineError(
                f"the weights {NAME} say nothing usable of their calibration: {error}"
            ) from error
        values = [getattr(found, name) for name in cls.__dataclass_fields__]
        if not all(map(math.isfinite, values)) or found.temperature <= 0 or found.slope <= 0:
            raise EngineError(f"the weights {NAME} have a senseless calibration: {found}")
        return found

    def to_metadata(self) -> dict[str, str]:
        """As the text that goes into the header of the weights."""
        return {name: repr(float(getattr(self, name))) for name in self.__dataclass_fields__}

    def probabilities(self, logits: Tensor) -> Tensor:
        """(B, 12) logits -> (B, 12) float64, rows sum to 1."""
        return (logits.double() / self.temperature).softmax(1)

    def scores(self, logits: Tensor) -> Tensor:
        """(B,) logits -> (B,) float64: how likely it is one of the worlds."""
        return (logits.double() * self.slope + self.offset).sigmoid()


class Network:
    """The classifier on one device."""

    def __init__(self, device: torch.device, folder: Path = WEIGHTS) -> None:
        """Read the shipped weights. Raises EngineError when they are not what was shipped."""
        tensors, metadata = shipped.read(folder, NAME)
        self.calibration = Calibration.from_metadata(metadata)
        self.device = device
        model = PlanetClassifier()
        shipped.fill(model, tensors, NAME)
        self.model = channels_last(model.to(device)).eval().requires_grad_(False)

    def logits(self, pictures: Floats) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) in 0..1 -> (N, 12) and (N,) logits, on the CPU."""
        worlds, planets = [], []
        for chunk, wanted in filled_chunks(pictures, CHUNK):
            with torch.inference_mode(), reproducible():
                world, planet = self.model(torch.from_numpy(np.stack(chunk)).to(self.device))
            worlds.append(world[:wanted].cpu())
            planets.append(planet[:wanted].cpu())
        return torch.cat(worlds), torch.cat(planets)

    def classify(self, pictures: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(N, 3, S, S) in 0..1 -> (N, 12) probabilities of the worlds, (N,) scores of being one of them."""
        worlds, planets = self.logits(pictures)
        calibration = self.calibration
        return calibration.probabilities(worlds).numpy(), calibration.scores(planets).numpy()


class Trunk:
    """Features for distances between sets of pictures: `trunk(x)` is (B, 3, S, S) in 0..1 -> (B, 256)."""

    def __init__(self, network: Network) -> None:
        self._model = network.model

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """See `PlanetClassifier.features`; in float32."""
        found: Tensor = self._model.features(x.float())
        return found


class Recogniser:
    """Says which world: `recogniser(x)` is (B, 3, S, S) in 0..1 -> (B,) int64, -1 for none."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """The index in `WORLDS` of the likeliest world, -1 where the score stays under the threshold."""
        worlds, planets = self._network.model(x.float())
        calibration = self._network.calibration
        known = calibration.scores(planets) >= calibration.threshold
        return torch.where(known, worlds.argmax(1), -1)


def load_trunk(device: torch.device) -> Trunk:
    """The features of the shipped network. Raises EngineError when its weights are not what was shipped."""
    return Trunk(Network(device))


def load_classifier(device: torch.device) -> Recogniser:
    """The answers of the shipped network. Raises EngineError when its weights are not what was shipped."""
    return Recogniser(Network(device))
