"""Balanced patch transport: paints with real strokes of the style pictures, without any network.

Patch-based texture optimisation (Hertzmann et al. 2001, Image Analogies; Kwatra et al. 2005) written as a
semi-discrete optimal-transport assignment with guidance. At every level of a pyramid, repeatedly:

    assign   every output pixel the style pixel whose 5x5 patch and guide fit best, plus that pixel's price
    price    raise the price of style pixels used too often, lower it for those neglected (dual ascent)
    vote     every output pixel becomes the weighted mean of what the 25 overlapping patches propose

The prices bring strokes into flat skies and realise the styles' shares. See README.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.neural_style.atlas import (
    GUIDE_COLUMNS,
    NORM_COLUMN,
    PATCH,
    PRICE_COLUMN,
    ROW,
    Atlas,
    guide_of,
)
from engines.neural_style.colour import luma, sample_pixels, sliced_transport
from engines.neural_style.pyramid import blur, gradient, pad, resize
from engines.neural_style.schedule import (
    BORDER,
    DESCRIBE_COST,
    EXACT_PAIRS,
    VOTE_COST,
    WIDE_ITERATIONS,
    Size,
    level_scales,
    level_work,
    scaled,
)
from engines.neural_style.search import Search, Tick
from engines.seeds import generator
from engines.torch_device import reproducible

#: Queries and keys of one matrix product.
TILE: Size = (512, 16384)
SMALL_TILE: Size = (128, 4096)
#: On a GPU launching costs more than computing, so tiles are larger.
GPU_TILE: Size = (8192, 16384)

_VOTE_ROWS = 1 << 14  # output pixels voted on at a time
_DETAIL = GUIDE_COLUMNS.start


@dataclass(frozen=True)
class Recipe:
    """The constants that follow from `strength` (0..1), and the number of iterations per level."""

    strength: float
    iterations: int

    @property
    def guidance(self) -> float:
        """lambda: how much the content's colours and edges count."""
        return 2.0 * math.pow(0.005, self.strength)

    @property
    def edge_guidance(self) -> float:
        """kappa: how much more they count on edges."""
        return 3.0 * math.pow(20.0 / 3.0, self.strength)

    @property
    def gradient_guidance(self) -> float:
        """gamma: weight of gradients against colours in the guide."""
        return 2.0 * math.pow(3.0, self.strength)

    @property
    def price_step(self) -> float:
        """eta."""
        return 0.02 * math.pow(5.0, self.strength)

    @property
    def highest_price(self) -> float:
        """pmax."""
        return 0.3 * math.pow(10.0, self.strength)


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on from the start of an iteration."""

    level: int
    iteration: int
    image: Tensor  # (3, h, w) float32
    positions: Tensor  # (h*w,) int32
    prices: Tensor  # (P,) float32

    def tensors(self) -> dict[str, Tensor]:
        """As named tensors, for `checkpoint.pack`."""
        place = torch.tensor([self.level, self.iteration])
        return {"place": place, "image": self.image, "positions": self.positions, "prices": self.prices}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> State:
        """The inverse of `tensors`."""
        level, iteration = (int(number) for number in tensors["place"])
        return cls(level, iteration, tensors["image"], tensors["positions"], tensors["prices"])


class Report(Protocol):
    """Called often with the fraction done and the newest complete state, if any yet; may raise to stop."""

    def __call__(self, fraction: float, message: str, state: State | None) -> None: ...


def _silent(fraction: float, message: str, state: State | None) -> None:
    """The default report."""


def transport(
    content: Tensor,
    styles: list[Tensor],
    shares: list[float],
    recipe: Recipe,
    seed: int,
    *,
    tile: Size = TILE,
    resume: State | None = None,
    report: Report = _silent,
) -> Tensor:
    """Repaint `content` (3, H, W) with `styles` (3, h_k, w_k), used in `shares` that sum to 1 -> (3, H, W).

    Styles come at the size their strokes should have (area H*W for strokes as in the style picture).
    Deterministic for a seed, and bit-identical when continued from any `State` it reported.
    """
    with reproducible():
        return _Run(content, styles, shares, recipe, seed, tile, resume, report).complete()


class _Level:
    """What stays the same during the iterations of one level."""

    def __init__(self, run: _Run, index: int) -> None:
        scale = run.scales[index]
        self.index = index
        self.size = scaled((run.content.shape[1], run.content.shape[2]), scale)
        styles = []
        for style in run.styles:
            run.pulse()
            styles.append(resize(style, scaled((style.shape[1], style.shape[2]), scale)))
        gamma = run.recipe.gradient_guidance
        self.atlas = Atlas(styles, gamma, generator(run.seed, "basis", index), run.pulse)
        self.target = resize(run.guide, self.size)  # (3, h, w)
        run.pulse()
        edges = edge_map(resize(run.content, self.size)).flatten()  # (N,)
        run.pulse()
        weight = run.recipe.guidance * (1 + run.recipe.edge_guidance * edges)  # (N,)
        guide = guide_of(self.target, gamma).flatten(1).T  # (N, 5)
        #: (N, 32): the constant columns of the queries; the detail columns are filled per iteration.
        self.queries = torch.zeros(self.pixels, ROW, device=weight.device)
        self.queries[:, GUIDE_COLUMNS] = weight[:, None] * guide
        self.queries[:, NORM_COLUMN] = weight
        self.queries[:, PRICE_COLUMN] = 1

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]

    @property
    def is_exact(self) -> bool:
        return self.pixels * self.atlas.length <= EXACT_PAIRS

    def describe(self, image: Tensor) -> None:
        """Fill in the queries' detail columns from the current picture."""
        detail = self.atlas.basis.describe(pad(image, BORDER))  # (20, h, w)
        self.queries[:, :_DETAIL] = detail.flatten(1).T


class _Run:
    def __init__(
        self,
        content: Tensor,
        styles: list[Tensor],
        shares: list[float],
        recipe: Recipe,
        seed: int,
        tile: Size,
        resume: State | None,
        report: Report,
    ) -> None:
        self.content, self.styles, self.shares = content, styles, shares
        self.recipe, self.seed, self.tile, self.report = recipe, seed, tile, report
        self.scales = level_scales(content.shape[1], content.shape[2])
        sizes = [(style.shape[1], style.shape[2]) for style in styles]
        size = (content.shape[1], content.shape[2])
        self.work = [level_work(size, sizes, scale, recipe.iterations) for scale in self.scales]
        self.total = sum(sum(work) for work in self.work)
        self.state = resume
        self.guide = guide_image(content, styles, shares, seed, self.pulse)  # (3, H, W)

    def complete(self) -> Tensor:
        """Run all levels and sharpen."""
        level: _Level | None = None
        for index in range(self.state.level if self.state else 0, len(self.scales)):
            coarser, level = level, _Level(self, index)
            state = self.state
            if state is None or state.level < index:
                state = self._enter(level, coarser, state)
            self.state = self._iterate(level, state)
        assert self.state is not None
        # The last level is at full size, so what it copied from are the styles as they are.
        return sharpen(self.state.image, self.styles, self.shares, self.pulse)

    def pulse(self) -> None:
        """A report between iterations, where some steps take long enough to be stopped in."""
        done = self._done_before(self.state.level, self.state.iteration) if self.state else 0.0
        self.report(done / self.total, "preparing", self.state)

    def _done_before(self, level: int, iteration: int) -> float:
        return sum(sum(work) for work in self.work[:level]) + sum(self.work[level][:iteration])

    def _enter(self, level: _Level, coarser: _Level | None, state: State | None) -> State:
        """The state before the first iteration of a level."""
        if state is None or coarser is None:
            image = level.target
            positions = level.atlas.pixels[:1].expand(level.pixels).contiguous()
        else:
            image = resize(state.image, level.size)
            coarse = state.positions.view(coarser.size)
            positions = level.atlas.upsampled(coarse, coarser.atlas, level.size).flatten()
        prices = torch.zeros(level.atlas.length, device=image.device)
        return State(level.index, 0, image, positions, prices)

    def _iterate(self, level: _Level, state: State) -> State:
        message = f"level {level.index + 1} of {len(self.scales)}"
        for iteration in range(state.iteration, self.recipe.iterations):
            tick = self._ticker(level, state, message)
            level.describe(state.image)
            tick(DESCRIBE_COST * level.pixels)
            level.atlas.set_prices(state.prices)
            positions = self._assign(level, state, tick)
            usage = level.atlas.usage(positions, self.shares)
            change = self.recipe.price_step * (usage - 1).clamp(-1, 3)
            prices = (state.prices + change).clamp(0, self.recipe.highest_price)
            image = vote(level, positions, tick)
            state = State(level.index, iteration + 1, image, positions, prices)
        return state

    def _assign(self, level: _Level, state: State, tick: Tick) -> Tensor:
        search = Search(level.queries, level.atlas, level.size, state.positions, self.tile, tick)
        if level.is_exact:
            search.exact()
            return search.positions
        wide = state.iteration < WIDE_ITERATIONS
        search.score_current()
        if wide:
            search.neighbours()
            search.subset(generator(self.seed, "subset", level.index, state.iteration))
        for step in (1, 2, 1) if state.iteration == 0 else (1,):
            search.propagate(step)
        return search.positions

    def _ticker(self, level: _Level, state: State, message: str) -> Tick:
        """Turns work done in this iteration into reports of the overall fraction."""
        before = self._done_before(level.index, state.iteration)
        limit = self.work[level.index][state.iteration]
        done = 0.0

        def tick(amount: float) -> None:
            nonlocal done
            done = min(done + amount, limit)
            self.report((before + done) / self.total, message, state)

        return tick


def guide_image(
    content: Tensor,
    styles: list[Tensor],
    shares: list[float],
    seed: int,
    pulse: Callable[[], None] = lambda: None,
) -> Tensor:
    """The content in the styles' colours: what every output pixel should roughly look like. (3, H, W)."""
    draw = generator(seed, "guide")
    source = sample_pixels([content], [1.0], draw)
    target = sample_pixels(styles, shares, draw)
    return sliced_transport(source, target, draw).apply(content, pulse)


def edge_map(image: Tensor) -> Tensor:
    """Where the content's edges are, 0..1, of (3, h, w) -> (1, h, w); 1 from its 95th percentile on."""
    along_x, along_y = gradient(blur(luma(image), 1.0))
    strength = blur((along_x.square() + along_y.square()).sqrt(), 1.5)
    top = torch.quantile(strength, 0.95).clamp(min=1e-3)  # a flat picture has no edges, only noise
    return (strength / top).clamp(0, 1)


def vote(level: _Level, positions: Tensor, tick: Tick) -> Tensor:
    """Mean of the 25 style pixels that the patches over an output pixel propose for it -> (3, h, w).

    A patch counts 1 / (its squared distance + .002): badly fitting ones blur less.
    """
    atlas = level.atlas
    height, width = level.size
    weights = torch.empty(level.pixels, device=positions.device)
    for start in range(0, level.pixels, _VOTE_ROWS):
        rows = slice(start, start + _VOTE_ROWS)
        detail = atlas.keys.index_select(0, positions[rows])[:, :_DETAIL]
        distance = level.queries[rows, :_DETAIL].add(detail, alpha=0.5).square().sum(1)
        weights[rows] = 1 / (distance + 0.002)
    frame = (BORDER, BORDER, BORDER, BORDER)
    weight_map = F.pad(weights.view(height, width), frame)  # outside the picture nobody votes
    position_map = F.pad(positions.view(height, width), frame, value=int(atlas.pixels[0]))
    offsets = [(dy, dx) for dy in range(-BORDER, BORDER + 1) for dx in range(-BORDER, BORDER + 1)]
    band = max(1, _VOTE_ROWS // width)
    image = torch.empty(height, width, 3, device=positions.device)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        rows_here = position_map[top : bottom + 2 * BORDER]
        stride = atlas.stride_at(rows_here)
        votes, counts = [], []
        for dy, dx in offsets:
            # The patch centred at p + (dy, dx) shows, at p, the style pixel (dy, dx) before its own centre.
            window = (
                slice(BORDER + dy, BORDER + dy + bottom - top),
                slice(BORDER + dx, BORDER + dx + width),
            )
            votes.append((rows_here - (dy * stride + dx))[window])
            counts.append(weight_map[top : bottom + 2 * BORDER][window])
        proposed = torch.stack(votes, -1).view(-1, PATCH * PATCH)  # (n, 25)
        share = torch.stack(counts, -1).view(-1, PATCH * PATCH)
        share = share / share.sum(1, keepdim=True)
        colours = F.embedding_bag(proposed, atlas.colours, mode="sum", per_sample_weights=share)  # (n, 4)
        image[top:bottom] = colours[:, :3].view(bottom - top, width, 3)
        tick(VOTE_COST * (bottom - top) * width)
    return image.permute(2, 0, 1).contiguous().clamp_(0, 1)


def sharpen(
    image: Tensor, styles: list[Tensor], shares: list[float], pulse: Callable[[], None] = lambda: None
) -> Tensor:
    """Undo the blur of averaging: give two detail bands the styles' contrast, at most 1.6 times as much."""
    fine, middle, rest = _bands(image)
    wanted = torch.zeros(2, device=image.device)
    for style, share in zip(styles, shares, strict=True):
        pulse()
        bands = _bands(style)
        wanted += share * torch.stack([band.std(correction=0) for band in bands[:2]])
    sharpened = rest
    for band, goal in zip((fine, middle), wanted, strict=True):
        factor = goal / band.std(correction=0).clamp(min=1e-6)
        sharpened = sharpened + band * factor.clamp(1, 1.6)
    return sharpened.clamp(0, 1)


def _bands(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Detail finer than sigma .8, detail between .8 and 1.6, and the rest; they sum to the picture."""
    first, second = blur(image, 0.8), blur(image, 1.6)
    return image - first, first - second, second
