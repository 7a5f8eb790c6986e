"""Small operations on pixels that numpy lacks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.planets.preparing.disc import Array

Mask = npt.NDArray[np.bool_]


def components(mask: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Connected things (8 neighbours) of a mask: labels (H, W) from 1, 0 outside, and their sizes (N,)."""
    starts, ends, rows = [], [], []
    for row in range(mask.shape[0]):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask[row].astype(np.int8), [0]))))
        starts += edges[0::2].tolist()
        ends += edges[1::2].tolist()
        rows += [row] * (len(edges) // 2)
    parent = list(range(len(starts)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above: list[int] = []
    here: list[int] = []
    for run, row in enumerate(rows):
        if run == 0 or rows[run - 1] != row:
            above = here if run and rows[run - 1] == row - 1 else []
            here = []
        here.append(run)
        for other in above:
            if starts[other] <= ends[run] and starts[run] <= ends[other]:  # touching corners count
                parent[root(run)] = root(other)
    labels = np.zeros(mask.shape, dtype=np.int64)
    names: dict[int, int] = {}
    sizes: list[int] = []
    for run, row in enumerate(rows):
        name = names.setdefault(root(run), len(names) + 1)
        if name > len(sizes):
            sizes.append(0)
        labels[row, starts[run] : ends[run]] = name
        sizes[name - 1] += ends[run] - starts[run]
    return labels, np.array(sizes, dtype=np.int64)


def sample(values: Array, x: Array, y: Array) -> Array:
    """Bilinear values of (H, W) or (H, W, C) at points; the border goes on outside."""
    height, width = values.shape[:2]
    x = np.clip(x - 0.5, 0, width - 1)
    y = np.clip(y - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    fx, fy = x - left, y - top
    if values.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    upper = values[top, left] * (1 - fx) + values[top, right] * fx
    lower = values[bottom, left] * (1 - fx) + values[bottom, right] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)
