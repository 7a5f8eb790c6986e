"""Finding the cheapest style pixel for every output pixel: exact, or the best of well-chosen candidates.

The cost of position k for pixel i, |d_i - D_k|^2 + lambda_i |g_i - G_k|^2 + price_k, is up to a constant of i
one inner product of 27 columns (padded to 32):

    [d_i, lambda_i g_i, lambda_i, 1] . [-2 D_k, -2 G_k, |G_k|^2, |D_k|^2 + price_k]
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engines.neural_style.atlas import BLOCK, Atlas
from engines.neural_style.schedule import CANDIDATE_COST, SUBSET, Size

#: Told how much work has been done since the last call, in scored (pixel, key) pairs. May raise.
Tick = Callable[[float], None]

_EIGHT = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
_FOUR = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class Search:
    """One assignment step: keeps the best position found so far for every pixel.

    The given `positions` are not written to; take the result from `positions` when done.
    """

    def __init__(
        self, queries: Tensor, atlas: Atlas, size: Size, positions: Tensor, tile: Size, tick: Tick
    ) -> None:
        """`queries`: (N, 32). `positions`: (N,) int32. `tile`: (queries, keys) of one matrix product."""
        self.queries = queries
        self.atlas = atlas
        self.size = size
        self.positions = positions.clone()  # (N,) int32
        self.scores = torch.full((queries.shape[0],), torch.inf, device=queries.device)  # (N,)
        self._tile_queries, self._tile_keys = tile[0], max(BLOCK, tile[1] // BLOCK * BLOCK)
        self._rows = max(1, tile[0] * 64)  # candidates scored at a time
        self._tick = tick
        # One buffer for all products: a fresh block per tile costs more than the product itself.
        entries = self._tile_queries * min(self._tile_keys, max(atlas.length, SUBSET))
        self._buffer = torch.empty(entries, device=queries.device)

    def score_current(self) -> None:
        """Score the positions held; needed once, as pixels and prices have changed since."""
        for start in range(0, self.positions.numel(), self._rows):
            rows = slice(start, start + self._rows)
            keys = self.atlas.keys.index_select(0, self.positions[rows])
            self.scores[rows] = keys.mul_(self.queries[rows]).sum(1)
            self._tick(CANDIDATE_COST * keys.shape[0])

    def exact(self) -> None:
        """Compare every pixel with every key."""
        for first in range(0, self.atlas.length, self._tile_keys):
            self._against(self.atlas.keys[first : first + self._tile_keys], first, None)

    def subset(self, generator: torch.Generator) -> None:
        """Compare every pixel with the same 4096 random style pixels (all, where there are fewer)."""
        pixels = self.atlas.pixels
        pick = torch.randint(pixels.numel(), (SUBSET,), generator=generator)
        names = pixels[pick.to(pixels.device)]
        keys = self.atlas.keys.index_select(0, names)
        for first in range(0, SUBSET, self._tile_keys):
            part = slice(first, first + self._tile_keys)
            self._against(keys[part], 0, names[part])

    def neighbours(self) -> None:
        """Try the eight style pixels around the current one."""
        stride = self.atlas.stride_at(self.positions)
        current = self.positions.clone()
        for dy, dx in _EIGHT:
            self._offer(current + (dy * stride + dx))

    def propagate(self, step: int) -> None:
        """Try what the pixels `step` away use, moved along: coherent pieces of a style grow this way."""
        height, width = self.size
        for dy, dx in _FOUR:
            dy, dx = dy * step, dx * step
            here = self.positions.view(height, width)
            stride = self.atlas.stride_at(here)
            moved = here + (dy * stride + dx)
            candidate = here.clone()
            to_rows, from_rows = _shifted(dy, height)
            to_columns, from_columns = _shifted(dx, width)
            candidate[to_rows, to_columns] = moved[from_rows, from_columns]
            self._offer(candidate.flatten())

    def _offer(self, candidate: Tensor) -> None:
        """Take the candidates (N,) that are better than what is held."""
        for start in range(0, candidate.numel(), self._rows):
            rows = slice(start, start + self._rows)
            held, offered = self.positions[rows], candidate[rows]
            # Inside a coherent piece the offer is what is held already: often more than half of all.
            new = (offered != held).nonzero().squeeze(1)
            self._tick(CANDIDATE_COST * held.numel())
            if new.numel() == 0:
                continue
            offered = offered[new]
            keys = self.atlas.keys.index_select(0, offered)
            score = keys.mul_(self.queries[rows].index_select(0, new)).sum(1)
            better = score < self.scores[rows][new]
            winners = new[better]
            held[winners] = offered[better]
            self.scores[rows][winners] = score[better]

    def _against(self, keys: Tensor, first: int, names: Tensor | None) -> None:
        """All pixels against a block of keys, whose positions are `names`, or counted from `first`."""
        transposed = keys.T
        count = keys.shape[0]
        for start in range(0, self.positions.numel(), self._tile_queries):
            rows = slice(start, start + self._tile_queries)
            queries = self.queries[rows]
            products = self._buffer[: queries.shape[0] * count].view(queries.shape[0], count)
            torch.mm(queries, transposed, out=products)
            score, place = _row_minimum(products)
            better = score < self.scores[rows]
            found = (place + first).to(torch.int32) if names is None else names[place]
            self.scores[rows] = torch.where(better, score, self.scores[rows])
            self.positions[rows] = torch.where(better, found, self.positions[rows])
            self._tick(float(products.numel()))


def _row_minimum(products: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum of every row and its column. Several times faster than `min(1)`, a scalar loop."""
    blocks = products.view(products.shape[0], -1, BLOCK)  # (T, M/64, 64)
    score, block = blocks.amin(2).min(1)
    chosen = blocks[torch.arange(blocks.shape[0], device=products.device), block]  # (T, 64)
    return score, block * BLOCK + chosen.argmin(1)


def _shifted(offset: int, length: int) -> tuple[slice, slice]:
    """Slices (to, from) along an axis so that `to` lies `offset` after `from`; empty when nothing is left."""
    reach = max(0, length - abs(offset))
    if offset >= 0:
        return slice(length - reach, length), slice(0, reach)
    return slice(0, reach), slice(length - reach, length)
