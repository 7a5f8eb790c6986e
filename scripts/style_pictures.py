"""Paints the style pictures in assets/styles: `python scripts/style_pictures.py [NAME ...]`.

Each picture is a scene (a colour, a direction and a stroke size for every point) that thousands of strokes
then paint, large ones first. A stroke is a bent mark with bristles, two paints on one brush, and a height of
its own; at the end the heights are lit from the upper left. The mosaic is set tile by tile along the scene's
lines, the woodblock is flat inks and cut lines. Everything is drawn from a seed. The coats of strokes follow
Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes" (1998).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.floating]

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "styles"
QUALITY = 85


def rgb(*codes: str) -> Array:
    """`#rrggbb` codes -> (N, 3) colours in 0..1."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in codes], np.float32)


def smooth(low: float, high: float, x: Array) -> Array:
    """0 below `low`, 1 above `high`, a soft step between (the other way round when low > high)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def ramp(colours: Array, t: Array) -> Array:
    """Look t in 0..1 up in a row of colours, blending neighbours: (..., 3)."""
    at = np.clip(t, 0, 1) * (len(colours) - 1)
    low = np.minimum(at.astype(int), len(colours) - 2)
    part = (at - low)[..., None]
    return (colours[low] * (1 - part) + colours[low + 1] * part).astype(np.float32)


def mix(a: Array, b: Array, t: Array) -> Array:
    """a where t is 0, b where t is 1."""
    return (a * (1 - t[..., None]) + b * t[..., None]).astype(np.float32)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 4) -> Array:
    """Smooth noise of about 0 +- 1, its largest features `cell` pixels wide."""
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(2.0, cell / 2**octave)
        grid = rng.normal(size=(int(height / size) + 3, int(width / size) + 3)).astype(np.float32)
        grown = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(grown) * 0.5**octave
    return total


@dataclass
class Layer:
    """One coat of paint."""

    length: float
    width: float
    #: Strokes for each patch of length x width; 1 just covers.
    cover: float
    #: Only where the scene's `detail` is at least this.
    detail: float = 0.0
    jitter: float = 0.06
    turn: float = 0.08
    dry: float = 0.5


@dataclass
class Scene:
    """What is painted: (H, W, 3) colours, (H, W) directions in radians, (H, W) detail in 0..1."""

    colour: Array
    angle: Array
    detail: Array
    ground: Array
    layers: list[Layer]
    #: 0: round ends, as of a brush; 1: square ends, as of a palette knife.
    knife: float = 0.0
    relief: float = 0.9
    #: Second paints a stroke may carry at one side.
    loads: Array | None = None
    #: (x, y, angle, length, width, colour) painted last, by hand.
    accents: list[tuple[float, float, float, float, float, Array]] = field(default_factory=list)


class Canvas:
    """Colour and height of the paint."""

    def __init__(self, shape: tuple[int, int], ground: Array, rng: np.random.Generator) -> None:
        self.rng = rng
        self.colour = np.empty((*shape, 3), np.float32)
        self.colour[:] = ground
        self.height = np.zeros(shape, np.float32)
        rows = rng.normal(size=(256, 96)).astype(np.float32)
        fine = rows - np.roll(rows, 1, axis=1) * 0.3
        broad = np.repeat(rng.normal(size=(256, 12)), 8, axis=1).astype(np.float32)
        self.bristles = np.tanh(0.55 * fine + 0.5 * broad)

    def stroke(
        self,
        x: float,
        y: float,
        angle: float,
        length: float,
        width: float,
        colour: Array,
        second: Array,
        *,
        bend: float = 0.0,
        knife: float = 0.0,
        dry: float = 0.5,
    ) -> None:
        """Put one mark down. `bend` is the curvature (1 / radius) of its middle line."""
        rng = self.rng
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        side = width / 2 + abs(bend) * length * length / 8 + 1.5
        reach_x = abs(cos) * length / 2 + abs(sin) * side + 1
        reach_y = abs(sin) * length / 2 + abs(cos) * side + 1
        height, span = self.height.shape
        x0, x1 = max(0, int(x - reach_x)), min(span, int(x + reach_x) + 2)
        y0, y1 = max(0, int(y - reach_y)), min(height, int(y + reach_y) + 2)
        if x0 >= x1 or y0 >= y1:
            return
        dx = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(x)
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)
        u = dx * cos + dy * sin
        v = dy * cos - dx * sin - 0.5 * bend * u * u
        along = u / (length / 2)  # -1 .. 1
        half = width / 2 * (1 - (1 - knife) * 0.75 * along**4)
        across = v / np.maximum(half, 0.5)
        hairs = self.bristles[rng.integers(256)]
        index = np.clip((np.clip(v / width + 0.5, 0, 1) * 95).astype(int), 0, 95)
        hair = hairs[index]
        # Each hair lifts off at its own place, and carries less paint towards the end.
        end = 1 - 0.16 * (1 - 0.5 * knife) * (1 + hair)
        body = np.clip((half - np.abs(v)) + 0.5, 0, 1) * np.clip(
            (end - np.abs(along)) * length / 2 + 0.5, 0, 1
        )
        worn = np.clip((along - 0.1) * 1.1, 0, 1) * dry
        alpha = body * np.clip(1.05 - worn * (0.75 - 0.9 * hair), 0, 1)
        share = np.clip(0.5 + 1.1 * across + 0.5 * hair, 0, 1)[..., None]
        paint = second * (1 - share) + colour * share
        paint = paint * (1 + 0.13 * hair[..., None])
        view = self.colour[y0:y1, x0:x1]
        view += (paint - view) * alpha[..., None]
        # A ridge of paint at the sides and at the end, furrows of hairs between.
        ridge = 0.55 * np.exp(-(((np.abs(across) - 0.86) / 0.2) ** 2)) + 0.5 * np.exp(
            -(((along - 0.86) / 0.12) ** 2)
        )
        relief = (0.6 + 0.45 * hair + ridge) * min(1.0, width / 9)
        hill = self.height[y0:y1, x0:x1]
        hill += (0.35 * hill + relief - hill) * alpha

    def lit(self, relief: float) -> Image.Image:
        """The finished picture under a lamp at the upper left."""
        height = self.height
        slope_y, slope_x = np.gradient(height)
        light = np.clip((slope_x + slope_y) * relief, -0.9, 0.9)
        shade = 1 + np.where(light > 0, 0.42 * light, 0.5 * light)
        gloss = 0.2 * np.clip(light - 0.28, 0, 1) ** 1.0
        shown = np.clip(self.colour * shade[..., None] + gloss[..., None], 0, 1)
        return Image.fromarray((shown * 255 + 0.5).astype(np.uint8))


def curvature(angle: Array) -> Array:
    """How fast the direction turns when one walks along it."""
    # Directions are lines, not arrows: their doubled angle is continuous.
    cos, sin = np.cos(2 * angle), np.sin(2 * angle)
    cos_y, cos_x = np.gradient(cos)
    sin_y, sin_x = np.gradient(sin)
    turn_x = (cos * sin_x - sin * cos_x) / 2
    turn_y = (cos * sin_y - sin * cos_y) / 2
    return (turn_x * np.cos(angle) + turn_y * np.sin(angle)).astype(np.float32)


def paint(scene: Scene, rng: np.random.Generator) -> Image.Image:
    """Paint the scene, coat by coat."""
    shape = scene.angle.shape
    canvas = Canvas(shape, scene.ground, rng)
    bends = curvature(scene.angle)
    for layer in scene.layers:
        step_x, step_y = layer.length * 0.55, layer.width * 0.9
        count = int(layer.cover * shape[0] * shape[1] / (step_x * step_y))
        xs = rng.uniform(-5, shape[1] + 5, count)
        ys = rng.uniform(-5, shape[0] + 5, count)
        for x, y in zip(xs, ys, strict=True):
            ix, iy = min(max(int(x), 0), shape[1] - 1), min(max(int(y), 0), shape[0] - 1)
            if scene.detail[iy, ix] < layer.detail:
                continue
            colour = (
                scene.colour[iy, ix] + rng.normal(0, layer.jitter) + rng.normal(0, layer.jitter * 0.45, 3)
            )
            colour = np.clip(colour, 0.01, 1).astype(np.float32)
            second = colour * np.float32(rng.uniform(0.72, 1.12))
            if scene.loads is not None and rng.random() < 0.12:
                second = colour * 0.45 + scene.loads[rng.integers(len(scene.loads))] * 0.55
            size = np.exp(rng.normal(0, 0.22))
            length, width = layer.length * size, layer.width * np.exp(rng.normal(0, 0.18))
            limit = 1.6 / length  # no more than a third of a circle in one stroke
            canvas.stroke(
                x,
                y,
                float(scene.angle[iy, ix]) + rng.normal(0, layer.turn),
                length,
                width,
                colour,
                second.astype(np.float32),
                bend=float(np.clip(bends[iy, ix], -limit, limit)),
                knife=scene.knife,
                dry=layer.dry,
            )
    for x, y, angle, length, width, colour in scene.accents:
        canvas.stroke(x, y, angle, length, width, colour, colour * 0.85, knife=scene.knife, dry=0.2)
    return canvas.lit(scene.relief)


def grid(shape: tuple[int, int]) -> tuple[Array, Array]:
    """x and y of every pixel."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return x, y


def contour(potential: Array) -> Array:
    """The direction along the level lines of a potential."""
    slope_y, slope_x = np.gradient(potential)
    return np.arctan2(slope_x, -slope_y).astype(np.float32)


def night(rng: np.random.Generator) -> Image.Image:
    """A swirling sky over a village, in blues and yellows."""
    shape = height, _width = 832, 1024
    x, y = grid(shape)
    potential = y * 0.9 + 16 * noise(rng, shape, 260, 3)
    # (x, y, radius, strength): whirls of the wind.
    whirls = [(430, 300, 120, 170), (610, 372, 82, -120), (250, 180, 70, 70), (800, 470, 90, 75)]
    for wx, wy, radius, strength in whirls:
        r = np.hypot(x - wx, (y - wy) * 1.12)
        potential += strength * np.exp(-((r / radius) ** 2) / 1.6)
    stars = [
        (120, 96, 21), (300, 62, 15), (505, 112, 24), (668, 70, 16), (238, 330, 17), (742, 236, 26),
        (76, 402, 15), (572, 236, 12), (968, 330, 20), (400, 470, 13), (930, 520, 14), (640, 520, 16),
    ]  # fmt: skip
    moon = (872, 140, 50)
    halo = np.zeros(shape, np.float32)
    core = np.zeros(shape, np.float32)
    for sx, sy, radius in [*stars, moon]:
        r = np.hypot(x - sx, y - sy)
        near = np.exp(-((r / (radius * 2.5)) ** 2))
        potential = potential * (1 - near) + near * r * 3.0
        rings = 0.72 + 0.28 * np.cos(r / radius * 4.4)
        halo = np.maximum(halo, np.exp(-((r / (radius * 2.0)) ** 2)) * rings)
        if radius < moon[2]:
            core = np.maximum(core, smooth(radius * 0.95, radius * 0.5, r))
    bands = 0.5 + 0.5 * np.sin(potential / 11.0 + 1.2 * noise(rng, shape, 120, 2))
    lift = y / height
    blues = rgb("#081440", "#0f2a78", "#1d4fae", "#3f86cf", "#86bfe0", "#d5e6dd")
    sky = ramp(blues, 0.12 + 0.42 * bands + 0.34 * lift**2 + 0.09 * noise(rng, shape, 90, 3))
    stream = np.exp(-(((potential - 330) / 34) ** 2)) * (0.6 + 0.4 * bands)
    sky = mix(sky, ramp(rgb("#7fb4d8", "#e8efd6"), bands), 0.62 * stream)
    sky = mix(sky, ramp(rgb("#3a74b8", "#e2a72e", "#f6d84f", "#fff3b0"), halo), np.clip(halo * 1.25, 0, 0.96))
    sky = mix(sky, rgb("#fffbe0")[0] + 0 * sky, core)
    crescent = smooth(46, 42, np.hypot(x - moon[0], y - moon[1])) * smooth(
        35, 39, np.hypot(x - moon[0] - 17, y - moon[1] - 8)
    )
    disc = smooth(46, 42, np.hypot(x - moon[0], y - moon[1]))
    sky = mix(sky, rgb("#e9a91f")[0] + 0 * sky, disc * 0.9)
    sky = mix(sky, rgb("#fff6b8")[0] + 0 * sky, crescent)
    angle = contour(potential)
    colour, detail = sky, np.clip(0.35 + halo * 1.2 + 0.3 * bands, 0, 1)

    far = 618 + 34 * np.sin(x / 118 + 0.6) + 15 * np.sin(x / 47) + 0.03 * x
    near_ridge = 694 + 24 * np.sin(x / 150 + 2.1) + 9 * np.sin(x / 39)
    for ridge, low, high, tilt in (
        (far, "#1a3c6e", "#5f92a8", 0.0),
        (near_ridge, "#0c2a3c", "#3d7a58", 0.35),
    ):
        inside = smooth(-2.0, 2.0, y - ridge)
        depth = np.clip((y - ridge) / 130, 0, 1)
        texture = 0.5 + 0.5 * np.sin((y - ridge) / 7.5 + 1.6 * noise(rng, shape, 70, 2))
        hill = ramp(rgb(high, low), np.clip(depth * 0.75 + 0.45 * texture - 0.08, 0, 1))
        colour = mix(colour, hill, inside)
        slope = np.arctan(np.gradient(ridge, axis=1)) + tilt * np.sin(x / 90)
        angle = np.where(inside > 0.5, slope, angle)
        detail = np.where(inside > 0.5, 0.55, detail)

    for hx, hy, wide, tall in [
        (470, 716, 50, 34), (532, 728, 44, 30), (590, 712, 40, 42), (648, 730, 54, 30), (716, 720, 46, 38),
        (776, 734, 50, 30), (402, 732, 46, 30), (836, 726, 40, 36), (560, 752, 56, 32), (690, 758, 60, 32),
    ]:  # fmt: skip
        wall = (abs(x - hx) < wide / 2) & (y > hy) & (y < hy + tall)
        roof = (y <= hy) & (y > hy - wide * 0.46 + abs(x - hx) * 0.92)
        colour[wall] = rgb("#2c5a86", "#6f93a0", "#3d6d93")[int(hx) % 3]
        colour[roof] = rgb("#8a3f2c", "#16315e", "#b0683a")[int(hy) % 3]
        angle[wall] = np.pi / 2
        angle[roof] = np.where(x[roof] < hx, -0.75, 0.75)
        detail[wall | roof] = 1.0
        for step in (-0.22, 0.2):
            pane = (abs(x - hx - step * wide) < 5) & (abs(y - hy - tall * 0.48) < 6.5)
            colour[pane] = rgb("#ffd34a")[0]
    tower = (abs(x - 612) < 8) & (y > 640) & (y < 716)
    spire = (y <= 642) & (abs(x - 612) < (y - 548) * 0.095)
    colour[tower], colour[spire] = rgb("#4a7698")[0], rgb("#142a56")[0]
    angle[tower | spire], detail[tower | spire] = np.pi / 2, 1.0

    # A dark tree like a flame.
    sway = 150 + 12 * np.sin(y / 66) + 5 * np.sin(y / 23)
    girth = 58 * np.clip((y - 226) / 520, 0, 1) ** 0.72 * (1 + 0.13 * np.sin(y / 15 + x / 9))
    tree = smooth(1.0, -1.0, (abs(x - sway) - girth) / 2)
    small = smooth(
        1.0, -1.0, (abs(x - 66 - 6 * np.sin(y / 40)) - 34 * np.clip((y - 452) / 330, 0, 1) ** 0.7) / 2
    )
    flames = 0.5 + 0.5 * np.sin((x - sway) / 6.0 + y / 31 + 1.5 * noise(rng, shape, 60, 2))
    leaves = ramp(rgb("#06130f", "#0f2e1d", "#2a5a30", "#6d7f2d"), flames**1.6)
    for form, centre in ((tree, sway), (small, 66 + 0 * x)):
        colour = mix(colour, leaves, form)
        lean = np.pi / 2 + 0.35 * np.sin(y / 33) + 0.009 * (x - centre)
        angle = np.where(form > 0.5, lean, angle)
        detail = np.where(form > 0.5, 0.8, detail)
    layers = [
        Layer(64, 16, 1.9, jitter=0.05),
        Layer(40, 9.5, 2.0, jitter=0.055),
        Layer(27, 6.5, 1.5, detail=0.4, jitter=0.06),
        Layer(17, 4.5, 1.4, detail=0.72, jitter=0.05),
    ]
    loads = rgb("#f4e3a0", "#0a1c5c", "#a8d4e8", "#e0a93a", "#e9f2ea")
    return paint(Scene(colour, angle, detail, rgb("#2b4a7a")[0], layers, loads=loads), rng)


def autumn(rng: np.random.Generator) -> Image.Image:
    """An avenue of autumn trees on a wet evening, laid on with a palette knife."""
    shape = height, width = 800, 1000
    x, y = grid(shape)
    vx, vy = 520.0, 430.0
    r = np.hypot(x - vx, (y - vy) * 1.15)
    glow = np.exp(-((r / 250) ** 2)) + 0.35 * np.exp(-((r / 460) ** 2))
    sky = ramp(rgb("#1b2350", "#3d4a92", "#7d7fc0", "#e7b58a", "#ffe9a8"), np.clip(glow, 0, 1))
    clumps = noise(rng, shape, 120, 4)
    leaf_kind = np.clip(0.5 + 0.34 * noise(rng, shape, 170, 3) + 0.16 * noise(rng, shape, 34, 2), 0, 1)
    leaves = ramp(
        rgb("#5a0f24", "#a3161f", "#d9381b", "#ef7a12", "#f7b21a", "#ffe14d", "#9dad2a", "#2f6b4a"), leaf_kind
    )
    # Leaves stand in the light of the evening: warm near the glow, wine red and blue away from it.
    leaves = leaves * (0.42 + 0.75 * np.clip(glow * 1.2 + 0.25 * clumps, 0, 1))[..., None]
    leaves = mix(leaves, rgb("#1d1c4a")[0] + 0 * leaves, 0.45 * smooth(0.2, -1.4, clumps))
    tunnel = r + 66 * clumps + 60 * np.sin(np.arctan2(y - vy, x - vx) * 5)
    crown = smooth(90, 190, tunnel) * smooth(vy + 70, vy - 20, y - 0.10 * abs(x - vx))
    colour = mix(sky, leaves, np.clip(crown, 0, 1))
    angle = 0.8 * np.sin(clumps * 2.4) + 0.5 * np.arctan2(y - vy, x - vx)
    detail = np.clip(0.45 + crown * 0.5, 0, 1)

    # Hedges left and right, then trunks, each nearer one wider and darker.
    bank = (y - vy - 26) / np.maximum(abs(x - vx), 1)
    hedge = smooth(-0.06, 0.02, bank) * smooth(0.62, 0.5, bank) * smooth(30, 70, abs(x - vx))
    low = ramp(
        rgb("#14203f", "#3c2350", "#8a2b2a", "#d8691b", "#f3b530"), np.clip(leaf_kind * 1.1 - 0.1, 0, 1)
    )
    colour = mix(colour, low * (0.65 + 0.5 * glow[..., None]), hedge)
    trunk_all = np.zeros(shape, np.float32)
    for depth in (5.2, 3.9, 2.9, 2.15, 1.6, 1.2):
        for side in (-1, 1):
            foot_x, foot_y = vx + side * 560 / depth, vy + 30 + 260 / depth
            wave = 14 / depth * np.sin(y / 47 + 3 * depth + side)
            lean = side * (foot_y - y) * 0.06
            wide = 27 / depth * (1 + 0.55 * np.exp(-np.clip(foot_y - y, 0, None) * depth / 60))
            trunk = smooth(wide + 1.5, wide - 1.5, abs(x - foot_x - wave - lean)) * smooth(2, -2, y - foot_y)
            trunk = trunk * smooth(vy - 640 / depth, vy - 380 / depth, y)
            bark = ramp(rgb("#0d0f26", "#2b1d3a", "#5b3a3a"), 0.5 + 0.5 * np.sin((x - foot_x) * depth / 3.5))
            rim = smooth(0.35, 1.0, -side * (x - foot_x - wave - lean) / wide)
            bark = mix(bark, rgb("#f0a040")[0] + 0 * bark, 0.75 * rim)
            faded = mix(bark, sky, np.full(shape, 0.10 * depth, np.float32))
            colour = mix(colour, faded, trunk)
            trunk_all = np.maximum(trunk_all, trunk)
    angle = np.where(trunk_all > 0.5, np.pi / 2 + 0.1 * np.sin(y / 30), angle)
    detail = np.where(trunk_all > 0.5, 0.9, detail)

    # The wet path mirrors what stands above it, drawn out and broken by ripples.
    edge = 24 + (y - vy - 30) * 1.06
    path = smooth(6, -6, abs(x - vx) - edge) * smooth(vy + 26, vy + 34, y)
    ripple = 9 * noise(rng, (height, width), 22, 2)
    from_y = np.clip(vy + 34 - (y - vy - 34) * 1.15, 0, height - 1).astype(int)
    from_x = np.clip(vx + (x - vx) * 1.02 + ripple, 0, width - 1).astype(int)
    mirror = colour[from_y, from_x]
    streaks = 0.5 + 0.5 * np.sin(y / 5.0 + 2.2 * noise(rng, shape, 80, 2))
    wet = mix(
        mirror * 0.92, ramp(rgb("#20306e", "#6a76c8", "#ffd78a"), np.clip(glow * 1.3, 0, 1)), 0.5 * streaks
    )
    grass = ramp(
        rgb("#151a3a", "#4c2145", "#a8391f", "#e88a1c", "#f8c63a"), np.clip(leaf_kind + 0.2 * clumps, 0, 1)
    )
    below = smooth(-0.02, 0.06, bank - 0.45) * (1 - path)
    colour = mix(colour, grass * 0.85, below)
    colour = mix(colour, wet, path)
    angle = np.where(path > 0.5, np.where(streaks > 0.42, 0.04 * np.sin(x / 40), np.pi / 2), angle)
    angle = np.where(below > 0.5, 0.35 * np.sign(x - vx) + 0.5 * np.sin(clumps * 3), angle)
    detail = np.where(path > 0.5, 0.6, detail)

    accents: list[tuple[float, float, float, float, float, Array]] = []
    for gx, gy, size in ((300, 372, 1.0), (742, 366, 1.05), (408, 400, 0.55), (632, 398, 0.55)):
        for _ in range(26):
            turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(5, 34) * size
            tone = ramp(rgb("#fff6c9", "#ffd75e", "#f09a2a"), np.array([far / (34 * size)], np.float32))[0]
            accents.append(
                (gx + far * np.cos(turn), gy + far * np.sin(turn), turn + 1.57, 14 * size, 6 * size, tone)
            )
        for k in range(12):
            at = (gx + rng.normal(0, 1.3 * size), gy + (32 + 10 * k) * size)
            accents.append(
                (*at, np.pi / 2 + rng.normal(0, 0.12), 19 * size, 5 * size, rgb("#14122c", "#3a2a4a")[k % 2])
            )
        accents += [(gx, gy, 0.6 * k, 15 * size, 7 * size, rgb("#fffdf0")[0]) for k in range(4)]
    tones = rgb("#ffe14d", "#ff9a1a", "#e0301c", "#f7c94a", "#b81a30")
    for _ in range(240):  # falling leaves
        lx, ly = rng.uniform(0, width), rng.uniform(60, height)
        accents.append(
            (lx, ly, rng.uniform(0, 3), rng.uniform(7, 13), rng.uniform(4, 7), tones[rng.integers(5)])
        )
    layers = [
        Layer(46, 24, 1.9, jitter=0.05, turn=0.35, dry=0.3),
        Layer(29, 14, 2.0, jitter=0.075, turn=0.4, dry=0.3),
        Layer(18, 8.5, 1.5, detail=0.4, jitter=0.09, turn=0.45, dry=0.25),
        Layer(12, 5.5, 1.0, detail=0.8, jitter=0.08, turn=0.3, dry=0.2),
    ]
    loads = rgb("#fff0a0", "#4a3aa0", "#e01f2a", "#ffb020", "#5fb0b8")
    made = Scene(
        colour, angle, detail, rgb("#2a1c3c")[0], layers, knife=0.92, relief=1.0, loads=loads, accents=accents
    )
    return paint(made, rng)


def mosaic(rng: np.random.Generator) -> Image.Image:
    """The sun over the sea, set in small tiles that follow every line."""
    shape = height, width = 800, 1000
    x, y = grid(shape)
    sx, sy = 500.0, 352.0
    r, turn = np.hypot(x - sx, y - sy), np.arctan2(y - sy, x - sx)
    spin = turn + 0.16 * np.sin(r / 40)
    wedge = np.cos(spin * 12)
    rays = ramp(
        rgb("#0d3b66", "#155e8a", "#1f8a9e", "#7cc6b0"), 0.5 + 0.5 * np.sin(r / 31 - 0.8 * np.cos(spin * 6))
    )
    fire = ramp(
        rgb("#8f1d2c", "#d1432a", "#f08a24", "#f9c846"), np.clip(1.12 - r / 470 + 0.12 * np.sin(r / 12), 0, 1)
    )
    colour = mix(rays, fire, smooth(-0.08, 0.08, wedge - smooth(150, 560, r) * 1.1 + 0.25))
    potential = r.copy()
    petals = 150 + 16 * abs(np.sin(turn * 9))
    ring = ramp(rgb("#fff3b8", "#ffd75a", "#f5a623", "#e0662a", "#b02a30"), np.clip(r / 160, 0, 1))
    ring = mix(ring, rgb("#fff8d8")[0] + 0 * ring, 0.8 * (np.cos(r / 6.6) > 0.72))
    colour = mix(colour, ring, smooth(2, -2, r - petals))
    colour = mix(colour, rgb("#5a1030")[0] + 0 * colour, smooth(6, 4, abs(r - petals - 6)))
    # Scales of water, row behind row, their bands as wide as two tiles.
    order = turn + 0 * r
    for row in range(7):
        base, span = 546 + row * 47, 128.0
        local = (x + (row % 2) * span / 2) % span - span / 2
        arch = np.hypot(local, y - base - 74)
        inside = (arch < 78) | (y > base + 74)
        band = np.clip(np.floor((78 - arch) / 13), 0, 5) / 5
        waters = rgb("#fbf3d9", "#7fd0cf", "#1f93ad", "#f1a83a", "#14548c", "#0c2a58")
        tone = np.float32(0.84 + 0.035 * row)
        colour = np.where(inside[..., None], ramp(waters, band) * tone, colour)
        potential = np.where(inside, 78 - arch + 1000 * (row + 1), potential)
        order = np.where(
            inside, np.arctan2(y - base - 74, local) + 10 * np.floor((x + (row % 2) * span / 2) / span), order
        )
    border = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    along = np.where(np.minimum(x, width - 1 - x) < np.minimum(y, height - 1 - y), y, x)
    frame = np.where(
        (border < 12)[..., None],
        rgb("#1a2440")[0],
        mix(
            rgb("#e8c25a")[0] + 0 * colour,
            rgb("#9a1f2e")[0] + 0 * colour,
            ((along // 34) % 2).astype(np.float32),
        ),
    )
    colour = np.where((border < 38)[..., None], frame, colour)
    potential = np.where(border < 38, border + 20000, potential)
    order = np.where(border < 38, along, order)
    angle = contour(potential)
    canvas = Canvas(shape, rgb("#2a2622")[0], rng)
    canvas.colour += (0.03 * noise(rng, shape, 6, 2))[..., None]
    taken = np.zeros(shape, bool)
    # Rows first: along every second level line, tile by tile, as a mosaicist does; then the gaps.
    pitch = 12.5
    phase = abs((potential / pitch) % 1 - 0.5) * pitch
    rows = np.argwhere((phase < 0.55) & (border > 2))
    keys = (order[rows[:, 0], rows[:, 1]], np.floor(potential / pitch)[rows[:, 0], rows[:, 1]])
    for ty, tx in rows[np.lexsort(keys)]:
        if not taken[ty, tx]:
            _lay_tile(canvas, taken, colour, angle, (tx, ty), float(rng.uniform(9.5, 15)), 10.8)
    for length, breadth in ((9.0, 8.0), (7.0, 6.0), (5.0, 4.5), (3.6, 3.2)):
        tries = int(9.0 * height * width / (length * breadth))
        for tx, ty in zip(rng.uniform(0, width, tries), rng.uniform(0, height, tries), strict=True):
            if not taken[int(ty), int(tx)]:
                _lay_tile(canvas, taken, colour, angle, (tx, ty), length, breadth)
    return canvas.lit(1.0)


def _lay_tile(
    canvas: Canvas,
    taken: npt.NDArray[np.bool_],
    colour: Array,
    angle: Array,
    at: tuple[float, float],
    length: float,
    breadth: float,
) -> None:
    """Set one tile if its place is free, and mark the place with its joint as taken."""
    rng = canvas.rng
    x, y = at
    height, width = taken.shape
    reach = int(length) + 3
    x0, x1, y0, y1 = (
        max(0, int(x) - reach),
        min(width, int(x) + reach),
        max(0, int(y) - reach),
        min(height, int(y) + reach),
    )
    turn = float(angle[int(y), int(x)]) + rng.normal(0, 0.05)
    dx = np.arange(x0, x1)[None, :] - x
    dy = np.arange(y0, y1)[:, None] - y
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    taper = 1 + rng.normal(0, 0.09) * u / length
    inset = np.minimum(length / 2 - abs(u), breadth / 2 * taper - abs(v))
    view = taken[y0:y1, x0:x1]
    if (view & (inset > -0.3)).any():
        return
    view |= inset > -0.9  # the joint
    body = np.clip(inset + 0.3, 0, 1)
    tone = colour[int(y), int(x)] * rng.uniform(0.78, 1.16) + rng.normal(0, 0.035, 3)
    grain = 1 + 0.05 * canvas.bristles[rng.integers(256)][np.clip((u + length).astype(int) * 3, 0, 95)]
    glass = np.clip(tone, 0.02, 1) * (grain * (1 + 0.010 * (-u - v)))[..., None]
    part = canvas.colour[y0:y1, x0:x1]
    part += (glass - part) * body[..., None]
    # A cushion: steep at the rim; each tile leans a little its own way, so that some catch the light.
    lean_u, lean_v = rng.normal(0, 0.05, 2)
    canvas.height[y0:y1, x0:x1] += (np.clip(inset / 2.2, 0, 1) ** 0.6 + lean_u * u + lean_v * v) * body


def woodblock(rng: np.random.Generator) -> Image.Image:
    """Hills in mist, a red sun and breaking water, as a woodblock print: flat inks, cut lines, paper."""
    shape = _height, width = 800, 1000
    x, y = grid(shape)
    paper = (
        rgb("#f0e3c4")[0]
        + 0.022 * noise(rng, shape, 5, 2)[..., None]
        + 0.016 * noise(rng, shape, 160, 2)[..., None]
    )
    inks = rgb("#123052", "#1d4f7c", "#3b7ea6", "#86b3bd", "#c9d8cc")
    dawn = ramp(rgb("#27507c", "#8fb2b8", "#ecdcb8", "#f2b98a", "#e98a63"), np.clip(y / 470, 0, 1))
    colour = mix(paper, dawn, np.full(shape, 0.85, np.float32))
    potential = y + 10 * np.sin(x / 150) + 7 * noise(rng, shape, 200, 2)
    colour = colour * (1 - 0.10 * _cut(potential, 9.0, 0.16 + 0.22 * smooth(340, 0, y), rng, x))[..., None]
    sun = np.hypot(x - 690, y - 208)
    disc = smooth(1.2, -1.2, sun - 96)
    red = ramp(rgb("#c8281e", "#dd4a26", "#ee7a3a"), np.clip((y - 112) / 192, 0, 1))
    colour = mix(colour, red, disc)
    colour = mix(
        colour,
        rgb("#f7d9a0")[0] + 0 * colour,
        disc * _cut(y + 4 * np.sin(x / 30), 13.0, 0.20, rng, x) * smooth(180, 290, y),
    )
    for level, (base, tall, cell, ink) in enumerate(
        [(330, 84, 210, 3), (398, 92, 170, 2), (470, 84, 140, 1), (538, 60, 120, 0)]
    ):
        ridge_line = base - tall * np.abs(noise(rng, (1, width), cell, 5))[0] * 0.72
        if level == 0:
            ridge_line = np.minimum(ridge_line, base - 215 + abs(np.arange(width) - 300) ** 1.12 * 0.62)
        ridge = ridge_line[None, :]
        inside = smooth(-0.8, 0.8, y - ridge)
        depth = np.clip((y - ridge) / 150, 0, 1)
        body = mix(inks[ink] + 0 * colour, rgb("#efe2c6")[0] + 0 * colour, depth**0.8 * 0.85)
        flow = (y - ridge) * (1 + 0.2 * level) + 12 * noise(rng, shape, 60, 2) + 0.35 * x * (-1) ** level
        body = body * (1 - 0.42 * _cut(flow, 8.5, 0.42 * (1 - depth), rng, y))[..., None]
        if level == 0:
            snow = smooth(-4, 4, ridge + 74 + 15 * np.sin(x / 11.0) + 9 * np.sin(x / 4.7) - y) * smooth(
                305, 255, y
            )
            body = mix(body, rgb("#faf4e4")[0] + 0 * body, snow * 0.95)
        colour = mix(colour, body, inside)
        colour = mix(colour, inks[0] + 0 * colour, 0.85 * smooth(2.0, 0.6, abs(y - ridge)))
    # Water: crest behind crest, each with striped flanks and a fringe of foam.
    for row in range(6):
        span = 330 - 8 * row
        shift = 97.0 * row + 40 * np.sin(row * 1.7)
        base = 560 + 47 * row
        tall = 46 + 9 * row
        t = ((x + shift) % span) / span
        # A steep front and a long back; the crest leans over.
        crest = np.where(t < 0.62, (t / 0.62) ** 2.1, ((1 - t) / 0.38) ** 1.5)
        ridge = base - tall * crest
        inside = smooth(-0.8, 0.8, y - ridge)
        into = y - ridge
        lines = into * 0.72 + 26 * t - 20 * crest
        body = ramp(rgb("#123052", "#1b4a78", "#2f73a0", "#7fb0bd"), np.clip(into / (tall * 1.5), 0, 1))
        body = mix(body, rgb("#eef0dc")[0] + 0 * body, 0.92 * _cut(lines, 11.5, 0.30 + 0.16 * crest, rng, x))
        foam_edge = (
            tall * (0.10 + 0.34 * crest**2) * (1 + 0.5 * np.sin(x / 7.0 + row) + 0.35 * np.sin(x / 3.1))
        )
        foam = smooth(2, -1, into - foam_edge)
        body = mix(body, rgb("#f8f3e2")[0] + 0 * body, foam)
        body = mix(body, inks[0] + 0 * body, 0.8 * smooth(1.9, 0.7, abs(into - foam_edge)) * (crest > 0.1))
        colour = mix(colour, body, inside)
        colour = mix(colour, inks[0] + 0 * colour, 0.9 * smooth(2.3, 0.8, abs(into)))
        for _ in range(150):  # spray
            k, at = rng.integers(0, 5), rng.uniform(0.36, 0.74)
            px = (k + at) * span - shift
            py = (
                base - tall * (at / 0.62) ** 2.1 - rng.gamma(2.0, 9.0)
                if at < 0.62
                else base - tall - rng.gamma(2.0, 8.0)
            )
            size = rng.uniform(1.2, 4.2)
            x0, y0 = int(max(0, px - 7)), int(max(0, py - 7))
            patch = np.s_[y0 : y0 + 15, x0 : x0 + 15]
            if px < -6 or colour[patch].size == 0:
                continue
            far = np.hypot(x[patch] - px, y[patch] - py)
            colour[patch] = mix(
                colour[patch], inks[1] + 0 * colour[patch], smooth(size + 1.7, size + 0.7, far) * 0.8
            )
            colour[patch] = mix(
                colour[patch], rgb("#fbf6e6")[0] + 0 * colour[patch], smooth(size + 0.5, size - 0.5, far)
            )
    # The grain of the wooden block shows in every ink, and the ink is thin here and there.
    grain = 0.5 + 0.5 * np.sin((y + 26 * noise(rng, shape, 330, 2)) / 2.3)
    ink = 1 - colour.mean(axis=2)
    worn = np.clip(noise(rng, shape, 7, 2) * 0.5 - 0.25, 0, 1) * 0.5 + 0.10 * grain
    colour = mix(colour, paper, np.clip(worn * (0.35 + ink), 0, 0.6))
    colour *= (1 + 0.02 * rng.normal(size=shape))[..., None]
    return Image.fromarray((np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8))


def _cut(potential: Array, pitch: float, wide: Array | float, rng: np.random.Generator, walk: Array) -> Array:
    """Lines along the level lines of a potential, `wide` of each pitch, with edges as a knife leaves them."""
    wobble = noise(rng, potential.shape, 26, 2)
    swell = np.asarray(wide) * (1 + 0.35 * np.sin(walk / 37.0 + 2 * wobble))
    at = abs((potential + 0.9 * wobble) / pitch % 1 - 0.5) * 2  # 0 in the middle of a line
    edge = 1.3 / pitch
    return smooth(edge, -edge, at - swell)


PICTURES: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "night": night,
    "autumn": autumn,
    "mosaic": mosaic,
    "woodblock": woodblock,
}


def main() -> None:
    """Paint the named pictures, or all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(PICTURES)}")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or PICTURES:
        picture = PICTURES[name](np.random.default_rng(sum(name.encode())))
        path = arguments.folder / f"{name}.jpg"
        picture.save(path, "JPEG", quality=QUALITY, optimize=True)
        print(f"{path}  {picture.width} x {picture.height}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
