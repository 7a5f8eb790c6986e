"""How near generated pictures are to real ones: distances between two sets of feature vectors.

`fid`, `kid`, `precision_recall`; `nearest` is what the memorisation report searches with. All take (N, D)
arrays or CPU tensors, whatever made them, and compute in float64. `extract` makes features of pictures.

A Frechet distance falls with the number of vectors and has the scale of the features. It can be compared only
with one of the same features and the same two counts: not with FIDs of Inception in papers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: Distances computed at once: rows of one set times rows of the other.
_BLOCK = 4_000_000


class Features(Protocol):
    """What turns pictures into vectors: the trunk of a classifier, or anything else."""

    def __call__(self, pictures: Tensor, /) -> Tensor:
        """(B, 3, S, S) float32 RGB in 0..1 on black -> (B, D)."""


@dataclass(frozen=True)
class Estimate:
    """A mean and the standard deviation over the subsets it was taken from."""

    mean: float
    deviation: float


@torch.inference_mode()
def extract(
    features: Features, pixels: Tensor, device: torch.device | str = "cpu", batch: int = 128
) -> Array:
    """(N, 3 or 4, S, S) uint8, on black -> (N, D). A fourth channel (the mask) is left out."""
    found = [features(part[:, :3].to(device).float().div(255.0)) for part in torch.split(pixels, batch)]
    return torch.cat([part.double().cpu() for part in found]).numpy()


def fid(real: npt.ArrayLike, made: npt.ArrayLike) -> float:
    """The Frechet distance between Gaussians fitted to both sets (Heusel et al. 2017). 0: the same Gaussian.

    Raises ValueError for fewer than two vectors, for differing lengths and for what is not finite.
    """
    x, y = _checked(real, made, least=2)
    a, b = _root(x), _root(y)
    # With S = R'R the eigenvalues of S1 S2 are the squared singular values of R1 R2'. So the trace of its
    # root is real, and exact also where there are fewer vectors than dimensions and the product is singular.
    common = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    shift = float(np.square(x.mean(0) - y.mean(0)).sum())
    spread = float(np.square(a).sum() + np.square(b).sum())
    return max(0.0, shift + spread - 2.0 * common)


def _root(vectors: Array) -> Array:
    """(N, D) -> R, (min(N, D), D), with R'R the unbiased covariance."""
    centred = vectors - vectors.mean(0)
    root: Array = np.linalg.qr(centred, mode="r") / np.sqrt(len(vectors) - 1)
    return root


def kid(
    real: npt.ArrayLike, made: npt.ArrayLike, *, subsets: int = 100, size: int = 500, seed: int = 0
) -> Estimate:
    """The squared maximum mean discrepancy under the kernel (x'y / D + 1)^3 (KID, Binkowski et al. 2018).

    Unbiased, so it may be below 0. Each of the `subsets` estimates takes `size` vectors of each set, or all
    where there are fewer. Raises ValueError as `fid` does.
    """
    sets = _checked(real, made, least=2)
    chance = np.random.default_rng(seed)
    found = [
        _discrepancy(*(x[chance.choice(len(x), min(size, len(x)), replace=False)] for x in sets))
        for _ in range(subsets)
    ]
    return Estimate(float(np.mean(found)), float(np.std(found)))


def _discrepancy(x: Array, y: Array) -> float:
    def polynomial(a: Array, b: Array) -> Array:
        return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)

    def within(a: Array) -> float:
        kernel_matrix = polynomial(a, a)
        return float((kernel_matrix.sum() - np.trace(kernel_matrix)) / (len(a) * (len(a) - 1)))

    return within(x) + within(y) - 2.0 * float(polynomial(x, y).mean())


def nearest(queries: Array, among: Array, count: int, *, itself: bool = False) -> tuple[Array, Indices]:
    """Euclidean distances and indices of the `count` nearest of `among`, nearest first: (Q, count) each.

    `itself`: both are of the same things in the same order, and none is its own neighbour. Raises ValueError
    where there are not that many.
    """
    if count > len(among) - itself:
        raise ValueError(f"{count} neighbours are wanted of {len(among) - itself}")
    # The error of distances from dot products grows with the vectors' length: around the mean they are short.
    centre = among.mean(0)
    base = among - centre
    squares = np.square(base).sum(1)
    indices = np.empty((len(queries), count), dtype=np.int64)
    rows = max(1, _BLOCK // len(among))
    for start in range(0, len(queries), rows):
        part = queries[start : start + rows] - centre
        distances = squares - 2.0 * part @ base.T  # less each query's own square, which changes no order
        if itself:
            distances[np.arange(len(part)), np.arange(start, start + len(part))] = np.inf
        found = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, found, axis=1), axis=1, kind="stable")
        indices[start : start + rows] = np.take_along_axis(found, order, axis=1)
    # Once more and plainly, for the few that matter: a copy is then at distance 0 exactly.
    found_distances = np.stack(
        [np.linalg.norm(queries - among[column], axis=1) for column in indices.T], axis=1
    )
    return found_distances, indices


def precision_recall(real: npt.ArrayLike, made: npt.ArrayLike, neighbours: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019).

    Precision: the share of `made` within the ball of some real vector that reaches to its `neighbours`-th
    nearest real one: how much of it looks real. Recall: the same the other way round: how much of what is
    real is made. Raises ValueError as `fid` does, and for sets of `neighbours` vectors or fewer.
    """
    x, y = _checked(real, made, least=neighbours + 1)
    return _covered(y, x, neighbours), _covered(x, y, neighbours)


def _covered(queries: Array, among: Array, neighbours: int) -> float:
    """The share of the queries that lie in a ball of `among`."""
    radii = nearest(among, among, neighbours, itself=True)[0][:, -1]
    centre = among.mean(0)
    base = among - centre
    squares = np.square(base).sum(1)
    inside = 0
    rows = max(1, _BLOCK // len(among))
    for start in range(0, len(queries), rows):
        part = queries[start : start + rows] - centre
        distances = np.square(part).sum(1)[:, None] + squares - 2.0 * part @ base.T
        inside += int((distances <= np.square(radii)).any(1).sum())
    return inside / len(queries)


def _checked(real: npt.ArrayLike, made: npt.ArrayLike, least: int) -> tuple[Array, Array]:
    """Both as float64 arrays. Raises ValueError for what cannot be measured."""
    x, y = (np.asarray(vectors, dtype=np.float64) for vectors in (real, made))
    for vectors in (x, y):
        if vectors.ndim != 2 or len(vectors) < least:
            raise ValueError(f"at least {least} vectors are needed, (N, D); there is {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("there are features that are not finite")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"features of {x.shape[1]} and of {y.shape[1]} numbers cannot be compared")
    return x, y
