"""One training step of the planet nets, ours against a plain one of the same nets: for planets.py.

The plain one is the loop of PyTorch's DCGAN tutorial: float32, separate passes of the discriminator over
real and made pictures, the binary cross-entropy on its answers, Adam as it comes; the fakes of a step serve
both nets. It augments nothing and averages no weights: ours does both within its time. The nets ask for
channels_last themselves, which the tutorial does not; so the plain loop runs as they are and in contiguous
order, and is compared with at its faster.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engines.planets.model import Discriminator, Generator, noise_of
from engines.planets.spec import LATENT
from engines.torch_device import has_native_bfloat16
from engines.worlds import WORLDS
from training.planets.data import Pictures
from training.planets.training import Recipe, Training

#: Pictures in the benchmark's data set; their content costs nothing.
_PICTURES = 240
#: Ours augments so many pictures as in the midst of a run.
_AUGMENT = 0.3

Step = Callable[[], object]


class Contiguous(TorchFunctionMode):
    """`contiguous` in any memory order becomes the plain one."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.contiguous:
            return func(args[0])
        return func(*args, **(kwargs or {}))


def some_pictures(size: int) -> Pictures:
    """Noise, as many of each world."""
    chance = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (_PICTURES, 4, size, size), generator=chance, dtype=torch.uint8)
    labels = torch.arange(_PICTURES) % len(WORLDS)
    return Pictures(pixels, labels, tuple(map(str, range(_PICTURES))), WORLDS)


def our_step(recipe: Recipe, pictures: Pictures, half: bool) -> Step:
    """What train.py does in every step."""
    training = Training(recipe, pictures, torch.device("cpu"), half)
    return training.step


def plain_step(recipe: Recipe, pictures: Pictures) -> Step:
    """The tutorial's loop body, its losses read as it does."""
    maker, critic = Generator(recipe.size, recipe.variant), Discriminator(recipe.size, recipe.variant)
    adam_maker = torch.optim.Adam(maker.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_critic = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    real_label, fake_label = torch.ones(recipe.batch), torch.zeros(recipe.batch)
    score = F.binary_cross_entropy_with_logits

    def step() -> None:
        chosen = torch.randint(len(pictures.pixels), (recipe.batch,))
        real = pictures.pixels[chosen].float() / 127.5 - 1.0
        real_worlds = F.one_hot(pictures.labels[chosen], len(WORLDS)).float()
        worlds = F.one_hot(torch.randint(len(WORLDS), (recipe.batch,)), len(WORLDS)).float()

        critic.zero_grad()
        of_real = critic(real, real_worlds)
        error_real = score(of_real, real_label)
        error_real.backward()
        noise = torch.rand(recipe.batch, noise_of(recipe.size))
        fake = maker(torch.randn(recipe.batch, LATENT), worlds, noise)
        of_fake = critic(fake.detach(), worlds)
        error_fake = score(of_fake, fake_label)
        error_fake.backward()
        adam_critic.step()

        maker.zero_grad()
        again = critic(fake, worlds)
        error = score(again, real_label)
        error.backward()
        adam_maker.step()
        for value in (error_real + error_fake, error, of_real.mean(), of_fake.mean(), again.mean()):
            value.item()

    return step


def _contiguous(step: Step) -> Step:
    def plainly() -> None:
        with Contiguous():
            step()

    return plainly


@dataclass
class Rates:
    """Of one loop, a value a round: images a second of the clock, and a second of this process's CPU time."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def measure(arguments: argparse.Namespace) -> dict[str, Rates]:
    """The rates of each loop; all in turn, so that a noisy neighbour disturbs all."""
    torch.manual_seed(0)
    recipe = Recipe(size=64, batch=arguments.batch, augment=_AUGMENT)
    pictures = some_pictures(recipe.size)
    steps = {
        "ours": our_step(recipe, pictures, half=has_native_bfloat16(torch.device("cpu"))),
        "ours in float32": our_step(recipe, pictures, half=False),
        "plain": plain_step(recipe, pictures),
        "plain, contiguous": _contiguous(plain_step(recipe, pictures)),
    }
    found = {name: Rates() for name in steps}
    images = arguments.steps * recipe.batch
    for turn in range(arguments.rounds + 1):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(arguments.steps):
                step()
            if turn > 0:  # the first round compiles kernels and fills caches
                found[name].wall.append(images / (time.perf_counter() - wall))
                found[name].cpu.append(images / (time.process_time() - cpu))
    return found


def told(found: dict[str, Rates]) -> dict[str, float]:
    """The medians, and ours in times the faster plain loop; on a busy machine that of CPU is firmer."""
    figures = {}
    for name, rates in found.items():
        figures[f"{name}: images/s"] = statistics.median(rates.wall)
        figures[f"{name}: images/s of CPU"] = statistics.median(rates.cpu)
    for name, clock in (("ratio", "wall"), ("ratio of CPU", "cpu")):
        ours = getattr(found["ours"], clock)
        plain = max(
            (getattr(found[plain], clock) for plain in ("plain", "plain, contiguous")), key=statistics.median
        )
        figures[name] = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    return figures
