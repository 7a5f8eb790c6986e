"""StyleGAN2's synthesis: pictures a second, ours against the straightforward way (stylegan_plain.py).

The papers' configurations with random weights, noise and biases that are not 0. Baseline, `exact` and, where
it differs, `fast` take turns in every round; medians count. On CUDA the baseline computes in float16.

    python scripts/bench/stylegan.py                          # 256 and 512 px, about 5 minutes
    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 python scripts/bench/stylegan.py
    python scripts/bench/stylegan.py --device cuda            # 256, 512 and 1024 px

The second line keeps glibc from giving memory back after every layer. Both sides gain by it: it belongs to
how a worker is started, and the ratio is to be measured both ways.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Threads that wait must not spin: on a machine that others use too, spinning is most of the time measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from torch import Tensor

from engines.stylegan.config import GeneratorConfig
from engines.stylegan.fast import FastSynthesis
from engines.stylegan.model import Generator
from engines.torch_device import device_label
from scripts.bench import stylegan_plain
from scripts.bench.servers import row

#: Times the baseline's rate that are to be reached, by side and batch.
CPU_EXACT = {(256, 1): 1.9, (256, 4): 2.5, (512, 1): 2.2, (512, 4): 2.7}
#: At batch 1, whatever the side.
CPU_FAST = 2.8
#: By batch, whatever the side.
CUDA_FAST = {1: 2.0, 32: 1.5}
#: The largest difference of `exact`, and the PSNR of `fast`.
DIFFERENCE, DECIBELS = 1e-4, 42.0

Draw = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Times:
    """Seconds of one call."""

    clock: float
    cpu: float


def generator_of(side: int, device: torch.device) -> Generator:
    """The papers' network of that side, with random numbers for all that training would have found."""
    torch.manual_seed(0)
    config = GeneratorConfig(
        c_dim=0, img_resolution=side, img_channels=3, channel_base=16_384 if side < 512 else 32_768
    )
    generator = Generator(config).eval().requires_grad_(False)
    for name, tensor in generator.named_parameters():
        if name.endswith("noise_strength"):
            tensor.fill_(0.1)
        elif name.endswith("bias"):
            tensor.add_(torch.randn_like(tensor) * 0.1)
    return generator.to(device)


def ways_of(generator: Generator, device: torch.device) -> dict[str, Draw]:
    """Baseline, exact and fast, by name; only the first where fast is the same as exact."""
    cuda = device.type == "cuda"
    dtype = torch.float16 if cuda else torch.float32
    exact, fast = FastSynthesis(generator), FastSynthesis(generator, "fast")
    ways: dict[str, Draw] = {
        "baseline": lambda ws: stylegan_plain.synthesise(generator, ws, dtype),
        "exact": exact,
    }
    return ways if fast.dtype == exact.dtype else ways | {"fast": fast}


def timed(draw: Draw, ws: Tensor, repeats: int) -> Times:
    """The mean of so many calls in a row."""
    wait = torch.cuda.synchronize if ws.is_cuda else lambda: None
    wait()
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        draw(ws)
    wait()
    return Times((time.perf_counter() - clock) / repeats, (time.process_time() - cpu) / repeats)


def measured(ways: dict[str, Draw], ws: Tensor, arguments: argparse.Namespace) -> dict[str, Times]:
    """The medians of all rounds but the first, which chooses algorithms and fills caches."""
    found: dict[str, list[Times]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):
        for name, draw in ways.items():
            times = timed(draw, ws, arguments.repeats)
            if turn > 0:
                found[name].append(times)
    return {
        name: Times(statistics.median(t.clock for t in all_), statistics.median(t.cpu for t in all_))
        for name, all_ in found.items()
    }


def errors(ways: dict[str, Draw], generator: Generator, ws: Tensor) -> dict[str, float]:
    """The largest difference of each way to the model, and the PSNR of what is shown of it, in -1..1."""
    with torch.inference_mode():
        model = generator.synthesis(ws)
        found = {}
        for name, draw in ways.items():
            drawn = draw(ws)
            found[f"{name}: difference"] = float((drawn - model).abs().max())
            error = (drawn.clamp(-1, 1) - model.clamp(-1, 1)).square().mean()
            found[f"{name}: PSNR"] = float(10 * torch.log10(4.0 / error.clamp_min(1e-20)))
    return found


def target_of(way: str, side: int, batch: int, device: torch.device) -> float | None:
    """How many times the baseline's rate is to be reached, where anything is."""
    if device.type == "cuda":
        return CUDA_FAST.get(batch) if way == "fast" else None
    if way == "exact":
        return CPU_EXACT.get((side, batch))
    return CPU_FAST if way == "fast" and batch == 1 else None


def told(what: str, value: str, target: float | None, reached: float, form: str) -> None:
    """A row of the table."""
    if target is None:
        row(what, value)
    else:
        row(what, value, form.format(target), reached >= target)


def size(side: int, device: torch.device, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of one side."""
    generator = generator_of(side, device)
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(max(arguments.batches), generator.config.z_dim, generator=draw).to(device)
    with torch.inference_mode():
        ws = generator.mapping(z)
    ways = ways_of(generator, device)
    figures: dict[str, Any] = errors(ways, generator, ws[:1])
    worst = figures["exact: difference"]
    row(f"{side} px, exact: largest difference", f"{worst:.1e}", f"<= {DIFFERENCE:g}", worst <= DIFFERENCE)
    if "fast" in ways:
        told(
            f"{side} px, fast",
            f"{figures['fast: PSNR']:.1f} dB",
            DECIBELS,
            figures["fast: PSNR"],
            ">= {:g} dB",
        )
    for batch in arguments.batches:
        times = measured(ways, ws[:batch], arguments)
        base = times["baseline"]
        for name, own in times.items():
            ratio, of_cpu = base.clock / own.clock, base.cpu / own.cpu
            figures[f"batch {batch}, {name}"] = {
                "images/s": batch / own.clock,
                "images/s of CPU": batch / own.cpu,
                "ratio": ratio,
                "ratio of CPU": of_cpu,
            }
            value = f"{batch / own.clock:.2f} images/s"
            if name != "baseline":
                value += f", {ratio:.2f}x" + (f" ({of_cpu:.2f}x by CPU time)" if device.type == "cpu" else "")
            target = target_of(name, side, batch, device)
            told(f"{side} px, batch {batch}, {name}", value, target, ratio, ">= {:g}x")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--device", default="cpu", help="cpu, cuda or cuda:1 (default: %(default)s)")
    add("--sizes", type=int, nargs="+", help="pixels a side (default: 256 512, on CUDA 1024 as well)")
    add("--batches", type=int, nargs="+", help="(default: 1 4, on CUDA 1 8 32)")
    add("--rounds", type=int, default=5, help="rounds; medians count (default: %(default)s)")
    add("--repeats", type=int, help="calls a round (default: 1, on CUDA 10)")
    add("--threads", type=int, default=2, help="of the CPU (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    cuda = device.type == "cuda"
    arguments.sizes = arguments.sizes or ([256, 512, 1024] if cuda else [256, 512])
    arguments.batches = arguments.batches or ([1, 8, 32] if cuda else [1, 4])
    arguments.repeats = arguments.repeats or (10 if cuda else 1)
    torch.set_num_threads(arguments.threads)
    found: dict[str, Any] = {
        "machine": {
            "torch": torch.__version__,
            "device": device_label(device),
            "cores": os.cpu_count(),
            "threads": arguments.threads,
            "malloc": {name: value for name, value in os.environ.items() if name.startswith("MALLOC_")},
        }
    }
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    for side in arguments.sizes:
        found[str(side)] = size(side, device, arguments)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
