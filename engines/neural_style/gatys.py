"""Gatys' style transfer: optimise the picture itself until its VGG-19 statistics are those wanted.

Gatys, Ecker and Bethge 2016, with the multi-scale schedule, Adam with warm starts and averaged iterates of
crowsonkb/style-transfer-pytorch. Departures, with reasons:

- Every loss is relative (|G - A|^2 / |A|^2), so layers count alike and no constant depends on the weights.
- Gram matrices, not the Wasserstein loss: one matrix product instead of 12 Newton-Schulz steps per layer.
- Convolutions in bfloat16 where the processor has it natively; statistics always in float32.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.base import EngineError
from engines.neural_style.model import VGG19
from engines.neural_style.pyramid import resize
from engines.neural_style.schedule import Size, octave_scales, scaled
from engines.torch_device import has_native_bfloat16

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYER = "relu4_2"
_STYLE_ONLY = frozenset(STYLE_LAYERS)
_CONTENT_ONLY = frozenset({CONTENT_LAYER})
_BOTH = _STYLE_ONLY | _CONTENT_ONLY

_LEARNING_RATE = 0.02
_BETAS = (0.9, 0.99)
_EPSILON = 1e-8
_AVERAGING = 0.99
_SMOOTHNESS = 2.0  # weight of total variation
_CACHED_STYLES = 32  # pictures; 2.4 MB of Gram matrices each

Grams = tuple[Tensor, ...]  # one (C, C) per style layer


@dataclass(frozen=True)
class Settings:
    """What the user chooses: freedom (0..1) and patience."""

    strength: float
    first_iterations: int  # on the coarsest scale
    iterations: int  # on every later one

    @property
    def content_weight(self) -> float:
        """Weight of the relative content error against the relative style error: .5 to .005."""
        return 0.5 * math.pow(0.01, self.strength)


@dataclass
class State:
    """Everything a run needs to go on from the start of an iteration. Pictures are (1, 3, h, w) float32."""

    scale: int
    iteration: int
    steps: int  # of Adam, over all scales
    image: Tensor
    average: Tensor  # running sum; `estimate` corrects its bias
    first_moment: Tensor
    second_moment: Tensor

    def estimate(self) -> Tensor:
        """The averaged picture, (3, h, w)."""
        if self.iteration == 0:
            return self.image[0]
        return (self.average / (1 - math.pow(_AVERAGING, self.iteration)))[0].clamp(0, 1)

    def tensors(self) -> dict[str, Tensor]:
        """As named tensors, for `checkpoint.pack`."""
        return {
            "place": torch.tensor([self.scale, self.iteration, self.steps]),
            "image": self.image,
            "average": self.average,
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> State:
        """The inverse of `tensors`."""
        scale, iteration, steps = (int(number) for number in tensors["place"])
        pictures = (tensors[name] for name in ("image", "average", "first_moment", "second_moment"))
        return cls(scale, iteration, steps, *pictures)


class Report(Protocol):
    """Called before every iteration; may raise to stop the run. `state` changes once it returns."""

    def __call__(self, fraction: float, message: str, state: State) -> None: ...


def _silent(fraction: float, message: str, state: State) -> None:
    """The default report."""


class Gatys:
    """One VGG-19 on one device, and the statistics of the styles it saw last."""

    def __init__(self, vgg: VGG19, device: torch.device, bfloat16: bool | None = None) -> None:
        """`bfloat16`: None lets the hardware decide (a flag, not a stopwatch: results stay reproducible)."""
        self.device = device
        self.bfloat16 = has_native_bfloat16(device) if bfloat16 is None else bfloat16
        vgg.place(device, torch.bfloat16 if self.bfloat16 else torch.float32)
        self.vgg = vgg
        self._styles: OrderedDict[tuple[str, Size], Grams] = OrderedDict()

    def paint(
        self,
        content: Tensor,
        styles: list[Tensor],
        shares: list[float],
        settings: Settings,
        *,
        resume: State | None = None,
        report: Report = _silent,
    ) -> Tensor:
        """Repaint `content` (3, H, W) with `styles` (3, h_k, w_k) in `shares` that sum to 1 -> (3, H, W).

        Starts from the content and draws no random numbers. Raises EngineError when the optimisation
        leaves the finite numbers.
        """
        size = (content.shape[1], content.shape[2])
        factors = octave_scales(size)
        state = resume
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            for index in range(resume.scale if resume else 0, len(factors)):
                small = resize(content, scaled(size, factors[index]))
                if state is None:
                    state = _start(small)
                elif state.scale < index:
                    state = _next_scale(state, (small.shape[1], small.shape[2]))
                target = self._style_target(styles, shares, factors[index])
                self._optimise(state, small, target, settings, _Pace(size, factors, settings, index), report)
                if not bool(torch.isfinite(state.image).all()):
                    raise EngineError("the optimisation diverged: the picture is no longer finite")
        assert state is not None
        return state.estimate()

    def loss_and_gradient(
        self, image: Tensor, goal: Tensor, grams: Grams, weight: float
    ) -> tuple[Tensor, Tensor]:
        """The loss (a scalar tensor; reading it would stall a GPU) and its gradient at `image` (1, 3, H, W).

        `goal`: the content's relu4_2. `grams`: the styles' blended Gram matrices. `weight`: of the content.
        """
        image = image.detach().requires_grad_()
        features = self.vgg(image, _BOTH)
        loss = weight * _relative_error(features[CONTENT_LAYER].float(), goal)
        for name, wanted in zip(STYLE_LAYERS, grams, strict=True):
            loss = loss + _relative_error(_gram(features[name]), wanted) / len(STYLE_LAYERS)
        loss = loss + _SMOOTHNESS * _total_variation(image)
        (gradient,) = torch.autograd.grad(loss, image)
        return loss.detach(), gradient

    @torch.no_grad()
    def content_features(self, image: Tensor) -> Tensor:
        """relu4_2 of (3, H, W), float32."""
        features: dict[str, Tensor] = self.vgg(image[None], _CONTENT_ONLY)
        return features[CONTENT_LAYER].float()

    @torch.no_grad()
    def style_grams(self, image: Tensor) -> Grams:
        """The Gram matrices of one style (3, h, w); remembered for the next job with the same picture."""
        fingerprint = hashlib.sha256(image.cpu().contiguous().numpy().tobytes()).hexdigest()
        key = (fingerprint, (image.shape[1], image.shape[2]))
        if key not in self._styles:
            features = self.vgg(image[None], _STYLE_ONLY)
            self._styles[key] = tuple(_gram(features[name]) for name in STYLE_LAYERS)
            while len(self._styles) > _CACHED_STYLES:
                self._styles.popitem(last=False)
        self._styles.move_to_end(key)
        return self._styles[key]

    def _style_target(self, styles: list[Tensor], shares: list[float], factor: float) -> Grams:
        """Blend the styles' Gram matrices (second moments, so a mixture of pictures is a weighted mean)."""
        blended: list[Tensor] = []
        for style, share in zip(styles, shares, strict=True):
            small = resize(style, scaled((style.shape[1], style.shape[2]), factor))
            grams = self.style_grams(small)
            parts = [share * gram for gram in grams]
            blended = [a + b for a, b in zip(blended, parts, strict=True)] if blended else parts
        return tuple(blended)

    def _optimise(
        self, state: State, content: Tensor, target: Grams, settings: Settings, pace: _Pace, report: Report
    ) -> None:
        goal = self.content_features(content)
        for iteration in range(state.iteration, pace.iterations):
            report(pace.fraction(iteration), pace.message, state)
            _, gradient = self.loss_and_gradient(state.image, goal, target, settings.content_weight)
            _adam_step(state, gradient)


class _Pace:
    """How far along a run is: work is pixels times iterations."""

    def __init__(self, size: Size, factors: list[float], settings: Settings, index: int) -> None:
        counts = [settings.first_iterations] + [settings.iterations] * (len(factors) - 1)
        work = [count * factor**2 for count, factor in zip(counts, factors, strict=True)]
        self.iterations = counts[index]
        self._before = sum(work[:index])
        self._each = factors[index] ** 2
        self._total = sum(work)
        height, width = scaled(size, factors[index])
        self.message = f"scale {index + 1} of {len(factors)} ({width} x {height})"

    def fraction(self, iteration: int) -> float:
        return (self._before + iteration * self._each) / self._total


def _start(content: Tensor) -> State:
    image = content[None].clone()
    return State(0, 0, 0, image, *(torch.zeros_like(image) for _ in range(3)))


def _next_scale(state: State, size: Size) -> State:
    """Go on from the averaged picture; the moments are resized with it, so that Adam keeps its pace."""
    image = resize(state.estimate(), size)[None]
    first = F.interpolate(state.first_moment, size=size, mode="bicubic", align_corners=False)
    # Bilinear: a second moment must not become negative.
    second = F.interpolate(state.second_moment, size=size, mode="bilinear", align_corners=False)
    return State(state.scale + 1, 0, state.steps, image, torch.zeros_like(image), first, second)


def _adam_step(state: State, gradient: Tensor) -> None:
    """One step of Adam (Kingma and Ba 2014) inside the RGB cube, and of the running average. In place."""
    beta_first, beta_second = _BETAS
    state.steps += 1
    state.first_moment.lerp_(gradient, 1 - beta_first)
    state.second_moment.lerp_(gradient.square(), 1 - beta_second)
    correction = math.sqrt(1 - math.pow(beta_second, state.steps))
    rate = _LEARNING_RATE * correction / (1 - math.pow(beta_first, state.steps))
    state.image.addcdiv_(
        state.first_moment, state.second_moment.sqrt().add_(_EPSILON * correction), value=-rate
    )
    state.image.clamp_(0, 1)
    state.average.mul_(_AVERAGING).add_(state.image, alpha=1 - _AVERAGING)
    state.iteration += 1


class _Gram(torch.autograd.Function):
    """(1, C, H, W) -> (C, C) float32: mean over the pixels of the outer product.

    Written out because autograd would keep a float32 copy of every activation and spend two matrix products
    on a gradient that, the matrix being symmetric, needs one.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        pixels = _as_pixels(features)
        gram: Tensor = pixels.T @ pixels / pixels.shape[0]
        return gram

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        (gradient,) = gradients
        pixels = _as_pixels(features)
        moved = pixels @ ((gradient + gradient.T) / pixels.shape[0])  # (H*W, C)
        _, channels, height, width = features.shape
        return moved.to(features.dtype).view(1, height, width, channels).permute(0, 3, 1, 2)


def _as_pixels(features: Tensor) -> Tensor:
    """(1, C, H, W) -> (H*W, C) float32; a view of channels_last memory where it is float32 already."""
    return features.permute(0, 2, 3, 1).flatten(0, 2).float()


def _gram(features: Tensor) -> Tensor:
    gram: Tensor = _Gram.apply(features)  # type: ignore[no-untyped-call]  # torch does not type it
    return gram


def _relative_error(value: Tensor, wanted: Tensor) -> Tensor:
    return (value - wanted).square().sum() / wanted.square().sum().clamp(min=1e-12)


def _total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels."""
    down = (image[:, :, 1:] - image[:, :, :-1]).square()
    right = (image[..., 1:] - image[..., :-1]).square()
    return (down.sum() + right.sum()) / image.numel()
