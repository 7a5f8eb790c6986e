"""Measure neural_style: patch transport at several sizes, and one step of the VGG-19 optimisation.

    python scripts/bench/neural_style.py                 both parts, a few minutes
    python scripts/bench/neural_style.py --full          also 1536 x 2048
    python scripts/bench/neural_style.py --part gatys    the optimisation step alone

The step is compared with two others, written plainly here: the closure of the PyTorch tutorial on neural
transfer, and a Wasserstein step as in crowsonkb/style-transfer-pytorch. All run interleaved in one process on
the same random VGG-19, so that a busy machine slows all of them alike; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

# Threads that wait must not spin: on a machine that others use too, spinning is most of the time measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.neural_style import gatys, patches
from engines.neural_style.model import VGG19
from engines.neural_style.patches import Recipe, transport
from engines.torch_device import choose_device, device_label, has_native_bfloat16

SIZES = [(192, 256), (384, 512), (768, 1024)]
FULL = (1536, 2048)
ITERATIONS = (8, 12)
#: Seconds of the recipe's first implementation on 2 shared Zen 4 cores: (size, iterations) -> (wall, CPU).
REFERENCE = {
    ((192, 256), 8): ("2.3-3.4", "4-6"),
    ((192, 256), 12): ("3.1", "6.1"),
    ((384, 512), 8): ("6.6-12", "12-17"),
    ((384, 512), 12): ("6.8-10.7", "13-20"),
    ((768, 1024), 8): ("37-50", "64-72"),
    ((768, 1024), 12): ("52", "94"),
    ((1536, 2048), 8): ("171", "315"),
}
TARGETS = {"tutorial, truncated": 2.2, "Wasserstein": 3.0}


def picture(height: int, width: int, seed: int) -> Tensor:
    """(3, H, W): noise at several scales, so that there are flat areas, edges and texture everywhere."""
    draw = torch.Generator().manual_seed(seed)
    total = torch.zeros(3, height, width)
    for octave in range(6):
        grid = torch.rand(1, 3, 3 * 2**octave, 4 * 2**octave, generator=draw)
        total += F.interpolate(grid, (height, width), mode="bicubic")[0] / 2 ** (octave / 2)
    low, high = total.amin((1, 2), keepdim=True), total.amax((1, 2), keepdim=True)
    return (total - low) / (high - low)


# ---- patches ---------------------------------------------------------------------------------------------


def one_patch_run(height: int, width: int, iterations: int) -> None:
    """A single run, in a process of its own so that its peak memory is its own."""
    device = choose_device()
    content, style = picture(height, width, 1).to(device), picture(height, width, 2).to(device)
    tile = patches.GPU_TILE if device.type == "cuda" else patches.TILE
    wall, cpu = time.perf_counter(), time.process_time()
    transport(content, [style], [1.0], Recipe(0.5, iterations), 1, tile=tile).cpu()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{wall:.2f} {cpu:.2f} {peak:.0f}")


def patch_table(sizes: list[tuple[int, int]], repeats: int) -> None:
    print("| px | iterations | wall s | CPU s | peak MB | reference wall s | reference CPU s |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        for iterations in ITERATIONS:
            runs = []
            for _ in range(repeats if size != FULL else 1):
                command = [sys.executable, __file__, "--one", *map(str, (*size, iterations))]
                answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                runs.append([float(number) for number in answer.split()])
            wall, cpu, peak = (min(run[column] for run in runs) for column in range(3))
            known = REFERENCE.get((size, iterations), ("-", "-"))
            label = f"{size[0]}x{size[1]}"
            row = (label, iterations, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}", *known)
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


# ---- one step of the optimisation ------------------------------------------------------------------------

STYLE_NAMES = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_NAME = "conv4_2"


class PlainVGG(nn.Module):
    """VGG-19 as most scripts run it: float32, NCHW, max pooling; activations by the layer's name."""

    def __init__(self, source: VGG19, whole: bool, gradients: bool) -> None:
        super().__init__()
        self.names = list(source.names)
        first, *others = (copy.deepcopy(layer) for layer in source.layers)
        first.padding = (1, 1)
        self.layers = nn.ModuleList([first, *others])
        if whole:  # the tutorial runs what the published model has: conv5_2 to conv5_4 too
            for number in (2, 3, 4):
                self.names.append(f"conv5_{number}")
                self.layers.append(nn.Conv2d(512, 512, 3, padding=1))
        for parameter in self.parameters():
            parameter.requires_grad_(gradients)
            parameter.data = parameter.data.contiguous()
        self.register_buffer("mean", source.get_buffer("mean").clone())
        self.register_buffer("deviation", source.get_buffer("deviation").clone())

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        x = (image - self.get_buffer("mean")) / self.get_buffer("deviation")
        found = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = layer(x)
            found[name] = x  # the tutorial compares before the ReLU
            x = F.relu(x)
            found[name.replace("conv", "relu")] = x
        return found


def tutorial_step(
    source: VGG19, content: Tensor, style: Tensor, whole: bool, gradients: bool
) -> Callable[[], None]:
    """The tutorial's closure: Gram matrices over C*H*W, mean squared errors, read out with item()."""
    network = PlainVGG(source, whole, gradients)

    def gram(features: Tensor) -> Tensor:
        _, channels, height, width = features.shape
        rows = features.view(channels, height * width)
        return torch.mm(rows, rows.t()).div(channels * height * width)

    with torch.no_grad():
        goal = network(content)[CONTENT_NAME]
        features = network(style)
        wanted = {name: gram(features[name]) for name in STYLE_NAMES}
    image = content.clone().requires_grad_()

    def step() -> None:
        with torch.no_grad():
            image.clamp_(0, 1)
        image.grad = None
        found = network(image)
        loss = F.mse_loss(found[CONTENT_NAME], goal)
        for name in STYLE_NAMES:
            loss = loss + 1e6 * F.mse_loss(gram(found[name]), wanted[name])
        loss.backward()
        loss.item()

    return step


class MatrixRoot(torch.autograd.Function):
    """Square root of a symmetric matrix: 12 Newton-Schulz steps, its gradient from the Lyapunov equation."""

    @staticmethod
    def forward(ctx: object, matrix: Tensor) -> Tensor:
        scale = matrix.norm()
        identity = torch.eye(matrix.shape[0], device=matrix.device)
        root, inverse = matrix / scale, identity
        for _ in range(12):
            correction = 1.5 * identity - 0.5 * inverse @ root
            root, inverse = root @ correction, correction @ inverse
        root = root * scale.sqrt()
        ctx.save_for_backward(root)  # type: ignore[attr-defined]
        return root

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors  # type: ignore[attr-defined]
        scale = root.norm()
        identity = torch.eye(root.shape[0], device=root.device)
        a, q = root / scale, gradients[0] / scale
        for _ in range(12):
            correction = 3 * identity - a @ a
            q = 0.5 * (q @ correction - a @ (a @ q - q @ a))
            a = 0.5 * a @ correction
        return 0.5 * q


def wasserstein_step(source: VGG19, content: Tensor, style: Tensor) -> Callable[[], None]:
    """Adam on Gaussian Wasserstein distances of the activations, total variation, an averaged iterate."""
    network = PlainVGG(source, whole=False, gradients=False)
    names = [name.replace("conv", "relu") for name in STYLE_NAMES]
    weights = [weight / 341 for weight in (256, 64, 16, 4, 1)]

    def moments(features: Tensor) -> tuple[Tensor, Tensor]:
        rows = features.flatten(2)[0]  # (C, H*W)
        mean = rows.mean(1)
        covariance = rows @ rows.T / rows.shape[1] - torch.outer(mean, mean)
        return mean, covariance + 1e-4 * torch.eye(rows.shape[0], device=rows.device)

    with torch.no_grad():
        goal = network(content)["relu4_2"]
        features = network(style)
        wanted = [moments(features[name]) for name in names]
        roots = [MatrixRoot.apply(covariance) for _, covariance in wanted]
    image = content.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.02, betas=(0.9, 0.99))
    average = torch.zeros_like(content)

    def step() -> None:
        optimiser.zero_grad()
        found = network(image)
        loss = 0.015 * F.mse_loss(found["relu4_2"], goal)
        for name, weight, (mean, covariance), root in zip(names, weights, wanted, roots, strict=True):
            own_mean, own = moments(found[name])
            cross = MatrixRoot.apply(root @ own @ root)
            distance = (own_mean - mean).square().mean()
            distance = distance + torch.diagonal(own + covariance - 2 * cross).mean()
            loss = loss + weight * distance
        down, right = image[:, :, 1:] - image[:, :, :-1], image[..., 1:] - image[..., :-1]
        loss = loss + 2 * (down.square().mean() + right.square().mean())
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            image.clamp_(0, 1)
            average.mul_(0.99).add_(image, alpha=0.01)
        loss.item()

    return step


def our_step(source: VGG19, content: Tensor, style: Tensor, bfloat16: bool) -> Callable[[], None]:
    """What `Gatys.paint` does in every iteration."""
    optimiser = gatys.Gatys(copy.deepcopy(source), content.device, bfloat16)
    goal, grams = optimiser.content_features(content[0]), optimiser.style_grams(style[0])
    state = gatys._start(content[0])

    def step() -> None:
        _, gradient = optimiser.loss_and_gradient(state.image, goal, grams, 0.05)
        gatys._adam_step(state, gradient)

    return step


def step_table(side: int, repeats: int) -> None:
    torch.manual_seed(0)
    device = choose_device()
    source = VGG19()
    for layer in source.layers:
        nn.init.kaiming_normal_(layer.weight)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
    source.to(device)
    content, style = (picture(side, side, seed)[None].to(device) for seed in (1, 2))
    native = has_native_bfloat16(device)
    steps = {
        "ours, bfloat16": our_step(source, content, style, True),
        "ours, float32": our_step(source, content, style, False),
        "tutorial, truncated": tutorial_step(source, content, style, whole=False, gradients=False),
        "tutorial, whole network": tutorial_step(source, content, style, whole=True, gradients=False),
        "tutorial, weights require grad": tutorial_step(source, content, style, whole=True, gradients=True),
        "Wasserstein": wasserstein_step(source, content, style),
    }
    walls: dict[str, list[float]] = {name: [] for name in steps}
    cpus: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(repeats + 1):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if round_number > 0:  # the first round compiles kernels and fills caches
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
    ours = "ours, bfloat16" if native else "ours, float32"
    print(f"Native bfloat16: {'yes' if native else 'no'}; default here: {ours}.\n")
    print("| step | median s | min s | median CPU s | times ours (medians) | times ours (minima) |")
    print("|---|---|---|---|---|---|")
    base, base_low = statistics.median(walls[ours]), min(walls[ours])
    for name, values in walls.items():
        median, low = statistics.median(values), min(values)
        cpu = statistics.median(cpus[name])
        row = (
            name,
            f"{median:.3f}",
            f"{low:.3f}",
            f"{cpu:.3f}",
            f"{median / base:.2f}",
            f"{low / base_low:.2f}",
        )
        print("| " + " | ".join(row) + " |")
    if native and device.type == "cpu":
        print()
        for name, target in TARGETS.items():
            ratio = statistics.median(walls[name]) / base
            print(f"Target, against {name}: {target}x; measured {ratio:.2f}x.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=("patches", "gatys", "both"), default="both")
    parser.add_argument("--full", action="store_true", help="patches also at 1536 x 2048")
    parser.add_argument("--side", type=int, default=512, help="side of the square picture of a step")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of the step comparison")
    parser.add_argument("--patch-repeats", type=int, default=1, help="runs per size; the fastest is shown")
    parser.add_argument("--one", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_patch_run(*options.one)
        return
    label = device_label(choose_device())
    print(f"torch {torch.__version__}, {label}, {torch.get_num_threads()} threads, {platform.machine()}\n")
    if options.part in ("patches", "both"):
        print("## Balanced patch transport\n")
        patch_table([*SIZES, FULL] if options.full else SIZES, options.patch_repeats)
        print()
    if options.part in ("gatys", "both"):
        print(f"## One optimisation step, {options.side} x {options.side}\n")
        step_table(options.side, options.repeats)


if __name__ == "__main__":
    main()
