"""Ellipses and circles through edge points, some of which belong to something else."""

from __future__ import annotations

import math

import numpy as np

from training.planets.preparing.disc import Array, Disc


def ellipse(x: Array, y: Array, weight: Array | None = None) -> Disc | None:
    """The least-squares ellipse through points (N,), or None where they hold no ellipse.

    Halir and Flusser, "Numerically stable direct least squares fitting of ellipses" (1998).
    """
    if len(x) < 6:
        return None
    shift_x, shift_y = float(x.mean()), float(y.mean())
    scale = float(np.hypot(x - shift_x, y - shift_y).mean())
    if scale < 1e-6:
        return None
    u, v = (x - shift_x) / scale, (y - shift_y) / scale
    root = np.ones_like(u) if weight is None else np.sqrt(weight)
    squares = np.stack([u * u, u * v, v * v], axis=1) * root[:, None]
    lines = np.stack([u, v, np.ones_like(u)], axis=1) * root[:, None]
    s1, s2, s3 = squares.T @ squares, squares.T @ lines, lines.T @ lines
    try:
        onto = -np.linalg.solve(s3, s2.T)
        reduced = s1 + s2 @ onto
        values, vectors = np.linalg.eig(np.array([reduced[2] / 2, -reduced[1], reduced[0] / 2]))
    except np.linalg.LinAlgError:
        return None
    vectors = np.real(vectors)
    definite = 4 * vectors[0] * vectors[2] - vectors[1] ** 2
    good = np.flatnonzero((definite > 1e-12) & np.isfinite(np.real(values)))
    if len(good) == 0:
        return None
    head = vectors[:, good[np.argmin(np.abs(np.real(values[good])))]]
    found = _of_conic(*head, *(onto @ head))
    return None if found is None else found.scaled(scale).moved(shift_x, shift_y)


def _of_conic(a: float, b: float, c: float, d: float, e: float, f: float) -> Disc | None:
    """The ellipse a x^2 + b xy + c y^2 + d x + e y + f = 0."""
    determinant = 4 * a * c - b * b
    if determinant <= 0:
        return None
    x, y = (b * e - 2 * c * d) / determinant, (b * d - 2 * a * e) / determinant
    at_centre = f + (d * x + e * y) / 2
    values, vectors = np.linalg.eigh(np.array([[a, b / 2], [b / 2, c]]))
    squared = -at_centre / values
    if not np.all(np.isfinite(squared)) or squared.min() <= 0:
        return None
    long = int(np.argmax(squared))
    angle = math.atan2(vectors[1, long], vectors[0, long])
    angle = (angle + math.pi / 2) % math.pi - math.pi / 2
    return Disc(float(x), float(y), math.sqrt(squared[long]), math.sqrt(squared[1 - long]), angle)


def circle(x: Array, y: Array, weight: Array | None = None) -> Disc | None:
    """The least-squares circle through points (N,) (Kasa 1976), or None where they lie on a line."""
    if len(x) < 3:
        return None
    shift_x, shift_y = float(x.mean()), float(y.mean())
    u, v = x - shift_x, y - shift_y
    root = np.ones_like(u) if weight is None else np.sqrt(weight)
    rows = np.stack([u, v, np.ones_like(u)], axis=1) * root[:, None]
    solution, _, rank, _ = np.linalg.lstsq(rows, (u * u + v * v) * root, rcond=1e-9)
    squared = solution[2] + (solution[0] ** 2 + solution[1] ** 2) / 4
    if rank < 3 or squared <= 0:
        return None
    radius = math.sqrt(squared)
    return Disc(shift_x + solution[0] / 2, shift_y + solution[1] / 2, radius, radius, 0.0)


def robust(x: Array, y: Array, tolerance: float, start: Disc | None, round_body: bool) -> Disc | None:
    """An ellipse (a circle for a `round_body`) fitted to the points that agree with it.

    Begins at `start`, or with all points, and gives points further off than `tolerance` pixels ever less
    weight (Tukey's biweight), so that captions and terminators do not pull. `support` is the part of the
    points within the tolerance.
    """
    fit = circle if round_body else ellipse
    found = start or fit(x, y)
    for step in range(12):
        if found is None:
            return None
        reach = tolerance * max(1.0, 6.0 / (step + 1))
        off = found.distance(x, y) / (2 * reach)
        weight = np.where(np.abs(off) < 1, (1 - off**2) ** 2, 0.0)
        if np.count_nonzero(weight) < 8:
            return None
        found = fit(x[weight > 0], y[weight > 0], weight[weight > 0])
    if found is None:
        return None
    return with_support(found, x, y, tolerance)


def with_support(disc: Disc, x: Array, y: Array, tolerance: float) -> Disc:
    """The disc with the part of the points (N,) that lie within `tolerance` pixels of its outline."""
    near = np.abs(disc.distance(x, y)) <= tolerance
    return Disc(disc.x, disc.y, disc.major, disc.minor, disc.angle, float(near.mean()) if len(x) else 0.0)


def circle_by_vote(x: Array, y: Array, tolerance: float, largest: float, tries: int = 400) -> Disc | None:
    """The circle through three of the points that most points lie on: RANSAC (Fischler and Bolles 1981).

    For a body of which less than the whole limb is seen. Points far outside count against a circle, as a
    dark side hides the limb but shows nothing beyond it. `largest` bounds the radius in pixels.
    """
    if len(x) < 12:
        return None
    random = np.random.default_rng(0)
    best, most = None, 0.0
    for chosen in random.integers(0, len(x), size=(tries, 3)):
        if len(set(chosen.tolist())) < 3:
            continue
        found = circle(x[chosen], y[chosen])
        if found is None or not 4 * tolerance < found.major < largest:
            continue
        off = found.distance(x, y)
        vote = float((np.abs(off) <= tolerance).mean() - 0.5 * (off > 3 * tolerance).mean())
        if vote > most:
            best, most = found, vote
    return None if best is None else robust(x, y, tolerance, best, round_body=True)
