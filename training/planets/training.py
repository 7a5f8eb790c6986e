"""One training run of a planet generator: the nets, the optimisers, one step, all that a checkpoint holds.

The non-saturating loss (Goodfellow et al. 2014) with R1 on real pictures (Mescheder et al. 2018), every
sixteenth step and so much stronger (Karras et al. 2020), Adam, an exponential moving average of the generator
(Karras et al. 2018), and one forward pass of the generator a step: the same fakes serve both nets, each time
through fresh augmentations. Every number drawn depends on the seed and the step alone, so a checkpoint
needs no random generator's state and a resumed run goes on exactly as it would have.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.planets.model import Discriminator, Generator
from engines.seeds import generator as draws
from engines.torch_device import channels_last
from engines.worlds import WORLDS
from training import checkpoints
from training.planets.augment import Augment
from training.planets.codes import drawn
from training.planets.data import Pictures

#: Batches over which the batch norm's statistics are taken for the averaged generator.
_STANDING = 32
#: Steps from one gradient penalty to the next.
PENALTY_EVERY = 16


@dataclass(frozen=True)
class Recipe:
    """What decides the result, together with the data and the number of steps."""

    size: int = 64
    variant: str = "v1"
    seed: int = 1
    batch: int = 32
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    #: Weight of R1.
    gamma: float = 0.5
    #: Pictures in which the average forgets half.
    average_kimg: float = 5.0
    #: A fixed augmentation probability; None: it follows the discriminator.
    augment: float | None = None


class Training:
    """A run in progress. `step()` until satisfied."""

    def __init__(self, recipe: Recipe, pictures: Pictures, device: torch.device, half: bool) -> None:
        """`half`: convolutions in bfloat16 (weights, losses and statistics stay float32)."""
        if pictures.pixels.shape[-1] != recipe.size:
            raise ValueError(f"pictures of {pictures.pixels.shape[-1]} pixels for a net of {recipe.size}")
        self.recipe, self.device, self.half = recipe, device, half
        torch.manual_seed(recipe.seed)
        self.generator = channels_last(Generator(recipe.size, recipe.variant).to(device))
        self.discriminator = channels_last(Discriminator(recipe.size, recipe.variant).to(device))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.augment = Augment(recipe.augment or 0.0, fixed=recipe.augment is not None)
        fused = {"fused": True}
        self.generator_adam = torch.optim.Adam(
            self.generator.parameters(), recipe.generator_rate, betas=(0.0, 0.99), **fused
        )
        self.discriminator_adam = torch.optim.Adam(
            self.discriminator.parameters(), recipe.discriminator_rate, betas=(0.0, 0.99), **fused
        )
        self.steps = 0
        self._pixels = pictures.pixels.to(device)
        self._labels = pictures.labels
        self._by_world = [torch.nonzero(pictures.labels == world).flatten() for world in range(len(WORLDS))]

    @property
    def images(self) -> int:
        """Real pictures shown so far."""
        return self.steps * self.recipe.batch

    def step(self) -> dict[str, float]:
        """Train both nets on one batch. Returns the losses and scores, for the log."""
        draw = draws(self.recipe.seed, "step", iteration=self.steps)
        real, real_worlds = self._real(draw)
        codes = self.sample(self.recipe.batch, draw)
        worlds = codes[1]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            fake = self.generator(*codes)

        self.discriminator.requires_grad_(True)
        seen = torch.cat([self.augment(real, draw), self.augment(fake.detach(), draw)])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            real_score, fake_score = self.discriminator(seen, torch.cat([real_worlds, worlds])).chunk(2)
        critic_loss = F.softplus(-real_score).mean() + F.softplus(fake_score).mean()
        self.discriminator_adam.zero_grad(set_to_none=True)
        torch.autograd.backward(critic_loss)
        if self.steps % PENALTY_EVERY == 0:
            torch.autograd.backward(self._penalty(seen[: len(real)], real_worlds))
        self.discriminator_adam.step()
        self.augment.observe(real_score)

        self.discriminator.requires_grad_(False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            score = self.discriminator(self.augment(fake, draw), worlds)
        loss = F.softplus(-score).mean()
        self.generator_adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.generator_adam.step()

        self.steps += 1
        self._follow()
        return {
            "loss/discriminator": critic_loss.item(),
            "loss/generator": loss.item(),
            "score/real": real_score.mean().item(),
            "score/fake": fake_score.mean().item(),
            "augment": self.augment.p,
        }

    def _penalty(self, real: Tensor, worlds: Tensor) -> Tensor:
        """R1: how steep the discriminator is at real pictures."""
        real = real.detach().requires_grad_(True)
        score = self.discriminator(real, worlds).sum()
        (slope,) = torch.autograd.grad(score, real, create_graph=True)
        return slope.square().sum((1, 2, 3)).mean() * (0.5 * self.recipe.gamma * PENALTY_EVERY)

    def _real(self, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch of real pictures, worlds equally often, half of them mirrored: that is a planet too."""
        count = self.recipe.batch
        worlds = torch.randint(len(WORLDS), (count,), generator=draw)
        place = torch.rand(count, generator=draw)
        rows = [self._by_world[world] for world in worlds.tolist()]
        index = torch.stack([row[int(at * len(row))] for row, at in zip(rows, place.tolist(), strict=True)])
        real = self._pixels[index.to(self.device)].float() / 127.5 - 1.0
        mirrored = (torch.rand(count, generator=draw) < 0.5).to(self.device)
        real = torch.where(mirrored[:, None, None, None], real.flip(3), real)
        return real, F.one_hot(worlds, len(WORLDS)).float().to(self.device)

    def sample(self, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Latents (B, 128), worlds (B, 12), each equally likely, and noise (B, noise_of(S))."""
        z, worlds, noise = drawn(count, self.recipe.size, draw)
        return z.to(self.device), worlds.to(self.device), noise.to(self.device)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the generator; early on faster, or it would start from noise."""
        keep = min(
            0.5 ** (self.recipe.batch / (self.recipe.average_kimg * 1000.0)), self.steps / (self.steps + 10.0)
        )
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1.0 - keep)

    def finished(self) -> Generator:
        """The averaged generator in its final form: with the statistics its own activations have.

        The average's weights never ran, so the running statistics of training are not theirs ("standing
        statistics", Brock et al. 2019).
        """
        model = copy.deepcopy(self.average)
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over all batches
        model.train()
        with torch.no_grad():
            for batch in range(_STANDING):
                model(*self.sample(self.recipe.batch, draws(self.recipe.seed, "standing", iteration=batch)))
        for norm in norms:
            norm.momentum = 0.1
        return model.eval()

    def grow_from(self, path: Path) -> None:
        """Start with what the checkpoint of a smaller net learnt; the new layers start from noise.

        Layers belong to a resolution, so all fit but those at the picture's end (Karras et al. 2018, without
        fading them in). Raises ValueError when it is not a smaller net of the same variant.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        small = Recipe(**state["recipe"])
        if small.variant != self.recipe.variant or small.size >= self.recipe.size:
            raise ValueError(
                f"{path} holds a net of {small.size} px {small.variant}, which cannot grow into this"
            )
        levels = (self.recipe.size // small.size).bit_length() - 1
        for name in ("generator", "average"):
            checkpoints.adopt(getattr(self, name), state[name])
        critic = {}
        for key, tensor in state["discriminator"].items():
            part, _, rest = key.partition(".")
            number, _, rest = rest.partition(".") if part == "down" else ("", "", rest)
            critic[f"down.{int(number) + levels}.{rest}" if number else key] = tensor
        checkpoints.adopt(self.discriminator, critic)

    def save(self, path: Path, **more: Any) -> None:
        """Write everything to `path`, in one move. `more` must be plain numbers, strings and lists."""
        checkpoints.write(
            path,
            asdict(self.recipe),
            steps=self.steps,
            augment=self.augment.state(),
            more=more,
            **{name: getattr(self, name).state_dict() for name in _PARTS},
        )

    def restore(self, path: Path) -> dict[str, Any]:
        """Continue from a checkpoint; returns what `save` was given as `more`.

        Raises ValueError when it belongs to another recipe.
        """
        state = checkpoints.read(path, asdict(self.recipe), self.device)
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps = int(state["steps"])
        self.augment.restore(state["augment"])
        more: dict[str, Any] = state["more"]
        return more


_PARTS = ("generator", "discriminator", "average", "generator_adam", "discriminator_adam")
