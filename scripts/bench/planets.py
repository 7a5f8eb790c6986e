"""The planets engine: planets a second, a training step, and many small jobs through the whole service.

net      planets a second at 64 px in float32: the bare net, and the engine's own way from params to PNG files
step     images a second of train.py's step, against a plain DCGAN loop of the same nets (planets_step.py)
service  32 one-planet jobs at once through API, database, queue, worker and storage, with batching and
         without (planets_service.py)

    python scripts/bench/planets.py                          # everything, about 5 minutes
    python scripts/bench/planets.py --only step --rounds 3
    python scripts/bench/planets.py --json figures.json

Without shipped weights `net` takes random ones, whose pictures are noise and larger files; `service` needs
shipped ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

# Threads that wait must not spin: on a machine that others use too, spinning is most of the time measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from engines import shipped
from engines.planets.engine import Engine
from engines.planets.model import Generator, noise_of
from engines.planets.network import WEIGHTS, Precision
from engines.planets.spec import (
    CHUNK,
    LATENT,
    SPEC,
    PlanetsParams,
)
from engines.torch_device import channels_last
from engines.worlds import WORLDS
from scripts.bench import planets_service, planets_step
from scripts.bench.servers import row
from tests.engines.recording import RecordingContext
from training.planets.training import Recipe

SIDE = 64
#: What is to be reached.
PLANETS_A_SECOND, STEP_TIMES, SERVICE_TIMES = 300.0, 1.5, 4.0

Figures = dict[str, float]

# --- the net ----------------------------------------------------------------------------------------


@contextmanager
def weights() -> Iterator[tuple[Path, str]]:
    """The folder of weights and what they are: the shipped ones, or random ones until there are any."""
    name = f"planets-{SIDE}-v1.safetensors"
    if (WEIGHTS / name).is_file():
        yield WEIGHTS, "shipped weights"
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        shipped.write(Path(folder), name, Generator(SIDE).state_dict(), {})
        yield Path(folder), "random weights"


def bare(folder: Path, planets: int, batch: int) -> Callable[[], None]:
    """Draws so many planets with the net alone."""
    net = Generator(SIDE)
    name = f"planets-{SIDE}-v1.safetensors"
    shipped.fill(net, shipped.read(folder, name)[0], name)
    net = channels_last(net).eval()
    worlds = torch.eye(len(WORLDS))[torch.arange(batch) % len(WORLDS)]

    @torch.inference_mode()
    def draw() -> None:
        for _ in range(planets // batch):
            net(torch.randn(batch, LATENT), worlds, torch.rand(batch, noise_of(SIDE)))

    return draw


def one_job(engine: Engine, planets: int, precision: Precision, scratch: Path) -> Callable[[], None]:
    """One job of so many planets, to encoded PNG files."""
    params = PlanetsParams(size=SIDE, count=planets, seed=1, precision=precision)

    def run() -> None:
        made = list(engine.run(params, RecordingContext(scratch)))
        assert len(made) == planets

    return run


def small_jobs(engine: Engine, planets: int, precision: Precision, scratch: Path) -> Callable[[], None]:
    """As many jobs of one planet each, as the service runs them together."""

    def run() -> None:
        for start in range(0, planets, SPEC.max_batch):
            seeds = range(start, min(start + SPEC.max_batch, planets))
            items = [
                (PlanetsParams(size=SIDE, seed=seed, precision=precision), RecordingContext(scratch))
                for seed in seeds
            ]
            assert len(list(engine.run_batch(items))) == len(seeds)

    return run


def net(arguments: argparse.Namespace) -> Figures:
    """Planets a second, each way in turn in every round."""
    with weights() as (folder, kind), tempfile.TemporaryDirectory() as scratch:
        engine = Engine(torch.device("cpu"), folder)
        count = arguments.planets
        ways = {f"the bare net, {batch} at once": bare(folder, count, batch) for batch in (CHUNK, count)}
        for precision in get_args(Precision):
            ways[f"the engine, {precision}, one job of {count}, PNG files"] = one_job(
                engine, count, precision, Path(scratch)
            )
            ways[f"the engine, {precision}, {count} jobs of one in batches, PNG files"] = small_jobs(
                engine, count, precision, Path(scratch)
            )
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(arguments.rounds + 1):
            for name, way in ways.items():
                began = time.perf_counter()
                for _ in range(arguments.repeats):
                    way()
                if turn > 0:  # the first round loads the net and fills caches
                    rates[name].append(arguments.repeats * count / (time.perf_counter() - began))
    figures = {f"{name}: planets/s": statistics.median(values) for name, values in rates.items()}
    for name, rate in figures.items():
        what = f"{name.removesuffix(': planets/s')}, {SIDE} px, {kind}"
        row(what, f"{rate:.0f} planets/s", f">= {PLANETS_A_SECOND:.0f}/s", rate >= PLANETS_A_SECOND)
    return figures


# --- the other parts --------------------------------------------------------------------------------


def step(arguments: argparse.Namespace) -> Figures:
    """The training step."""
    found = planets_step.measure(arguments)
    figures = planets_step.told(found)
    for name in found:
        clock, cpu = figures[f"{name}: images/s"], figures[f"{name}: images/s of CPU"]
        what = f"training step, {SIDE} px, batch {arguments.batch}, {name}"
        row(what, f"{clock:.0f} images/s ({cpu:.0f} a CPU second)")
    ratio = figures["ratio"]
    row(
        "ours / the faster plain loop",
        f"{ratio:.2f}x ({figures['ratio of CPU']:.2f}x by CPU time)",
        f">= {STEP_TIMES}x",
        ratio >= STEP_TIMES,
    )
    return figures


def service(arguments: argparse.Namespace) -> Figures:
    """The whole service."""
    if not (WEIGHTS / f"planets-{SIDE}-v1.safetensors").is_file():
        raise SystemExit("the whole service needs shipped weights; leave it out with --only net step")
    figures = planets_service.told(planets_service.measure(arguments))
    for name in ("together", "alone"):
        row(
            f"{arguments.jobs} one-planet jobs at once, whole service, {name}",
            f"{figures[f'{name}: jobs/s']:.1f} jobs/s "
            f"({figures[f'{name}: jobs/s from the first start']:.1f} from the first start; "
            f"{figures[f'{name}: jobs at once']:.1f} at once; "
            f"a job's end after {figures[f'{name}: seconds to the end, p50']:.2f} s, p50)",
        )
    ratio = figures["ratio"]
    row("together / alone", f"{ratio:.1f}x", f">= {SERVICE_TIMES:g}x", ratio >= SERVICE_TIMES)
    return figures


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {"net": net, "step": step, "service": service}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts (default: all)")
    add("--rounds", type=int, default=5, help="rounds; medians count (default: %(default)s)")
    add("--planets", type=int, choices=(16, 32, 48, 64), default=64, help="of `net`: drawn at a time")
    add("--repeats", type=int, default=3, help="of `net`: times a round (default: %(default)s)")
    add("--steps", type=int, default=4, help="of `step`: steps a round (default: %(default)s)")
    add("--batch", type=int, default=Recipe().batch, help="of `step`: pictures a step (default: %(default)s)")
    add("--jobs", type=int, default=32, help="of `service`: at once (default: %(default)s)")
    add("--threads", type=int, default=2, help="of the CPU (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # the worker's, which `service` starts
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    found: dict[str, Any] = {
        "machine": {"torch": torch.__version__, "cores": os.cpu_count(), "threads": arguments.threads}
    }
    for name in arguments.only:
        found[name] = PARTS[name](arguments)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
