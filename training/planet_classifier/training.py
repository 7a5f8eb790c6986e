"""One run of the classifier's training: step, average of the weights, checkpoint, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engines import shipped
from engines.planet_classifier.model import PlanetClassifier
from engines.planet_classifier.network import NAME, Calibration
from engines.seeds import generator
from engines.torch_device import channels_last
from training import checkpoints
from training.planet_classifier.batches import NO_WORLD, Batches
from training.planet_classifier.figures import platt, temperature
from training.planet_classifier.views import TRAINING

#: Share of such planets that the threshold may refuse, and the bounds of the threshold.
_MAY_BE_REFUSED = 0.01
_THRESHOLDS = (0.5, 0.95)


@dataclass(frozen=True)
class Recipe:
    """What a run is determined by, together with its pictures."""

    seed: int = 1
    steps: int = 4500
    batch: int = 32
    #: AdamW's largest rate (Loshchilov and Hutter 2019); rises for `warm_up` steps, then falls as a cosine.
    rate: float = 1.5e-3
    warm_up: int = 150
    decay: float = 0.05
    #: Share of the old that the average of the weights keeps at each step.
    average: float = 0.998
    #: Share of the steps over which augmentation grows to its full odds; all from the start slows learning.
    ramp: float = 0.4


@dataclass(frozen=True)
class Logits:
    """What the network says of some views."""

    #: (N, 12) and (N,) float32.
    worlds: Tensor
    planets: Tensor


class Training:
    """Holds everything that changes; `step` moves it on."""

    def __init__(self, recipe: Recipe, batches: Batches, device: torch.device, half: bool) -> None:
        """`half`: convolutions in bfloat16."""
        self.recipe, self.device = recipe, device
        self._batches, self._half = batches, half
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.model = channels_last(PlanetClassifier().to(device))
            self.averaged = channels_last(PlanetClassifier().to(device))
        self.averaged.load_state_dict(self.model.state_dict())
        self.averaged.eval().requires_grad_(False)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": recipe.decay}, {"params": others, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
        self.steps = 0

    def begin_with(self, tensors: Mapping[str, Tensor]) -> None:
        """Start from the weights of an earlier run."""
        shipped.fill(self.model, tensors, NAME)
        shipped.fill(self.averaged, tensors, NAME)

    def step(self) -> dict[str, float]:
        """One batch; its losses and the share of right worlds."""
        grown = self.steps / max(self.recipe.ramp * self.recipe.steps, 1.0)
        batch = self._batches.training(self.steps, min(1.0, 0.2 + grown) if self.recipe.ramp > 0.0 else 1.0)
        rate = _rate(self.recipe, self.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.model.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            features = self.model.features(batch.views.to(self.device))
        worlds, planets = self.model.answers(features)
        labels = batch.labels.to(self.device)
        real = labels != NO_WORLD
        which = F.cross_entropy(worlds[real], labels[real])
        whether = F.binary_cross_entropy_with_logits(planets, real.float())
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(which + whether)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimiser.step()
        self.steps += 1
        self._average()
        right = (worlds[real].argmax(1) == labels[real]).float().mean()
        known = ((planets > 0) == real).float().mean()
        return {"world": which.item(), "planet": whether.item(), "right": right.item(), "known": known.item()}

    @torch.no_grad()
    def _average(self) -> None:
        """Running average of weights and of batch norm's statistics; short at first."""
        keep = min(self.recipe.average, (1.0 + self.steps) / (10.0 + self.steps))
        ours = self.averaged.state_dict()
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                ours[name].lerp_(value, 1.0 - keep)
            else:
                ours[name].copy_(value)

    def save(self, file: Path, **progress: float) -> None:
        """Everything, so that a run that goes on from it is the one that was not interrupted."""
        checkpoints.write(
            file,
            asdict(self.recipe),
            steps=self.steps,
            model=self.model.state_dict(),
            averaged=self.averaged.state_dict(),
            optimiser=self._optimiser.state_dict(),
            progress=progress,
        )

    def restore(self, file: Path) -> dict[str, Any]:
        """Go on from a checkpoint; its progress. Raises ValueError when it is of another recipe."""
        state = checkpoints.read(file, asdict(self.recipe), self.device)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]
        progress: dict[str, Any] = state["progress"]
        return progress


def _rate(recipe: Recipe, step: int) -> float:
    if step < recipe.warm_up:
        return recipe.rate * (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / max(recipe.steps - recipe.warm_up, 1)
    return recipe.rate * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


@torch.inference_mode()
def look(model: PlanetClassifier, views: Tensor) -> Logits:
    """What a network in `eval` mode says of (N, 3, S, S) views, in float32."""
    device = next(model.parameters()).device
    parts = [model(part.to(device)) for part in torch.split(views, 64)]
    return Logits(torch.cat([w.cpu() for w, _ in parts]), torch.cat([p.cpu() for _, p in parts]))


@dataclass(frozen=True)
class Held:
    """Views that calibrate."""

    #: (N, 3, SIDE, SIDE).
    views: Tensor
    #: (N,), `NO_WORLD` for other pictures.
    labels: Tensor
    #: (N,) what share of training's odds of augmentation each was made with.
    shares: Tensor


def validation(batches: Batches, rounds: int, seed: int) -> Held:
    """All planets of `batches` and as many others, in rounds: as they are, then augmented more and more."""
    views, labels, shares = [], [], []
    for number in range(rounds):
        share = number / max(rounds - 1, 1)
        planets = batches.all_planets(TRAINING.times(share), seed + number)
        draw = generator(seed, "validation", 0, number)
        others = batches.negatives(len(planets.labels), TRAINING.times(share), draw)
        views += [planets.views, others]
        labels += [planets.labels, torch.full((len(others),), NO_WORLD)]
        shares.append(torch.full((len(planets.labels) + len(others),), share))
    return Held(torch.cat(views), torch.cat(labels), torch.cat(shares))


def calibrate(logits: Logits, held: Held) -> Calibration:
    """Fit it to pictures the network was not trained on.

    The threshold is the score that nearly all planets reach that are little augmented or not at all.
    """
    real = held.labels != NO_WORLD
    slope, offset = platt(logits.planets[real], logits.planets[~real])
    fitted = Calibration(temperature(logits.worlds[real], held.labels[real]), slope, offset)
    plain = fitted.scores(logits.planets[real & (held.shares < 0.5)])
    threshold = min(max(plain.quantile(_MAY_BE_REFUSED).item(), _THRESHOLDS[0]), _THRESHOLDS[1])
    return replace(fitted, threshold=round(threshold, 3))
