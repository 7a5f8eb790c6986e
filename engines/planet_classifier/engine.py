"""The `planet_classifier` engine: read pictures, look at them together, say what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines import images
from engines.base import BatchItem, Context, EngineError, Interrupted, Output
from engines.planet_classifier.network import WEIGHTS, Network
from engines.planet_classifier.pictures import Floats, letterbox
from engines.planet_classifier.spec import PlanetClassifierParams
from engines.worlds import WORLDS

#: Raised with every change that alters results.
RECIPE = "1"

#: The label of a picture that shows none of the worlds.
NONE = "not_a_planet"


class Engine:
    """Says which world a picture shows. On the CPU: a picture takes milliseconds."""

    device = "cpu"

    def __init__(self, folder: Path = WEIGHTS) -> None:
        """`folder`: where the weights lie."""
        self._folder = folder
        self._network: Network | None = None

    def setup(self) -> None:
        """Read the weights. Raises EngineError when they are not what was shipped."""
        self._loaded()

    def run(self, params: PlanetClassifierParams, context: Context) -> Iterator[Output]:
        """One JSON file. Raises BadInput for a picture that cannot be read."""
        square = _look(params, context)
        yield from self._say([params], [square])

    def run_batch(self, items: Sequence[BatchItem]) -> Iterator[tuple[int, Output | EngineError]]:
        """The pictures of all jobs in common passes; one that cannot be read ends its own job alone."""
        squares: dict[int, Floats] = {}
        for index, (params, context) in enumerate(items):
            try:
                squares[index] = _look(params, context)
            except Interrupted:
                continue
            except EngineError as error:
                yield index, error
        if squares:
            outputs = self._say([items[index][0] for index in squares], list(squares.values()))
            yield from zip(squares, outputs, strict=True)

    def _say(self, asked: list[PlanetClassifierParams], squares: list[Floats]) -> Iterator[Output]:
        network = self._loaded()
        probabilities, scores = network.classify(np.stack(squares))
        for params, shares, score in zip(asked, probabilities, scores, strict=True):
            answer = _answer(params, shares.tolist(), float(score), network.calibration.threshold)
            text = json.dumps(answer, indent=2) + "\n"
            yield Output("classification.json", "application/json", text.encode(), meta=answer)

    def _loaded(self) -> Network:
        if self._network is None:
            self._network = Network(torch.device(self.device), self._folder)
        return self._network


def _look(params: PlanetClassifierParams, context: Context) -> Floats:
    context.progress(0.0, "looking")
    return letterbox(images.load_rgb(context.input(params.image)))


def _answer(
    params: PlanetClassifierParams, shares: list[float], score: float, usual_threshold: float
) -> dict[str, Any]:
    """What is said of one picture; `shares` are the probabilities of the worlds if it is one of them."""
    threshold = usual_threshold if params.threshold is None else params.threshold
    order = sorted(range(len(WORLDS)), key=lambda world: -shares[world])
    rounded = [round(share, 6) for share in shares]
    rounded[order[0]] = round(rounded[order[0]] + 1.0 - sum(rounded), 6)  # so that they still sum to 1
    return {
        "engine": "planet_classifier",
        "recipe": RECIPE,
        "seed": params.seed,
        "label": WORLDS[order[0]] if score >= threshold else NONE,
        "score": round(score, 6),
        "threshold": threshold,
        "top": [{"world": WORLDS[world], "probability": rounded[world]} for world in order[: params.top]],
        "probabilities": dict(zip(WORLDS, rounded, strict=True)),
    }
