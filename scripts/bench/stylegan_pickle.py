"""Reading an official StyleGAN2 pickle: seconds, and memory in ratio to the file's size.

The file has the official structure (G, D and G_ema of the paper's 512 px configuration, 364 MB) with random
weights and no program text. Each figure is the median of fresh processes; the file is in the page cache.

read      the structure, tensors as views on the mapped file
G_ema     the same, its configuration, every name and shape, and every number looked at
all       the same for G_ema, G and D
convert   the whole way to our own file, in the sandbox's child process, as an upload goes

    python scripts/bench/stylegan_pickle.py
    python scripts/bench/stylegan_pickle.py --resolution 1024 --rounds 9 --json figures.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import sandbox
from scripts.bench.servers import ROOT, row
from tests.engines.stylegan_pickles import Assembler, network, random_tensors

#: What is to be reached.
SECONDS, TIMES_ITS_SIZE = 0.2, 1.3

#: Run in a process of its own, which prints seconds, seconds of CPU, and bytes its peak has grown by. The
#: peak is VmHWM: getrusage's would begin at what the process that started it had in memory.
PROGRAM = """
import sys, time
from pathlib import Path
from engines.stylegan.reading import official
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
path, what = Path(sys.argv[1]), sys.argv[2]
before, began, cpu = peak(), time.perf_counter(), time.process_time()
found = official.read(path)
kept = [found.generator()] if what != "read" else []
kept += [found.generator("G"), found.discriminator()] if what == "all" else []
clock, cpu = time.perf_counter() - began, time.process_time() - cpu
print(clock, cpu, peak() - before)
"""

PARTS = {
    "read": "read: the structure",
    "G_ema": "read, and check every number of G_ema",
    "all": "read, and check every number of G_ema, G and D",
}


def write_network(path: Path, resolution: int) -> int:
    """A file as large as a trained one; its size."""
    generator = GeneratorConfig(c_dim=0, img_resolution=resolution, img_channels=3)
    discriminator = DiscriminatorConfig(c_dim=0, img_resolution=resolution, img_channels=3)
    assembler = Assembler()
    networks = {
        "training_set_kwargs": {"use_labels": False, "resolution": resolution},
        "G": network(generator, random_tensors(generator, seed=0)),
        "D": network(discriminator, random_tensors(discriminator, seed=1)),
        "G_ema": network(generator, random_tensors(generator, seed=2)),
        "augment_pipe": None,
    }
    assembler.put(networks)
    with path.open("wb") as stream:
        stream.writelines(assembler.parts)
        stream.write(b".")
    return path.stat().st_size


def measure(path: Path, what: str, rounds: int) -> tuple[float, float, float]:
    """Medians of seconds, of seconds of CPU, and of the growth of the peak in bytes."""
    found = []
    for _ in range(rounds):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path), what],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        found.append([float(figure) for figure in done.stdout.split()])
    clock, cpu, grown = (statistics.median(figures) for figures in zip(*found, strict=True))
    return clock, cpu, grown


def convert(path: Path, rounds: int) -> float:
    """Seconds of a conversion, the child's start included."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        sandbox.convert(path, path.with_suffix(".safetensors"))
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--resolution", type=int, choices=(64, 128, 256, 512, 1024), default=512, help="(default: 512)")
    add("--rounds", type=int, default=5, help="fresh processes; medians count (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    figures: dict[str, float] = {}
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "network.pkl"
        size = write_network(path, arguments.resolution)
        for name, what in PARTS.items():
            clock, cpu, grown = measure(path, name, arguments.rounds)
            figures |= {
                f"{name}: s": clock,
                f"{name}: s of CPU": cpu,
                f"{name}: times its size": grown / size,
            }
            row(
                f"{what}, {size / 1e6:.0f} MB",
                f"{clock:.3f} s ({cpu:.3f} s of CPU)",
                # What draws pictures is G_ema; the others are for going on with a training.
                *((f"<= {SECONDS} s", clock <= SECONDS) if name != "all" else ()),
            )
            row(
                "the peak of memory grows by",
                f"{grown / 1e6:.0f} MB = {grown / size:.2f}x its size",
                f"<= {TIMES_ITS_SIZE}x",
                grown / size <= TIMES_ITS_SIZE,
            )
        figures["convert: s"] = convert(path, arguments.rounds)
        row("convert it in the sandbox, from start to end", f"{figures['convert: s']:.2f} s")
    if arguments.json is not None:
        machine = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
        arguments.json.write_text(json.dumps({"machine": machine, "bytes": size, **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
