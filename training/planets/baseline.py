"""The recipe we compare with: the small DCGAN of the Planet Generator as it was published, in PyTorch.

One unconditional net for all worlds at once. Generator: 100 normal numbers -> dense to (S/4)^2 x 256, batch
norm, LeakyReLU(0.3); transposed 5x5 convolutions to 128 and 64 (strides 1 and 2), each with batch norm and
LeakyReLU(0.3); one to 3 (stride 2), tanh. Discriminator: 5x5 convolutions of stride 2 to 64 and 128, each
with LeakyReLU(0.3) and dropout 0.3; dense to one. Binary cross-entropy with 0.9 for what is real; Adam with
beta1 0.5, 0.001 for the discriminator and 0.003 for the generator; both step at once, from the same fakes.
The initial weights, batch norm's momentum and Adam's epsilon are Keras's, with which the source was made.
No augmentation.

Only the arithmetic is ours, that of our own training: bf16 where the device has it, and channels_last.
Reads what `prepare.py` made. Ended by its minutes, Ctrl-C or SIGTERM; run again with the same --out it goes
on.

    python -m training.planets.baseline DATA --minutes 60 --threads 2 --seed 1 --out runs/baseline
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.seeds import generator as random_for
from engines.torch_device import channels_last, choose_device, has_native_bfloat16
from engines.worlds import WORLDS
from training.planets import figures
from training.planets.data import load

LATENT = 100
BATCH = 32
#: What the discriminator is to say of a real picture.
REAL = 0.9
CHECKPOINT = "checkpoint.safetensors"

_SLOPE = 0.3
#: Keras's momentum of 0.99 is what PyTorch calls 0.01.
_EPSILON, _MOMENTUM = 1e-3, 0.01
_SHOWN = 64


class PublishedGenerator(nn.Module):
    """100 normal numbers -> a picture on black."""

    def __init__(self, size: int) -> None:
        """`size` is a multiple of 4. Raises ValueError for another."""
        super().__init__()
        if size % 4 or size <= 0:
            raise ValueError(f"the published net makes multiples of 4 pixels, not {size}")
        self.size = size
        self.dense = nn.Linear(LATENT, (size // 4) ** 2 * 256, bias=False)
        self.norm = nn.BatchNorm1d((size // 4) ** 2 * 256, _EPSILON, _MOMENTUM)
        widths, strides = (256, 128, 64, 3), (1, 2, 2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 5, stride=stride, padding=2, output_padding=stride - 1, bias=False)
            for a, b, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, _EPSILON, _MOMENTUM) for width in widths[1:3])
        _as_keras(self)

    def forward(self, z: Tensor) -> Tensor:
        """(B, 100) -> (B, 3, S, S) float32 in [-1, 1]."""
        with torch.autocast(z.device.type, enabled=False):
            # Few numbers through many weights: to round those took longer than to multiply by them.
            x = F.leaky_relu(self.norm(self.dense(z)), _SLOPE)
        side = self.size // 4
        x = x.view(-1, side, side, 256).permute(0, 3, 1, 2)  # Keras's order, which is channels_last
        for convolution, norm in zip(self.up, self.norms, strict=False):
            x = F.leaky_relu(norm(convolution(x)), _SLOPE)
        return torch.tanh(self.up[-1](x).float())


class PublishedDiscriminator(nn.Module):
    """A picture -> how real it is, as a logit."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(a, b, 5, stride=2, padding=2) for a, b in ((3, 64), (64, 128)))
        self.score = nn.Linear(128 * (-(-size // 4)) ** 2, 1)
        _as_keras(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) in [-1, 1] -> (B,) float32."""
        for convolution in self.down:
            x = F.leaky_relu(convolution(x), _SLOPE)
            x = _dropout(x) if self.training else x
        score: Tensor = self.score(x.flatten(1))
        return score.squeeze(1).float()


def _dropout(x: Tensor) -> Tensor:
    """Dropout of 77 in 256, a byte drawn a value: PyTorch's own drew for a fifth of the step."""
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
    drawn = words.random_(-(2**63), None).view(torch.uint8)[: x.numel()]
    kept = (drawn >= 77).to(x.dtype).mul_(256 / (256 - 77))
    return x * kept.as_strided(x.shape, x.stride())  # in the order x lies in memory


def _as_keras(net: nn.Module) -> None:
    """Glorot's uniform weights and no biases (Glorot and Bengio 2010)."""
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@dataclass
class Losses:
    """Of one step."""

    generator: float
    discriminator: float


class Training:
    """Both nets and their optimisers; a step's random numbers depend on the seed and its number alone."""

    def __init__(self, pictures: Tensor, seed: int, device: torch.device, *, bf16: bool) -> None:
        """`pictures`: (N, 3, S, S) uint8 on black, at least a batch of them."""
        if len(pictures) < BATCH:
            raise ValueError(f"{len(pictures)} pictures are fewer than a batch of {BATCH}")
        self.pictures, self.seed, self.device, self.bf16 = pictures, seed, device, bf16
        self.size = pictures.shape[-1]
        torch.manual_seed(seed)
        self.generator = channels_last(PublishedGenerator(self.size).to(device))
        self.discriminator = channels_last(PublishedDiscriminator(self.size).to(device))
        self.adam = {
            "generator": _adam(self.generator, 0.003),
            "discriminator": _adam(self.discriminator, 0.001),
        }
        self.steps = 0
        #: Seconds spent on steps, in all runs together.
        self.seconds = 0.0

    def batch(self) -> Tensor:
        """The real pictures of this step, (32, 3, S, S) in [-1, 1]: each once an epoch, in a new order."""
        epoch, place = divmod(self.steps, len(self.pictures) // BATCH)
        order = torch.randperm(len(self.pictures), generator=random_for(self.seed, "epoch", epoch))
        chosen = self.pictures[order[place * BATCH : (place + 1) * BATCH]].to(self.device)
        return chosen.float().div(127.5).sub(1.0).contiguous(memory_format=torch.channels_last)

    def step(self) -> Losses:
        """One step of both nets."""
        chance = random_for(self.seed, "step", self.steps)
        z = torch.randn(BATCH, LATENT, generator=chance).to(self.device)
        torch.manual_seed(int(torch.randint(2**62, (), generator=chance)))  # of dropout
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            fake = self.generator(z)
            real_score, fake_score = self.discriminator(self.batch()), self.discriminator(fake)
        wanted = torch.ones_like(real_score)
        score = F.binary_cross_entropy_with_logits
        critic = score(real_score, REAL * wanted) + score(fake_score, torch.zeros_like(wanted))
        maker = score(fake_score, wanted)
        # Both gradients before either step: the published loop holds two tapes over the same pass.
        _set_gradients(critic, self.discriminator, keep=True)
        _set_gradients(maker, self.generator, keep=False)
        for optimiser in self.adam.values():
            optimiser.step()
        self.steps += 1
        return Losses(maker.item(), critic.item())

    def samples(self, count: int) -> Tensor:
        """The same latents at each call -> (count, 3, S, S) uint8."""
        return make(self.generator, count, self.seed)

    def save(self, file: Path, *, whole: bool = True) -> None:
        """All that `restore` needs, or the generator alone; who is killed meanwhile keeps the file before."""
        tensors: dict[str, Tensor] = {}
        for name, net in self._nets().items() if whole else [("generator", self.generator)]:
            tensors |= {f"{name}.{key}": value.contiguous() for key, value in net.state_dict().items()}
            for index, state in self.adam[name].state_dict()["state"].items() if whole else ():
                tensors |= {f"adam.{name}.{index}.{key}": v.contiguous() for key, v in state.items()}
        metadata = {
            "recipe": "published",
            "size": str(self.size),
            "seed": str(self.seed),
            "steps": str(self.steps),
            "seconds": str(self.seconds),
        }
        _write(file, tensors, metadata)

    def restore(self, file: Path) -> None:
        """Go on from there. Raises ValueError when it is of another size or seed."""
        tensors, metadata = _read(file)
        for name, wanted in (("size", self.size), ("seed", self.seed)):
            if metadata[name] != str(wanted):
                raise ValueError(f"{file} was trained with {name} {metadata[name]}, not {wanted}")
        for name, net in self._nets().items():
            net.load_state_dict(_below(tensors, f"{name}."))
            parameters = list(net.parameters())
            states: dict[int, dict[str, Tensor]] = {}
            for key, value in _below(tensors, f"adam.{name}.").items():
                index, _, field = key.partition(".")
                if value.ndim:
                    # In the weights' memory order, which a file does not keep: the fused step goes by it.
                    value = torch.empty_like(parameters[int(index)]).copy_(value)
                states.setdefault(int(index), {})[field] = value
            self.adam[name].load_state_dict(
                {"state": states, "param_groups": self.adam[name].state_dict()["param_groups"]}
            )
        self.steps, self.seconds = int(metadata["steps"]), float(metadata["seconds"])

    def _nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}


def _adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), lr=rate, betas=(0.5, 0.999), eps=1e-7, fused=True)


def _set_gradients(loss: Tensor, net: nn.Module, *, keep: bool) -> None:
    parameters = list(net.parameters())
    for parameter, gradient in zip(
        parameters, torch.autograd.grad(loss, parameters, retain_graph=keep), strict=True
    ):
        parameter.grad = gradient


@torch.inference_mode()
def make(net: PublishedGenerator, count: int, seed: int) -> Tensor:
    """Pictures of a trained net, (count, 3, S, S) uint8. In float32 and with the averages of batch norm."""
    device = next(net.parameters()).device
    was = net.training
    net.eval()
    z = torch.randn(count, LATENT, generator=random_for(seed, "samples"))
    made = torch.cat([net(part.to(device)).cpu() for part in torch.split(z, 128)])
    net.train(was)
    return made.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def load_generator(file: Path) -> PublishedGenerator:
    """The generator of a checkpoint. Raises ValueError when the file is not one."""
    tensors, metadata = _read(file)
    if metadata.get("recipe") != "published":
        raise ValueError(f"{file} is no checkpoint of the published recipe")
    net = PublishedGenerator(int(metadata["size"]))
    net.load_state_dict(_below(tensors, "generator."))
    return net.eval()


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _read(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safetensors.safe_open(file, framework="pt") as opened:
        metadata = dict(opened.metadata() or {})
    return safetensors.torch.load_file(file), metadata


def _write(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.unfinished")
    safetensors.torch.save_file(tensors, unfinished, metadata=metadata)
    os.replace(unfinished, file)


def run(training: Training, arguments: argparse.Namespace) -> None:
    """Steps until the time is over or somebody asks to stop; a line every ten seconds."""
    stop = False

    def asked(_number: int, _frame: object) -> None:
        nonlocal stop
        stop = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    limit = arguments.minutes * 60
    told = saved = training.seconds
    steps_told, next_snapshot = training.steps, _next(training.seconds, arguments.snapshot)
    while training.seconds < limit and not stop:
        began = time.perf_counter()
        losses = training.step()
        training.seconds += time.perf_counter() - began
        if not math.isfinite(losses.generator + losses.discriminator):
            raise SystemExit(f"step {training.steps}: the losses are no longer finite: {losses}")
        if training.seconds - told >= 10:
            rate = (training.steps - steps_told) * BATCH / (training.seconds - told)
            tell(training, losses, rate)
            told, steps_told = training.seconds, training.steps
        if training.seconds >= next_snapshot:
            keep(training, arguments.out, f"snapshot-{training.seconds / 60:06.1f}min", whole=False)
            next_snapshot = _next(training.seconds, arguments.snapshot)
        if training.seconds - saved >= arguments.save_seconds:
            keep(training, arguments.out, "checkpoint")
            saved = training.seconds
    keep(training, arguments.out, "checkpoint")
    print(json.dumps({"steps": training.steps, "seconds": round(training.seconds, 1), "stopped": stop}))


def _next(seconds: float, minutes: float) -> float:
    """When the next snapshot is due, in seconds of training."""
    return (seconds // (minutes * 60) + 1) * minutes * 60 if minutes else float("inf")


def tell(training: Training, losses: Losses, rate: float) -> None:
    """One line of what goes on."""
    minutes, epoch = training.seconds / 60, training.steps * BATCH / len(training.pictures)
    print(
        f"{minutes:6.1f} min  step {training.steps:6d}  epoch {epoch:7.1f}  {rate:6.0f} images/s  "
        f"loss of G {losses.generator:.3f}, of D {losses.discriminator:.3f}",
        flush=True,
    )


def keep(training: Training, folder: Path, name: str, *, whole: bool = True) -> None:
    """Save everything, or the generator alone, and a sheet of samples."""
    training.save(folder / f"{name}.safetensors", whole=whole)
    figures.grid(training.samples(_SHOWN), columns=8).save(folder / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder that prepare.py wrote")
    parser.add_argument("--size", type=int, default=64, help="pixels (default: %(default)s)")
    parser.add_argument("--minutes", type=float, required=True, help="of training, earlier runs counted")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="for the checkpoint and the samples")
    parser.add_argument(
        "--save-seconds", type=float, default=120, help="between saves (default: %(default)s)"
    )
    parser.add_argument(
        "--snapshot", type=float, default=0, help="keep a generator every so many minutes (default: none)"
    )
    parser.add_argument("--fp32", action="store_true", help="no bf16, whatever the device has")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pixels = load(arguments.data, arguments.size, WORLDS).pixels[:, :3].contiguous()
    device = choose_device()
    bf16 = has_native_bfloat16(device) and not arguments.fp32
    training = Training(pixels, arguments.seed, device, bf16=bf16)
    if (arguments.out / CHECKPOINT).is_file():
        training.restore(arguments.out / CHECKPOINT)
        print(f"goes on at step {training.steps}, {training.seconds / 60:.1f} min")
    run(training, arguments)


if __name__ == "__main__":
    main()
