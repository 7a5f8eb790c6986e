"""The `stylegan` engine: pictures and walks of any StyleGAN2 network."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from engines import images, shipped
from engines.base import Context, OutOfMemory, Output, Transient, network_sha256
from engines.films import begun
from engines.interpolation import linear, spherical, steps
from engines.stylegan.network import Drawing, Network
from engines.stylegan.spec import SHIPPED, WEIGHTS, StyleganParams, encode_w, fitted
from engines.stylegan.styles import Origin, class_number, mapped, mixed, origin
from engines.torch_device import choose_device, device_label, is_out_of_memory, release_memory

Floats = npt.NDArray[np.float32]

#: Raised with every change after which the same job gives other pictures.
RECIPE = "1"
#: Bytes of networks that stay in memory; the one in use always does.
_MEMORY = 2 * 2**30
#: The side, in pixels, of what a progress display shows.
_PREVIEW = 512
#: Bytes of a film's checkpoint above which none is made: a worker holds it in memory while it is stored.
_CHECKPOINT = 2**29


class Engine:
    """Draws with networks that it keeps in memory while there is room."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device or choose_device()
        self.device = device_label(self._device)
        self._networks: OrderedDict[str, Network] = OrderedDict()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The networks in memory, by sha256 or name."""
        return tuple(self._networks)

    def setup(self) -> None:
        """Nothing: a network is read by the first job that needs it."""

    def run(self, params: StyleganParams, context: Context) -> Iterator[Output]:
        """The pictures, the sheet or the film.

        Raises EngineError for what the network cannot do, and OutOfMemory; Transient, where there may be room
        now that other networks are gone.
        """
        try:
            yield from self._made(params, context)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the except block, whose traceback would keep the job's tensors.
        others = len(self._networks) > 1
        self._networks.clear()
        release_memory(self._device)
        if others:
            raise Transient("memory was full of other networks")
        raise OutOfMemory("the pictures of this network do not fit into this machine's memory")

    def _made(self, params: StyleganParams, context: Context) -> Iterator[Output]:
        context.progress(0.0, "reading the network")
        network = self._network(params.network, context)
        job = _Job(fitted(params, network.facts), network)
        params = job.params
        context.progress(0.0, "drawing")
        if params.walk is not None:
            yield _film(job, context)
        elif params.grid:
            yield _sheet(job, context)
        else:
            yield from _pictures(job, context)

    def _network(self, ref: str, context: Context) -> Network:
        """The network of a job, from memory or from its file."""
        key = network_sha256(ref) or ref
        if key not in self._networks:
            path = shipped.verified(WEIGHTS, f"{ref}.safetensors") if ref in SHIPPED else context.network(ref)
            self._networks[key] = Network(path, self._device)
        self._networks.move_to_end(key)
        for other, network in self._networks.items():
            if other != key:
                network.rest()
        while len(self._networks) > 1 and sum(net.bytes for net in self._networks.values()) > _MEMORY:
            self._networks.popitem(last=False)
        return self._networks[key]


class _Job:
    """What a job asks of its network: where its pictures come from, and the ws of each."""

    def __init__(self, params: StyleganParams, network: Network) -> None:
        self.params, self.network = params, network
        config = network.config
        wanted = class_number(params.label, network.classes)
        seeds = [] if params.points is not None else params.chosen_seeds()
        self.origins = [origin(seed, config, wanted) for seed in seeds]
        #: (N, w_dim) of each picture.
        self.w = self._points() if params.points is not None else self._mapped(self.origins)
        others = {str(name): seed for name, seed in (params.mix or {}).items()}
        other_w = self._mapped([origin(seed, config, wanted) for seed in others.values()])
        self._others = {name: self._truncated(w) for name, w in zip(others, other_w, strict=True)}

    def drawing(self, w: Floats, seed: int, number: int) -> Drawing:
        """A picture of w (w_dim,), with the styles of others mixed in."""
        ws = mixed(self._truncated(w), self._others, self.network.config)
        return Drawing(ws, seed, number)

    def between(self, a: int, b: int, t: float) -> Floats:
        """The w (w_dim,) on the way from stop a to stop b."""
        way = linear if self.params.interpolation == "linear" else spherical
        if self.params.space == "w" or not self.origins:
            return way(self.w[a], self.w[b], t)
        here, there = self.origins[a], self.origins[b]
        halfway = Origin(here.seed, way(here.z, there.z, t), linear(here.label, there.label, t))
        w: Floats = self._mapped([halfway])[0]
        return w

    def about(self, number: int) -> dict[str, Any]:
        """Which picture it is."""
        found: dict[str, Any] = {}
        if self.origins:
            index = self.origins[number].class_index()
            found["picture_seed"] = self.origins[number].seed
            if index is not None:
                names = self.network.classes
                found["class"] = names[index] if names else index
        return found

    def meta(self) -> dict[str, Any]:
        """What all files of the job say."""
        params = self.params
        return {
            "engine": "stylegan",
            "recipe": RECIPE,
            "network": params.network,
            "seed": params.seed or 0,
            "size": self.network.config.img_resolution,
            "truncation": params.truncation,
            "truncation_cutoff": params.truncation_cutoff,
            "noise": params.noise,
            "mix": params.mix,
            "precision": params.precision,
        }

    def draw(self, drawings: Iterator[Drawing]) -> Iterator[Image.Image]:
        """The pictures."""
        return self.network.draw(drawings, self.params.noise, self.params.precision)

    def _points(self) -> Floats:
        return np.asarray(self.params.chosen_points(), dtype=np.float32)

    def _mapped(self, origins: list[Origin]) -> Floats:
        if not origins:
            return np.empty((0, self.network.config.w_dim), dtype=np.float32)
        return mapped(self.network.generator.mapping, origins, self.network.device)

    def _truncated(self, w: Floats) -> torch.Tensor:
        return self.network.ws(w, self.params.truncation, self.params.truncation_cutoff)


def _pictures(job: _Job, context: Context) -> Iterator[Output]:
    """A file each, handed over as it is drawn."""
    params = job.params
    names: set[str] = set()
    for number, picture in enumerate(_drawn(job, context)):
        w = encode_w([float(value) for value in job.w[number]])
        meta = job.meta() | job.about(number) | {"w": w}
        name = f"seed-{job.origins[number].seed:04}" if job.origins else f"point-{number:04}"
        if name in names:  # a seed may be asked for twice
            name = f"{name}-{number:04}"
        names.add(name)
        data = images.encode(picture, params.format, meta)
        yield Output(
            f"{name}.{images.SUFFIXES[params.format]}", images.MEDIA_TYPES[params.format], data, meta
        )


def _sheet(job: _Job, context: Context) -> Output:
    """All pictures on one."""
    params, count = job.params, len(job.w)
    sheet = images.contact_sheet(list(_drawn(job, context)))
    meta = job.meta() | {"pictures": [job.about(number) for number in range(count)]}
    return Output(
        f"grid.{images.SUFFIXES[params.format]}",
        images.MEDIA_TYPES[params.format],
        images.encode(sheet, params.format, meta),
        meta,
    )


def _drawn(job: _Job, context: Context) -> Iterator[Image.Image]:
    """The pictures of the job, with reports, for which small ones are kept."""
    count = len(job.w)
    seeds = [one.seed for one in job.origins] or [job.params.seed or 0] * count
    drawings = (job.drawing(w, seed, 0) for w, seed in zip(job.w, seeds, strict=True))
    side = min(_PREVIEW // math.ceil(math.sqrt(count)), job.network.config.img_resolution)
    seen: list[Image.Image] = []
    for number, picture in enumerate(job.draw(drawings), 1):
        seen.append(picture.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0))
        context.progress(
            number / count,
            f"picture {number} of {count}",
            preview=lambda: images.preview(images.contact_sheet(seen)),
        )
        yield picture


def _film(job: _Job, context: Context) -> Output:
    """The walk; its frames go to the encoder as they are drawn."""
    params, count = job.params, job.params.film_frames()
    assert params.walk is not None
    meta = job.meta() | {
        "pictures": [job.about(number) for number in range(len(job.w))],
        "frames": count,
        "fps": str(params.fps),
    }
    way = steps(len(job.w), params.frames, loop=params.loop, smooth=params.easing == "smooth")
    drawings = (
        job.drawing(job.between(a, b, t), params.seed or 0, number) for number, (a, b, t) in enumerate(way)
    )
    with begun(params.walk, Fraction(params.fps), context.restore()) as film:
        for number, frame in enumerate(job.draw(islice(drawings, film.done, None)), film.done):
            context.progress(
                number / count,
                f"frame {number + 1} of {count}",
                preview=_previewer(frame),
                state=film.state if film.size <= _CHECKPOINT else None,
            )
            film.add(frame)
        target = context.scratch / f"walk.{film.suffix}"
        film.finish(target, meta)
    return Output(target.name, film.media_type, target, meta, seconds=float(count / Fraction(params.fps)))


def _previewer(frame: Image.Image) -> Callable[[], bytes]:
    return lambda: images.preview(frame)
