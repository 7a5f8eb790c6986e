"""The `planets` engine: draw planets, alone or with those of other jobs, and hand them over as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engines import images
from engines.base import BatchItem, Context, Interrupted, Output
from engines.films import begun
from engines.planets import morph
from engines.planets.latents import Planet, planets_of
from engines.planets.network import WEIGHTS, Network
from engines.planets.pictures import picture, resized
from engines.planets.spec import CHUNK, PlanetsParams, encode_latent, network
from engines.torch_device import choose_device, device_label

Floats = npt.NDArray[np.float32]

#: Raised with every change after which a seed gives other planets.
RECIPE = "1"

#: Of a job's time, how much goes into drawing; the rest is encoding.
_DRAWING = 0.8


class Engine:
    """Invents planets."""

    def __init__(self, device: torch.device | None = None, folder: Path = WEIGHTS) -> None:
        """`folder`: where the weights lie."""
        self._device = device or choose_device()
        self.device = device_label(self._device)
        self._folder = folder
        self._networks: dict[int, Network] = {}

    @property
    def loaded(self) -> tuple[str, ...]:
        """The nets in memory, by side."""
        return tuple(str(side) for side in self._networks)

    def setup(self) -> None:
        """Nothing: a net is read by the first job that needs it."""

    def run(self, params: PlanetsParams, context: Context) -> Iterator[Output]:
        """The pictures, the sheet or the animation. Raises EngineError when the weights are damaged."""
        planets = planets_of(params, _seed(params))
        if params.morph is not None:
            yield self._animation(params, planets, context)
            return
        drawn: list[Floats] = []

        def preview() -> bytes:
            return images.preview(images.contact_sheet([picture(one, transparent=False) for one in drawn]))

        for chunk in range(0, len(planets), CHUNK):
            context.progress(
                _DRAWING * chunk / len(planets), f"planet {chunk + 1}", preview=preview if drawn else None
            )
            drawn += self._draw(params, planets[chunk : chunk + CHUNK])
        context.progress(_DRAWING, "encoding", preview=preview)
        yield from _outputs(params, planets, drawn)

    def run_batch(self, items: Sequence[BatchItem]) -> Iterator[tuple[int, Output]]:
        """All planets of all jobs through one net, CHUNK at a time."""
        jobs = {
            index: (params, context, planets_of(params, _seed(params)))
            for index, (params, context) in enumerate(items)
        }
        waiting = [(index, planet) for index, (_, _, planets) in jobs.items() for planet in planets]
        drawn: dict[int, list[Floats]] = {index: [] for index in jobs}
        alive = set(jobs)
        done = 0
        while waiting:
            for index in sorted(alive):
                if not _still_wanted(jobs[index][1], _DRAWING * done / (done + len(waiting)), "drawing"):
                    alive.discard(index)
            waiting = [(index, planet) for index, planet in waiting if index in alive]
            now, waiting = waiting[:CHUNK], waiting[CHUNK:]
            if not now:
                return
            first = jobs[now[0][0]][0]
            net = self._network(first)
            codes = (planet.code(jobs[index][0].variation, net.noise) for index, planet in now)
            for (index, _), one in zip(now, net.draw(codes, first.precision), strict=True):
                drawn[index].append(one)
            done += len(now)
        for index in sorted(alive):
            params, context, planets = jobs[index]
            if _still_wanted(context, _DRAWING, "encoding"):
                yield from ((index, output) for output in _outputs(params, planets, drawn[index]))

    def _network(self, params: PlanetsParams) -> Network:
        """The net for a job's size; all jobs of a batch have the same (`batch_key`)."""
        side = network(params.size)
        if side not in self._networks:
            self._networks[side] = Network(side, self._device, self._folder)
        return self._networks[side]

    def _draw(self, params: PlanetsParams, planets: Sequence[Planet]) -> Iterator[Floats]:
        net = self._network(params)
        codes = (planet.code(params.variation, net.noise) for planet in planets)
        return net.draw(codes, params.precision)

    def _animation(self, params: PlanetsParams, planets: list[Planet], context: Context) -> Output:
        """One file; frames are drawn and encoded one after the other, and those of a checkpoint not again."""
        assert params.morph is not None
        net, count = self._network(params), params.frames()
        path = morph.path([planet.code(params.variation, net.noise) for planet in planets], count)
        meta = _meta(params, network(params.size)) | {
            "planets": [_about(planet) for planet in planets],
            "frames": count,
            "fps": params.morph_fps,
        }
        with begun(params.morph, Fraction(params.morph_fps), context.restore()) as film:
            rest = net.draw(islice(path, film.done, None), params.precision)
            for place, one in enumerate(rest, film.done):
                frame = picture(resized(one, params.size), params.transparent)
                if place % 4 == 0:
                    context.progress(
                        place / count,
                        f"frame {place + 1} of {count}",
                        preview=_previewer(frame),
                        state=film.state,
                    )
                film.add(frame)
            target = context.scratch / f"morph.{film.suffix}"
            film.finish(target, meta)
        return Output(target.name, film.media_type, target, meta, seconds=count / params.morph_fps)


def _outputs(params: PlanetsParams, planets: Sequence[Planet], drawn: Sequence[Floats]) -> Iterator[Output]:
    """The files of a job whose planets are drawn."""
    kind, suffix = images.MEDIA_TYPES[params.format], images.SUFFIXES[params.format]
    common = _meta(params, network(params.size))
    made = [picture(resized(one, params.size), params.transparent) for one in drawn]
    if params.grid:
        meta = common | {"planets": [_about(planet) for planet in planets]}
        yield Output(
            f"grid.{suffix}", kind, images.encode(images.contact_sheet(made), params.format, meta), meta
        )
        return
    for planet, image in zip(planets, made, strict=True):
        meta = common | _about(planet)
        name = "planet" if planet.number is None else f"planet-{planet.number:04}"
        yield Output(f"{name}.{suffix}", kind, images.encode(image, params.format, meta), meta)


def _meta(params: PlanetsParams, side: int) -> dict[str, Any]:
    """What all files of a job say: how to make it again, and what was done to the net's picture."""
    return {
        "engine": "planets",
        "recipe": RECIPE,
        "network": f"{side}-v1",
        "size": params.size,
        "scaled": "none" if params.size == side else "down" if params.size < side else "up",
        "variation": params.variation,
        "precision": params.precision,
        "transparent": params.transparent,
        "seed": _seed(params),
    }


def _about(planet: Planet) -> dict[str, Any]:
    """Which planet it is."""
    return {
        "planet": planet.number,
        "worlds": planet.mix(),
        "latent": encode_latent([float(value) for value in planet.latent]),
    }


def _still_wanted(context: Context, fraction: float, message: str) -> bool:
    try:
        context.progress(fraction, message)
    except Interrupted:
        return False
    return True


def _previewer(frame: Image.Image) -> Callable[[], bytes]:
    return lambda: images.preview(frame)


def _seed(params: PlanetsParams) -> int:
    """The runner fills the seed in; 0 serves whoever calls the engine directly without one."""
    return params.seed or 0
