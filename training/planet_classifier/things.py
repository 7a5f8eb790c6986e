"""Drawn round things that are no planets, on nothing. Each maker is (chance, side) -> RGBA picture.

What a classifier of discs on black would take for planets: plain balls, fruit, coins, eyes, targets, discs of
music, plates, clocks, buttons, moons of odd colours.
"""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from training.planet_classifier.frames import any_colour, fractal, palette

Array = npt.NDArray[np.float64]


def _polar(side: int) -> tuple[Array, Array, Array, Array]:
    """x, y, distance and angle of each pixel; the rim of the things is at distance 1."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side * 2.0 - 1.0
    x, y = x / 0.95, y / 0.95
    return x, y, np.hypot(x, y), np.arctan2(y, x)


def _cut(rgb: Array, distance: Array) -> Image.Image:
    """(S, S, 3) in 0..1, made transparent outside the rim."""
    side = len(rgb)
    alpha = np.clip((1.0 - distance) * side * 0.475 + 0.5, 0.0, 1.0)[..., None]
    rgba = np.concatenate([np.clip(rgb, 0.0, 1.0), alpha], 2)
    return Image.fromarray((rgba * 255.0 + 0.5).astype(np.uint8))


def _lit(chance: np.random.Generator, rgb: Array, relief: Array | None = None) -> Array:
    """A ball's shading with a highlight, (S, S, 3); `relief` (S, S) are bumps, in parts of the radius."""
    x, y, distance, _ = _polar(len(rgb))
    z = np.sqrt(np.clip(1.0 - distance**2, 0.0, 1.0))
    if relief is not None:
        dy, dx = np.gradient(relief, 2.0 / len(rgb))
        x, y = x - dx, y - dy
    length = np.sqrt(x**2 + y**2 + z**2)
    slant, around = chance.uniform(0.0, 1.2), chance.uniform(0.0, 2.0 * np.pi)
    light = np.array([np.sin(slant) * np.cos(around), np.sin(slant) * np.sin(around), np.cos(slant)])
    facing = np.clip((x * light[0] + y * light[1] + z * light[2]) / length, 0.0, 1.0)
    ambient = chance.uniform(0.05, 0.6)
    shine = chance.choice([0.0, chance.uniform(0.1, 1.0)]) * facing ** chance.uniform(8.0, 80.0)
    lit: Array = rgb * (ambient + (1.0 - ambient) * facing)[..., None] + shine[..., None]
    return lit


def _plain(chance: np.random.Generator, side: int) -> Array:
    return np.broadcast_to(np.array(any_colour(chance)) / 255.0, (side, side, 3)).astype(np.float64)


def disc(chance: np.random.Generator, side: int) -> Image.Image:
    """One colour, sometimes with a rim of another."""
    _, _, distance, _ = _polar(side)
    rgb = _plain(chance, side)
    if chance.random() < 0.4:
        rgb[distance > chance.uniform(0.6, 0.97)] = np.array(any_colour(chance)) / 255.0
    return _cut(rgb, distance)


def ball(chance: np.random.Generator, side: int) -> Image.Image:
    """One colour, lit, with or without a highlight."""
    return _cut(_lit(chance, _plain(chance, side)), _polar(side)[2])


def toy_ball(chance: np.random.Generator, side: int) -> Image.Image:
    """With stripes, sectors, dots or a chequered skin: beach balls, footballs, marbles."""
    x, y, distance, angle = _polar(side)
    turn = chance.uniform(0.0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    z = np.sqrt(np.clip(1.0 - distance**2, 0.0, 1.0))
    frequency = chance.uniform(1.0, 6.0)
    kind = chance.integers(4)
    if kind == 0:
        values = np.sin(np.arcsin(np.clip(v, -1.0, 1.0)) * frequency)
    elif kind == 1:
        values = np.sin(np.arctan2(u, z + chance.uniform(0.0, 1.0)) * frequency + chance.uniform(0.0, 6.0))
    elif kind == 2:
        values = np.sin(angle * int(chance.integers(2, 9)) + turn)
    else:
        values = np.sin(np.arctan2(u, z + 0.2) * frequency * 2.0) * np.sin(
            np.arcsin(np.clip(v, -1, 1)) * frequency * 2.0
        )
    first, second = (np.array(any_colour(chance)) / 255.0 for _ in range(2))
    sharp = chance.uniform(1.0, 30.0)
    share = (1.0 / (1.0 + np.exp(-sharp * (values - chance.uniform(-0.4, 0.4)))))[..., None]
    return _cut(_lit(chance, first * share + second * (1.0 - share)), distance)


def fruit(chance: np.random.Generator, side: int) -> Image.Image:
    """Orange, lemon, apple, tomato, peach: warm colours, pores, a highlight, often the mark of a stem."""
    x, y, distance, _ = _polar(side)
    hue, saturation, value = chance.uniform(-0.03, 0.3), chance.uniform(0.55, 1.0), chance.uniform(0.5, 1.0)
    colour = np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))
    blush = np.array(colorsys.hsv_to_rgb((hue + chance.uniform(-0.12, 0.12)) % 1.0, saturation, value))
    share = fractal(chance, side, chance.uniform(1.8, 2.6))[..., None] * chance.uniform(0.0, 1.0)
    rgb = colour * (1.0 - share) + blush * share
    if chance.random() < 0.5:
        where = chance.uniform(-0.6, 0.6, 2)
        stem = np.exp(-((x - where[0]) ** 2 + (y - where[1]) ** 2) / chance.uniform(0.001, 0.02))
        rgb = rgb * (1.0 - 0.8 * stem[..., None])
    pores = fractal(chance, side, chance.uniform(0.0, 0.8)) * chance.choice(
        [0.0, chance.uniform(0.005, 0.05)]
    )
    return _cut(_lit(chance, rgb, pores), distance)


def coin(chance: np.random.Generator, side: int) -> Image.Image:
    """Metal with a rim, letters and a figure in relief."""
    _, _, distance, _ = _polar(side)
    stamp = Image.new("L", (side, side))
    pen = ImageDraw.Draw(stamp)
    middle, radius = side / 2, side * 0.475
    figure = [
        (middle + radius * float(r) * float(np.cos(a)), middle + radius * float(r) * float(np.sin(a)))
        for r, a in zip(
            chance.uniform(0.1, 0.6, 9), np.sort(chance.uniform(0.0, 2.0 * np.pi, 9)), strict=True
        )
    ]
    pen.polygon(figure, fill=int(chance.integers(100, 255)))
    size = float(chance.uniform(0.1, 0.45)) * side
    pen.text(
        (middle, middle),
        str(int(chance.integers(1, 100))),
        fill=255,
        font=ImageFont.load_default(size),
        anchor="mm",
    )
    for angle in np.arange(0.0, 2.0 * np.pi, 2.0 * np.pi / int(chance.integers(8, 40))):
        place = (middle + 0.82 * radius * float(np.cos(angle)), middle + 0.82 * radius * float(np.sin(angle)))
        pen.text(
            place,
            str(chance.choice(list("ABCDEFGHIKLMNO.*"))),
            fill=230,
            font=ImageFont.load_default(side / 14),
            anchor="mm",
        )
    relief = np.asarray(stamp, dtype=np.float64) / 255.0 + (distance > 0.92) * chance.uniform(0.3, 1.0)
    slant = chance.uniform(0.0, 2.0 * np.pi)
    dy, dx = np.gradient(relief)
    edge = (dx * np.cos(slant) + dy * np.sin(slant)) * chance.uniform(0.3, 1.2)
    metal = np.array(
        [(0.75, 0.76, 0.78), (0.8, 0.65, 0.3), (0.7, 0.45, 0.3), (0.45, 0.42, 0.38)][chance.integers(4)]
    )
    worn = 0.8 + 0.35 * fractal(chance, side, 1.5)
    return _cut(metal * (worn * chance.uniform(0.6, 1.2))[..., None] + edge[..., None], distance)


def record(chance: np.random.Generator, side: int) -> Image.Image:
    """Targets, records, compact discs, plates: rings, sometimes a hole, a label, a rainbow."""
    _, _, distance, angle = _polar(side)
    rings = chance.uniform(1.0, 40.0)
    values = 0.5 + 0.5 * np.sin(distance * rings * np.pi + chance.uniform(0.0, 6.0))
    rgb = palette(chance, values if chance.random() < 0.5 else distance)
    if chance.random() < 0.5:
        grey = chance.uniform(0.05, 0.8)
        sheen = np.abs(
            np.cos(angle * int(chance.integers(1, 4)) + chance.uniform(0.0, 6.0))
        ) ** chance.uniform(2.0, 20.0)
        hues = np.stack([0.5 + 0.5 * np.cos(distance * 9.0 + shift) for shift in (0.0, 2.1, 4.2)], -1)
        rainbow = hues if chance.random() < 0.5 else np.ones(3)
        rgb = grey + sheen[..., None] * rainbow * chance.uniform(0.2, 0.8) + (values * 0.1)[..., None]
    if chance.random() < 0.5:
        rgb[distance < chance.uniform(0.1, 0.45)] = np.array(any_colour(chance)) / 255.0
    if chance.random() < 0.5:
        rgb[distance < chance.uniform(0.03, 0.2)] = chance.choice([0.0, 1.0])
    return _cut(rgb, distance)


def eye(chance: np.random.Generator, side: int) -> Image.Image:
    """An iris with its pupil, or a whole eyeball with veins."""
    x, y, distance, angle = _polar(side)
    at = chance.uniform(-0.25, 0.25, 2)
    size = chance.uniform(0.3, 1.0)
    near = np.hypot(x - at[0], y - at[1]) / size
    fibres = np.interp((angle + np.pi) * 20.0, np.arange(0.0, 127.0), chance.random(127))
    iris = palette(chance, np.clip(near, 0.0, 1.0)) * (0.6 + 0.5 * fibres)[..., None]
    rgb = np.ones((side, side, 3)) * np.array([0.95, 0.9, 0.88])
    rgb -= (fractal(chance, side, 1.4) > 0.8)[..., None] * np.array([0.05, 0.35, 0.35]) * chance.random()
    rgb = np.where(near[..., None] < 1.0, iris, rgb)
    rgb = np.where(near[..., None] < chance.uniform(0.2, 0.6), 0.03, rgb)
    glint = np.hypot(x - at[0] - 0.15 * size, y - at[1] + 0.2 * size) < 0.12 * size
    rgb[glint] = 1.0
    return _cut(_lit(chance, rgb), distance)


def fundus(chance: np.random.Generator, side: int) -> Image.Image:
    """What a doctor's or a microscope's round field shows: warm or pale ground, branching vessels, a spot."""
    x, y, distance, _ = _polar(side)
    ground = np.array(
        colorsys.hsv_to_rgb(
            float(chance.uniform(-0.02, 0.14)) % 1.0, chance.uniform(0.2, 0.95), chance.uniform(0.4, 1.0)
        )
    )
    if chance.random() < 0.3:
        ground = chance.random(3)
    rgb = ground * (0.7 + 0.5 * fractal(chance, side, chance.uniform(1.6, 2.6)))[..., None]
    rgb = rgb * (1.0 - chance.uniform(0.0, 0.6) * np.clip(distance, 0.0, 1.0) ** 2)[..., None]
    veins = Image.new("L", (side, side))
    pen = ImageDraw.Draw(veins)
    root = chance.uniform(0.2, 0.8, 2) * side
    _branch(chance, pen, root, 0.0, side / 22 * chance.uniform(0.5, 1.2), 4)
    rgb = rgb * (
        1.0 - chance.uniform(0.3, 0.7) * np.asarray(veins)[..., None] / 255.0 * np.array([0.7, 1.0, 1.0])
    )
    spot = np.exp(
        -(
            ((x + 1.0 - root[0] * 2 / side) ** 2 + (y + 1.0 - root[1] * 2 / side) ** 2)
            / chance.uniform(0.01, 0.05)
        )
    )
    spots = chance.choice([-0.4, 0.5]) * spot
    return _cut(rgb + spots[..., None] * np.array([1.0, 0.9, 0.6]), distance)


def _branch(
    chance: np.random.Generator, pen: ImageDraw.ImageDraw, at: Array, heading: float, width: float, depth: int
) -> None:
    """Draw wandering lines that divide."""
    if depth == 0:
        return
    for _ in range(int(chance.integers(3, 6)) if depth == 4 else 2):
        angle = chance.uniform(0.0, 2.0 * np.pi) if depth == 4 else heading + chance.uniform(-0.9, 0.9)
        here = at.copy()
        for _ in range(6):
            angle += chance.uniform(-0.3, 0.3)
            there = here + np.array([np.cos(angle), np.sin(angle)]) * width * chance.uniform(1.0, 2.5)
            pen.line(
                [tuple(map(float, here)), tuple(map(float, there))], fill=255, width=max(1, round(width))
            )
            here = there
        _branch(chance, pen, here, float(angle), width * 0.65, depth - 1)


def dial(chance: np.random.Generator, side: int) -> Image.Image:
    """Clocks, buttons, lids, signs: marks around a middle."""
    _, _, distance, angle = _polar(side)
    rgb = _plain(chance, side)
    ink = np.array(any_colour(chance)) / 255.0
    count = int(chance.integers(2, 25))
    inner, outer = np.sort(chance.uniform(0.2, 0.95, 2))
    marks = np.cos(angle * count) > chance.uniform(0.3, 0.97)
    rgb[marks & (distance > inner) & (distance < outer)] = ink
    for _ in range(int(chance.integers(0, 3))):
        hand = np.abs(np.angle(np.exp(1j * (angle - chance.uniform(-np.pi, np.pi))))) * distance < 0.05
        rgb[hand & (distance < chance.uniform(0.3, 0.9))] = ink
    return _cut(rgb if chance.random() < 0.7 else _lit(chance, rgb), distance)


def odd_world(chance: np.random.Generator, side: int) -> Image.Image:
    """A ball of fractal ground in green, cyan, violet or pink, as none of the worlds is."""
    _, _, distance, _ = _polar(side)
    hue = chance.uniform(0.27, 0.93)
    low = np.array(colorsys.hsv_to_rgb(hue, chance.uniform(0.6, 1.0), chance.uniform(0.2, 0.6)))
    high = np.array(
        colorsys.hsv_to_rgb(
            min(max(hue + chance.uniform(-0.1, 0.1), 0.27), 0.93),
            chance.uniform(0.5, 1.0),
            chance.uniform(0.6, 1.0),
        )
    )
    share = fractal(chance, side, chance.uniform(1.0, 2.2))[..., None]
    return _cut(_lit(chance, low * share + high * (1.0 - share)), distance)


def emblem(chance: np.random.Generator, side: int) -> Image.Image:
    """Not round: a polygon, a letter or a star of one colour, or a ring."""
    picture = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(picture)
    colour = (*any_colour(chance), 255)
    kind = chance.integers(3)
    if kind == 0:
        count = int(chance.integers(3, 12))
        angles = np.arange(count) * 2.0 * np.pi / count + chance.uniform(0.0, 6.0)
        radii = np.where(np.arange(count) % 2, chance.uniform(0.3, 1.0), 1.0) * side * 0.47
        pen.polygon(
            [
                (side / 2 + float(r * np.cos(a)), side / 2 + float(r * np.sin(a)))
                for r, a in zip(radii, angles, strict=True)
            ],
            fill=colour,
        )
    elif kind == 1:
        letter = str(chance.choice(list("ABCDEGHKMOQRSTXYZ0123456789@&")))
        pen.text(
            (side / 2, side / 2), letter, fill=colour, font=ImageFont.load_default(side * 0.9), anchor="mm"
        )
    else:
        pen.ellipse((4, 4, side - 5, side - 5), outline=colour, width=int(chance.integers(2, side // 4)))
    return picture


MAKERS = (disc, ball, ball, toy_ball, fruit, fruit, coin, record, eye, fundus, dial, odd_world, emblem)
