"""A StyleGAN2 walk to MP4: frames a second of the whole job, against drawing the same frames alone.

The papers' network of 256 px with random weights. Both take turns in every round, medians count; the job
maps, draws, reports its progress and encodes, as a worker runs it.

    python scripts/bench/stylegan_walk.py
    python scripts/bench/stylegan_walk.py --precision fast --frames 96 --json figures.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

# Threads that wait must not spin: on a machine that others use too, spinning is most of the time measured.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from engines.stylegan import network_file
from engines.stylegan.engine import Engine
from engines.stylegan.fast import Precision
from engines.stylegan.network import Drawing, Network
from engines.stylegan.spec import StyleganParams
from scripts.bench.servers import row
from scripts.bench.stylegan import generator_of
from tests.engines.recording import RecordingContext

#: Of the bare rate, to be reached.
SHARE = 0.95


def timed(work: Callable[[], None]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Both ways in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", type=int, default=256, help="pixels a side (default: %(default)s)")
    add("--frames", type=int, default=48, help="of the walk (default: %(default)s)")
    add("--precision", choices=get_args(Precision), default="exact", help="(default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda or cuda:1 (default: %(default)s)")
    add("--rounds", type=int, default=3, help="rounds; medians count (default: %(default)s)")
    add("--threads", type=int, default=2, help="of the CPU (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        generator = generator_of(arguments.size, torch.device("cpu"))
        arrays = {name: tensor.numpy() for name, tensor in generator.state_dict().items()}
        network_file.write(path, generator.config, arrays)
        network, engine = Network(path, device), Engine(device)
        wanted = {"walk": "mp4", "seeds": [1, 2], "loop": True, "frames": -(-arguments.frames // 2)}
        wanted |= {"network": "random", "seed": 1, "precision": arguments.precision}
        params = StyleganParams.model_validate(wanted)
        ws = network.ws(network.generator.mapping.w_avg.cpu().numpy(), 0.7, None)

        def job() -> None:
            context = RecordingContext(scratch=Path(folder), networks={"random": path})
            (made,) = engine.run(params, context)
            assert made.meta["frames"] == params.film_frames()

        def bare() -> None:
            drawings = (Drawing(ws, 1, number) for number in range(params.film_frames()))
            assert sum(1 for _ in network.draw(drawings, "const", arguments.precision)) > 0

        seconds: dict[str, list[float]] = {"job": [], "bare": []}
        for turn in range(arguments.rounds + 1):
            for name, work in (("bare", bare), ("job", job)):
                found = timed(work)
                if turn > 0:  # the first round prepares the network and fills caches
                    seconds[name].append(found)
    rates = {name: params.film_frames() / statistics.median(each) for name, each in seconds.items()}
    share = statistics.median(a / b for a, b in zip(seconds["bare"], seconds["job"], strict=True))
    what = f"{arguments.size} px, {arguments.precision}"
    row(f"{what}, drawing alone", f"{rates['bare']:.2f} frames/s")
    row(
        f"{what}, walk to MP4",
        f"{rates['job']:.2f} frames/s = {share:.0%}",
        f">= {SHARE:.0%}",
        share >= SHARE,
    )
    if arguments.json:
        arguments.json.write_text(json.dumps({"frames/s": rates, "share": share}, indent=2) + "\n")


if __name__ == "__main__":
    main()
