"""One training run of StyleGAN2-ADA: both networks, their optimisers, one step, all that a checkpoint holds.

Karras et al. 2020a (the losses and how rarely the penalties are taken) and 2020b (the augmentations). A step
is up to four: the generator, its path length every few steps, the discriminator, R1 every few steps; each
with latents of its own. Every number drawn depends on the seed and the step alone, so a checkpoint needs no
random generator's state and a resumed run goes on as it would have, on one thread of a CPU to the last bit;
and several processes draw together what one would, so that their number changes nothing but rounding, as long
as the share of each is even and made of whole groups of the minibatch's deviation.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engines.seeds import generator as draws
from engines.stylegan.model import Discriminator, Generator, Noise
from engines.torch_device import channels_last
from training import checkpoints
from training.stylegan import processes
from training.stylegan.ada import Controller
from training.stylegan.augment import augment
from training.stylegan.augment_draws import PIPES, Random, draw
from training.stylegan.batches import Batches
from training.stylegan.dataset import Pictures
from training.stylegan.losses import made_enough, mixed, path_lengths, real_enough, squared_slopes
from training.stylegan.recipes import Recipe

#: What another network can give.
NETWORKS = ("generator", "discriminator", "average")
_PARTS = (*NETWORKS, "generator_adam", "discriminator_adam")
#: Where a run ends does not decide how it goes.
_FREE = {"kimg"}


class Training:
    """A run in progress. `step()` until satisfied."""

    def __init__(
        self,
        recipe: Recipe,
        pictures: Pictures,
        device: torch.device,
        *,
        low_precision: torch.dtype | None = None,
        threads: int = 2,
    ) -> None:
        """`low_precision`: of the finest blocks; weights, losses and statistics stay float32.

        `threads` decode pictures. Raises ValueError when the pictures are not what the recipe is for, and
        when processes or groups do not divide the batch.
        """
        wanted = (recipe.generator.img_resolution, recipe.generator.img_channels, recipe.generator.c_dim)
        found = (pictures.side, pictures.channels, pictures.label_size)
        if wanted != found:
            raise ValueError(f"the recipe is for (side, channels, label) {wanted}; the pictures have {found}")
        self._rank, self._processes = processes.rank(), processes.count()
        _check_batch(recipe, self._processes)
        self.recipe, self.device, self.low_precision = recipe, device, low_precision
        self._pictures = pictures
        torch.manual_seed(recipe.seed)
        self.generator = channels_last(Generator(recipe.generator).to(device)).train()
        self.discriminator = channels_last(Discriminator(recipe.discriminator).to(device)).train()
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        interval = recipe.path_length_interval if recipe.path_length else None
        self.generator_adam = _adam(self.generator, recipe.learning_rate, interval)
        interval = recipe.r1_interval if recipe.gamma else None
        self.discriminator_adam = _adam(self.discriminator, recipe.learning_rate, interval)
        self.control = Controller(recipe.augment_p, recipe.augment_target, recipe.augment_kimg)
        #: The running mean of the path length.
        self.path_mean = torch.zeros((), device=device)
        self.steps = 0
        self._batches = Batches(
            pictures,
            recipe.batch,
            recipe.seed,
            rank=self._rank,
            processes=self._processes,
            threads=threads,
        )

    @property
    def images(self) -> int:
        """Real pictures shown so far."""
        return self.steps * self.recipe.batch

    def step(self) -> dict[str, float]:
        """Train both networks on one batch. Returns losses and scores, means over all processes, for the log.

        Raises BadDataset when a picture cannot be read.
        """
        recipe = self.recipe
        pixels, labels = self._batches.at(self.steps)
        real = pixels.to(self.device).float() / 127.5 - 1.0
        labels = labels.to(self.device)
        found = {"loss/generator": self._train_generator()}
        if recipe.path_length and self.steps % recipe.path_length_interval == 0:
            found |= self._shorten_paths()
        found |= self._train_discriminator(real, labels)
        if recipe.gamma and self.steps % recipe.r1_interval == 0:
            found["loss/r1"] = self._flatten_slopes(real, labels)
        self.steps += 1
        self._follow()
        # One copy from the device for all numbers.
        values = processes.averaged(torch.stack([value.detach().float() for value in found.values()]))
        numbers = dict(zip(found, values.tolist(), strict=True))
        if recipe.augment is not None:
            self.control.observe(numbers["sign/real"], recipe.batch)
        return numbers | {"augment": self.control.p}

    def close(self) -> None:
        """End the threads that decode pictures."""
        self._batches.close()

    # --- the four steps -----------------------------------------------------------------------------

    def _train_generator(self) -> Tensor:
        self._only(self.generator)
        ws, labels = self._ws("generator", self.recipe.batch)
        made = self._made(ws, "generator")
        loss = real_enough(self._scores(self._augmented(made, "generator"), labels))
        torch.autograd.backward(loss)
        self._descend(self.generator_adam, self.generator)
        return loss

    def _shorten_paths(self) -> dict[str, Tensor]:
        """With half of a batch, as it takes twice the memory (Karras et al. 2020a, appendix B)."""
        self._only(self.generator)
        recipe = self.recipe
        count = max(recipe.batch // 2 // self._processes, 1) * self._processes
        ws, _ = self._ws("path", count)
        made = self._made(ws, "path")
        whole = (count, *made.shape[1:])
        noise = torch.randn(whole, generator=self._device_draws("path/direction"), device=self.device)
        lengths = path_lengths(made, ws, self._share(noise))
        mean = processes.averaged(lengths.detach().mean())
        self.path_mean.lerp_(mean.to(self.path_mean), recipe.path_length_decay)
        penalty = (lengths - self.path_mean).square().mean()
        torch.autograd.backward(penalty * (recipe.path_length * recipe.path_length_interval))
        self._descend(self.generator_adam, self.generator)
        return {"loss/path": penalty, "path": mean}

    def _train_discriminator(self, real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        self._only(self.discriminator)
        with torch.no_grad():
            ws, made_labels = self._ws("discriminator", self.recipe.batch)
            made = self._made(ws, "discriminator")
        made_scores = self._scores(self._augmented(made, "made"), made_labels)
        made_loss = made_enough(made_scores)
        torch.autograd.backward(made_loss)
        real_scores = self._scores(self._augmented(real, "real"), labels)
        real_loss = real_enough(real_scores)
        torch.autograd.backward(real_loss)
        self._descend(self.discriminator_adam, self.discriminator)
        return {
            "loss/discriminator": made_loss + real_loss,
            "score/real": real_scores.mean(),
            "score/made": made_scores.mean(),
            "sign/real": real_scores.sign().mean(),
        }

    def _flatten_slopes(self, real: Tensor, labels: Tensor) -> Tensor:
        """R1, at the pictures as they are before they are augmented."""
        self._only(self.discriminator)
        real = real.detach().requires_grad_(True)
        scores = self._scores(self._augmented(real, "r1"), labels)
        penalty = squared_slopes(scores, real).mean() * (0.5 * self.recipe.gamma)
        torch.autograd.backward(penalty * self.recipe.r1_interval)
        self._descend(self.discriminator_adam, self.discriminator)
        return penalty

    def _only(self, trained: nn.Module) -> None:
        """Let gradients reach the weights of one network alone."""
        for network in (self.generator, self.discriminator):
            network.requires_grad_(network is trained)

    @staticmethod
    def _descend(adam: torch.optim.Optimizer, network: nn.Module) -> None:
        processes.share_gradients(list(network.parameters()))
        adam.step()
        adam.zero_grad(set_to_none=True)

    # --- what is drawn ------------------------------------------------------------------------------

    def _draws(self, purpose: str) -> torch.Generator:
        return draws(self.recipe.seed, purpose, iteration=self.steps)

    def _device_draws(self, purpose: str) -> torch.Generator:
        """The same on the device, for what is too much to be copied there."""
        return torch.Generator(self.device).manual_seed(self._draws(purpose).initial_seed())

    def _share(self, whole: Tensor) -> Tensor:
        """This process's part of what was drawn for all."""
        return whole[self._rank :: self._processes]

    def _ws(self, purpose: str, count: int) -> tuple[Tensor, Tensor]:
        """ws of this process's part of `count` pictures, some of them mixed, and their labels.

        Labels are those of pictures drawn from the dataset.
        """
        config, random = self.recipe.generator, self._draws(purpose)
        z = torch.randn(count, 2, config.z_dim, generator=random)
        chosen = torch.randint(len(self._pictures), (count,), generator=random)
        first = torch.randint(1, config.num_ws(), (count,), generator=random)
        mixes = torch.rand(count, generator=random) < self.recipe.style_mixing
        first = torch.where(mixes, first, config.num_ws())
        labels = torch.stack([self._pictures.label(index) for index in self._share(chosen).tolist()])
        z, first, labels = (part.to(self.device) for part in (self._share(z), self._share(first), labels))
        ws = self.generator.mapping(z[:, 0], labels, update_w_avg=True)
        if self.recipe.style_mixing:
            ws = mixed(ws, self.generator.mapping(z[:, 1], labels), first)
        return ws, labels

    def _noise(self, purpose: str, count: int) -> Noise:
        """For this process's part of `count` pictures."""
        if not self.recipe.generator.use_noise:
            return "none"
        random = self._device_draws(f"{purpose}/noise")
        sides = [
            convolution.resolution
            for block in self.generator.synthesis.blocks
            for convolution in block.convolutions
        ]
        whole = (torch.randn(count, 1, side, side, generator=random, device=self.device) for side in sides)
        return [self._share(one) for one in whole]

    def _made(self, ws: Tensor, purpose: str) -> Tensor:
        """(B, num_ws, w_dim) -> (B, C, R, R)."""
        noise = self._noise(purpose, len(ws) * self._processes)
        made: Tensor = self.generator.synthesis(ws, noise, low_precision=self.low_precision)
        return made

    def _scores(self, pictures: Tensor, labels: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(pictures, labels, low_precision=self.low_precision)
        return scores

    def _augmented(self, pictures: Tensor, purpose: str) -> Tensor:
        """This process's part of a batch, through the augmentations."""
        if self.recipe.augment is None or self.control.p == 0.0:
            return pictures
        purpose = f"{purpose}/augment"
        source, side = Random(self._draws(purpose)), pictures.shape[-1]
        p = min(self.control.p, 1.0)
        whole = draw(PIPES[self.recipe.augment], p, len(pictures) * self._processes, side, source)
        grain = None
        if "noise" in PIPES[self.recipe.augment]:
            shape = (len(whole), *pictures.shape[1:])
            generator = self._device_draws(f"{purpose}/noise")
            grain = self._share(torch.randn(shape, generator=generator, device=self.device))
        return augment(pictures, whole.part(self._rank, self._processes), grain)

    # --- the average --------------------------------------------------------------------------------

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the generator; what is not trained is copied."""
        if self.generator.mapping.w_avg_beta is not None:
            mean = self.generator.mapping.w_avg
            mean.copy_(processes.averaged(mean))
        keep = self.recipe.average_keeps(self.images)
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1.0 - keep)
        for ours, theirs in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            ours.copy_(theirs)

    # --- to and from files --------------------------------------------------------------------------

    def adopt(self, networks: Mapping[str, Mapping[str, Tensor]]) -> list[str]:
        """Begin with the weights of others, as far as they fit; all else stays as a new run has it.

        `networks`: tensors by the names of `NETWORKS` and official names. Of a generator and its average, one
        does for both. Returns the names of what was not found there, or had another shape.
        """
        missing = []
        for name in NETWORKS:
            given = networks.get(name)
            if given is None and name != "discriminator":
                given = networks.get("average" if name == "generator" else "generator")
            missing += [f"{name}.{key}" for key in checkpoints.adopt(getattr(self, name), given or {})]
        return missing

    def save(self, path: Path, **more: Any) -> None:
        """Write everything to `path`, in one move. `more` must be plain numbers, strings and lists."""
        checkpoints.write(
            path,
            self.recipe.model_dump(mode="json"),
            steps=self.steps,
            control=self.control.state(),
            path_mean=self.path_mean,
            more=more,
            **{name: getattr(self, name).state_dict() for name in _PARTS},
        )

    def restore(self, path: Path) -> dict[str, Any]:
        """Continue from a checkpoint; returns what `save` was given as `more`.

        The number of processes may be another. Raises ValueError when it belongs to another recipe.
        """
        state = checkpoints.read(path, self.recipe.model_dump(mode="json"), self.device, _FREE)
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        self.steps = int(state["steps"])
        self.control.restore(state["control"])
        self.path_mean.copy_(state["path_mean"])
        more: dict[str, Any] = state["more"]
        return more


def _check_batch(recipe: Recipe, count: int) -> None:
    if recipe.batch % count:
        raise ValueError(f"a batch of {recipe.batch} cannot be divided among {count} processes")
    share = recipe.batch // count
    group = min(recipe.discriminator.mbstd_group_size or share, share)
    if share % group:
        raise ValueError(
            f"{share} pictures a process cannot be divided into groups of {group}; choose another batch"
        )


def _adam(network: nn.Module, rate: float, interval: int | None) -> torch.optim.Adam:
    """Adam, for one step more in every `interval` (Karras et al. 2020a, appendix B); None: no penalty."""
    share = 1.0 if interval is None else interval / (interval + 1.0)
    return torch.optim.Adam(
        network.parameters(), rate * share, betas=(0.0, 0.99**share), eps=1e-8, fused=True
    )
