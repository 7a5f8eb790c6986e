"""What the classifier is shown: views of planets, and of what is none, from one seed and step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.seeds import generator
from training.planet_classifier.backgrounds import backgrounds
from training.planet_classifier.negatives import Negatives
from training.planet_classifier.views import (
    TRAINING,
    Odds,
    Pyramid,
    chosen,
    compose,
    develop,
    place,
    place_filling,
    shade,
    uniform,
)
from training.planets.data import Pictures

#: The label of a picture that shows no planet.
NO_WORLD = -1

#: Shares of the negatives of a batch: whole pictures, things, and pictures painted on discs and balls.
_FILLING, _THINGS = 0.4, 0.35


@dataclass(frozen=True)
class Batch:
    """Views and what they show."""

    #: (B, 3, SIDE, SIDE) float32 in 0..1.
    views: Tensor
    #: (B,) int64: the index of the world, `NO_WORLD` for something else.
    labels: Tensor


class Batches:
    """Makes batches; the same seed and number give the same one."""

    def __init__(self, planets: Pictures, negatives: Negatives, size: int, seed: int) -> None:
        """`size`: pictures of a batch, half of them planets."""
        self._planets, self._labels = Pyramid(planets.pixels), planets.labels
        self._frames, self._things = Pyramid(negatives.frames), Pyramid(negatives.things)
        self._size, self._seed = size, seed

    def training(self, step: int, share: float = 1.0) -> Batch:
        """The batch of a step, with the odds of training times `share`. Each planet comes once an epoch."""
        half, odds = self._size // 2, TRAINING.times(share)
        views = self.planets(self._turn(step, half), odds, generator(self._seed, "planets", 0, step))
        others = self.negatives(self._size - half, odds, generator(self._seed, "negatives", 0, step))
        labels = torch.cat([self._labels[self._turn(step, half)], torch.full((len(others),), NO_WORLD)])
        return Batch(torch.cat([views, others]), labels)

    def _turn(self, step: int, count: int) -> Tensor:
        """Indices of the planets whose turn it is, epoch after epoch in another order."""
        first, total = step * count, len(self._labels)
        found = []
        while count > 0:
            epoch, place_ = divmod(first, total)
            part = torch.randperm(total, generator=generator(self._seed, "order", 0, epoch))[
                place_ : place_ + count
            ]
            found.append(part)
            first, count = first + len(part), count - len(part)
        return torch.cat(found)

    def planets(self, indices: Tensor, odds: Odds, draw: torch.Generator) -> Tensor:
        """Views of these planets, (B, 3, SIDE, SIDE)."""
        return self._views(self._planets, indices, odds, draw)

    def all_planets(self, odds: Odds, seed: int) -> Batch:
        """One view of each planet."""
        parts = torch.split(torch.arange(len(self._labels)), 64)
        views = [
            self.planets(part, odds, generator(seed, "all planets", 0, n)) for n, part in enumerate(parts)
        ]
        return Batch(torch.cat(views), self._labels)

    def negatives(self, count: int, odds: Odds, draw: torch.Generator) -> Tensor:
        """Views of what is no planet, (B, 3, SIDE, SIDE)."""
        filling, things = round(count * _FILLING), round(count * _THINGS)
        whole = place_filling(filling, draw)
        indices = torch.randint(len(self._frames), (filling,), generator=draw)
        rgb = develop(self._frames.sample(indices, whole.grid, whole.scales)[:, :3], odds, draw)
        indices = torch.randint(len(self._things), (things,), generator=draw)
        return torch.cat(
            [
                rgb,
                self._views(self._things, indices, odds, draw),
                self._balls(count - filling - things, odds, draw),
            ]
        )

    def _views(self, pictures: Pyramid, indices: Tensor, odds: Odds, draw: torch.Generator) -> Tensor:
        where = place(len(indices), odds, draw)
        views = pictures.sample(indices, where.grid, where.scales)
        views = shade(views, where.grid, pictures.extents[indices], odds.phase, draw)
        behind = backgrounds(len(indices), odds.background, self._frames, draw)
        return develop(compose(views, behind), odds, draw)

    def _balls(self, count: int, odds: Odds, draw: torch.Generator) -> Tensor:
        """Other pictures cut out round, or wrapped around a ball and lit as planets are."""
        where = place(count, odds, draw)
        radius = uniform(draw, count, 0.8, 0.97).view(-1, 1, 1)
        distance = where.grid.square().sum(3).sqrt() / radius  # (B, S, S)
        bulge = torch.asin(distance.clamp(max=1.0)) / (0.5 * torch.pi) / distance.clamp(min=1e-3)
        wrapped = chosen(draw, count, 0.6).view(-1, 1, 1)
        texture = where.grid * torch.where(wrapped, bulge, torch.ones_like(bulge))[..., None]
        indices = torch.randint(len(self._frames), (count,), generator=draw)
        views = self._frames.sample(indices, texture, where.scales)
        edge = where.scales.view(-1, 1, 1) * views.shape[-1] / 2.0  # pixels of the radius 1
        alpha = ((1.0 - distance) * radius * edge + 0.5).clamp(0.0, 1.0)[:, None]
        dark = uniform(draw, count, 0.0, 0.8).view(-1, 1, 1) * wrapped  # towards the limb
        limb = (1.0 - distance.square()).clamp(min=1e-4) ** (0.5 * dark)
        views = torch.cat([views[:, :3] * limb[:, None], torch.ones_like(alpha)], 1) * alpha
        views = shade(views, where.grid, radius.view(-1, 1).expand(-1, 2), odds.phase, draw)
        behind = backgrounds(count, odds.background, self._frames, draw)
        return develop(compose(views, behind), odds, draw)
