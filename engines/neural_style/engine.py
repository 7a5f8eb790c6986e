"""The `neural_style` engine: load pictures, choose the method, paint, encode."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from engines import images, weights
from engines.base import Context, OutOfMemory, Output
from engines.neural_style import gatys, patches
from engines.neural_style.checkpoint import digest_of, pack, unpack
from engines.neural_style.colour import luma, monge_kantorovich, with_chroma_of
from engines.neural_style.model import VGG19, load_vgg19
from engines.neural_style.schedule import GATYS_ITERATIONS, PATCH_ITERATIONS
from engines.neural_style.several import Several
from engines.neural_style.spec import NeuralStyleParams
from engines.torch_device import choose_device, device_label, is_out_of_memory, release_memory

#: Raised with every change that alters results; older checkpoints are then ignored.
RECIPE = "1"

#: A second try after running out of memory makes the picture this much smaller (half the pixels).
_SMALLER = 0.7


class Engine:
    """Paints a photo in the manner of other pictures."""

    #: Seconds between reports inside an iteration; short, since a report is also the check for a stop.
    report_every = 0.2

    def __init__(self, device: torch.device | None = None, vgg: VGG19 | None = None) -> None:
        """`vgg`: a network to use instead of the installed weights."""
        self._device = device or choose_device()
        self.device = device_label(self._device)
        self._vgg = vgg
        self._gatys: gatys.Gatys | None = None

    def setup(self) -> None:
        """Nothing to load: patches need no weights, and VGG-19 is read by the first job that asks for it."""

    def run(self, params: NeuralStyleParams, context: Context) -> Iterator[Output]:
        """The pictures. Raises BadInput for unreadable files, EngineError without weights, OutOfMemory."""
        if params.count == 1:
            yield self._one(params, context)
            return
        several = Several(params, context)
        yield from several.restored()
        for one, its_context in several.missing():
            yield several.keep(one, self._one(one, its_context))

    def _one(self, params: NeuralStyleParams, context: Context) -> Output:
        method = self._method(params)
        try:
            result, notes = self._paint(params, context, method, second_try=False)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            result, notes = None, {}
        if result is None:  # outside the except block, whose traceback would keep the first try's tensors
            result, notes = self._try_again(params, context, method)
        picture = images.from_array(result.permute(1, 2, 0).cpu().numpy())
        meta = {
            "engine": "neural_style",
            "recipe": RECIPE,
            "method": method,
            "width": picture.width,
            "height": picture.height,
            "styles": len(params.style),
            "style_weights": [round(share, 6) for share in params.shares()],
            **params.model_dump(exclude={"content", "style", "style_weights", "method", "count"}),
            **notes,
        }
        name = "result.png" if params.format == "png" else "result.jpg"
        return Output(
            name, images.MEDIA_TYPES[params.format], images.encode(picture, params.format, meta), meta
        )

    def _try_again(
        self, params: NeuralStyleParams, context: Context, method: str
    ) -> tuple[Tensor, dict[str, Any]]:
        release_memory(self._device)
        try:
            return self._paint(params, context, method, second_try=True)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"a picture of {params.size} pixels does not fit into the memory of {self.device}, "
                "not even in a more economical second try; choose a smaller size"
            ) from error

    def _method(self, params: NeuralStyleParams) -> str:
        if params.method != "auto":
            return params.method
        able = self._device.type == "cuda" and (self._vgg is not None or weights.present("vgg19"))
        return "gatys" if able else "patches"

    def _paint(
        self, params: NeuralStyleParams, context: Context, method: str, second_try: bool
    ) -> tuple[Tensor, dict[str, Any]]:
        """The result (3, H, W) and what the record should add about how it was made."""
        if method == "patches":
            content, styles = self._load(params, context, params.size)
            result = self._patches(params, context, content, styles, second_try)
            return _finish(result, content, params), {}
        size = max(1, round(params.size * _SMALLER)) if second_try else params.size
        content, styles = self._load(params, context, size)
        notes: dict[str, Any] = {"precision": "bfloat16" if self._optimiser().bfloat16 else "float32"}
        if second_try:
            notes["reduced_size"] = size
        return _finish(self._optimise(params, context, content, styles), content, params), notes

    def _load(self, params: NeuralStyleParams, context: Context, size: int) -> tuple[Tensor, list[Tensor]]:
        """The content at its final size, and the used styles at the size that gives the wanted strokes."""
        content = images.fit(images.load_rgb(context.input(params.content)), size)
        area = content.width * content.height * params.stroke**2
        styles = []
        for ref, share in zip(params.style, params.shares(), strict=True):
            if share == 0:
                continue
            style = images.load_rgb(context.input(ref))
            scale = (area / (style.width * style.height)) ** 0.5
            wanted = (max(1, round(style.width * scale)), max(1, round(style.height * scale)))
            styles.append(self._tensor(images.resize(style, wanted)))
        return self._tensor(content), styles

    def _tensor(self, image: Image.Image) -> Tensor:
        """RGB picture -> (3, H, W) in 0..1 on the device."""
        return torch.from_numpy(images.as_array(image)).permute(2, 0, 1).contiguous().to(self._device)

    def _patches(
        self,
        params: NeuralStyleParams,
        context: Context,
        content: Tensor,
        styles: list[Tensor],
        second_try: bool,
    ) -> Tensor:
        source, strokes = _prepared(content, styles, params)
        digest = _digest(params, "patches", source, strokes)
        saved = unpack(digest, context.restore(), self._device)
        full = (content.shape[1], content.shape[2])
        report = _Reporter(context, digest, full, self.report_every)

        def on_progress(fraction: float, message: str, state: patches.State | None) -> None:
            if state is None:
                report(fraction, message)
            else:
                place = (state.level, state.iteration)
                report(fraction, message, place, lambda: state.image, state.tensors)

        on_gpu = self._device.type == "cuda"
        return patches.transport(
            source,
            strokes,
            _positive_shares(params),
            patches.Recipe(params.strength, PATCH_ITERATIONS[params.quality]),
            _seed(params),
            tile=patches.SMALL_TILE if second_try else patches.GPU_TILE if on_gpu else patches.TILE,
            resume=patches.State.from_tensors(saved) if saved else None,
            report=on_progress,
        )

    def _optimise(
        self, params: NeuralStyleParams, context: Context, content: Tensor, styles: list[Tensor]
    ) -> Tensor:
        source, strokes = _prepared(content, styles, params)
        optimiser = self._optimiser()
        digest = _digest(params, f"gatys/{optimiser.bfloat16}", source, strokes)
        saved = unpack(digest, context.restore(), self._device)
        report = _Reporter(context, digest, (content.shape[1], content.shape[2]), self.report_every)

        def on_progress(fraction: float, message: str, state: gatys.State) -> None:
            report(fraction, message, (state.scale, 0), state.estimate, state.tensors)

        first, later = GATYS_ITERATIONS[params.quality]
        return optimiser.paint(
            source,
            strokes,
            _positive_shares(params),
            gatys.Settings(params.strength, first, later),
            resume=gatys.State.from_tensors(saved) if saved else None,
            report=on_progress,
        )

    def _optimiser(self) -> gatys.Gatys:
        """VGG-19 ready for use, loaded once. Raises EngineError when its weights are not installed."""
        if self._gatys is None:
            self._gatys = gatys.Gatys(self._vgg or load_vgg19(weights.path("vgg19")), self._device)
        return self._gatys


class _Reporter:
    """Passes on a method's many reports: at every new place, and otherwise a few a second."""

    def __init__(self, context: Context, digest: bytes, size: tuple[int, int], every: float) -> None:
        self._context, self._digest, self._size, self._every = context, digest, size, every
        self._place: tuple[int, int] | None = None
        self._last = 0.0

    def __call__(
        self,
        fraction: float,
        message: str,
        place: tuple[int, int] | None = None,
        picture: Callable[[], Tensor] | None = None,
        tensors: Callable[[], dict[str, Tensor]] | None = None,
    ) -> None:
        now = time.monotonic()
        if place == self._place and now - self._last < self._every:
            return
        self._place = place
        self._context.progress(
            min(fraction, 1.0),
            message,
            preview=None if picture is None else lambda: self._preview(picture()),
            state=None if tensors is None else lambda: pack(self._digest, tensors()),
        )
        self._last = time.monotonic()

    def _preview(self, picture: Tensor) -> bytes:
        """A JPEG in the shape of the final picture, however coarse the level is."""
        height, width = self._size
        small = images.from_array(picture.permute(1, 2, 0).cpu().numpy())
        return images.preview(small.resize(images.fit_size(width, height, min(512, max(width, height)))))


def _seed(params: NeuralStyleParams) -> int:
    """The runner fills the seed in; 0 serves whoever calls the engine directly without one."""
    return params.seed or 0


def _positive_shares(params: NeuralStyleParams) -> list[float]:
    """The shares of the styles that are used at all."""
    return [share for share in params.shares() if share > 0]


def _prepared(
    content: Tensor, styles: list[Tensor], params: NeuralStyleParams
) -> tuple[Tensor, list[Tensor]]:
    """What the method sees under `preserve_color`."""
    if params.preserve_color == "match":
        return content, [monge_kantorovich(style, content) for style in styles]
    if params.preserve_color == "luma":
        return luma(content).repeat(3, 1, 1), [luma(style).repeat(3, 1, 1) for style in styles]
    return content, styles


def _finish(result: Tensor, content: Tensor, params: NeuralStyleParams) -> Tensor:
    return with_chroma_of(result, content) if params.preserve_color == "luma" else result


def _digest(params: NeuralStyleParams, method: str, content: Tensor, styles: list[Tensor]) -> bytes:
    """What a checkpoint depends on: the recipe, the choices, and the very pixels worked on.

    File references are left out: a retry may name the same picture differently.
    """
    choices = params.model_dump_json(exclude={"content", "style", "format", "size", "method", "count"})
    pixels = (hashlib.sha256(image.cpu().numpy().tobytes()).digest() for image in (content, *styles))
    shapes = str([tuple(image.shape) for image in (content, *styles)])
    return digest_of(RECIPE, method, choices, shapes, *pixels)
