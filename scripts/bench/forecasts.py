"""How good forecasts are: mixed jobs of every engine on a fresh system, each foretold and then run.

    python scripts/bench/forecasts.py                     # 20 jobs of each engine, about 3 minutes
    python scripts/bench/forecasts.py --jobs 5 --only echo planets

The embedded system with one worker on this machine. In each round every engine gets one job of random
parameters, one after the other: a dry run says what it would take of a device, from the jobs of the rounds
before, and then it runs. The first job of an engine has no forecast. What an API process knows of the speed
of an engine is up to five seconds old, so a round takes that long at least.

`stylegan_import` is left out: its jobs are all one size to a forecast.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

import engines
from api.forecasting.forecast import FRESH
from api.forecasting.speed import fitted
from scripts.bench.servers import ROOT, cpu_seconds, percentile, row
from tests.cli.conftest import end_system, start_system

#: What is to be reached: this share of the forecasts within this factor.
SHARE, FACTOR = 0.9, 2.0
PATIENCE = 120.0
Params = dict[str, Any]
Files = dict[str, str]


def _collage(draw: random.Random, files: Files) -> Params:
    return {
        "images": draw.choices(sorted(files.values()), k=draw.choice((1, 4, 16, 64))),
        "layout": draw.choice(("grid", "mosaic")),
        "width": draw.choice((800, 1600, 3200)),
        "format": draw.choice(("png", "jpeg")),
    }


def _convert(draw: random.Random, files: Files) -> Params:
    size = draw.choice((256, 1024, 4096))
    return {"image": files["photo"], "width": size, "enlarge": True, "format": draw.choice(("png", "avif"))}


def _echo(draw: random.Random, _files: Files) -> Params:
    return {"seconds": draw.choice((0.0, 0.1, 0.5, 1.0, 2.0))}


def _neural_style(draw: random.Random, files: Files) -> Params:
    return {
        "content": files["photo"],
        "style": [files[name] for name in draw.sample(("mosaic", "night"), draw.choice((1, 1, 2)))],
        "size": draw.choice((64, 96, 128, 192, 256, 384)),
        "quality": draw.choice(("draft", "normal", "best")),
        "stroke": draw.choice((0.5, 1.0, 1.0, 2.0)),
    }


def _planets(draw: random.Random, _files: Files) -> Params:
    size = draw.choice((64, 128, 256, 512))
    if draw.random() < 0.25:
        return {"size": min(size, 128), "morph": draw.choice(("webp", "mp4")), "morph_seconds": 0.5}
    return {"size": size, "count": draw.choice((1, 2, 4, 8, 16)), "format": draw.choice(("png", "jpeg"))}


def _planet_classifier(_draw: random.Random, files: Files) -> Params:
    return {"image": files["photo"]}


def _stylegan(draw: random.Random, _files: Files) -> Params:
    if draw.random() < 0.25:
        return {"count": 2, "walk": "mp4", "frames": draw.choice((12, 24, 48))}
    return {"count": draw.choice((1, 4, 16, 64))}


MIXES: dict[str, Callable[[random.Random, Files], Params]] = {
    "collage": _collage,
    "convert": _convert,
    "echo": _echo,
    "neural_style": _neural_style,
    "planet_classifier": _planet_classifier,
    "planets": _planets,
    "stylegan": _stylegan,
}


def uploaded(client: httpx.Client) -> Files:
    """The ids of the pictures that jobs use."""
    paths = [ROOT / "assets" / "photo.jpg"]
    paths += [ROOT / "assets" / "styles" / f"{name}.jpg" for name in ("mosaic", "night")]
    found = {}
    for path in paths:
        answer = client.post("/v1/files", files={"file": (path.name, path.read_bytes(), "image/jpeg")})
        found[path.stem] = answer.raise_for_status().json()["id"]
    return found


@dataclass(frozen=True)
class Outcome:
    """One job."""

    engine: str
    cost: float
    #: Seconds of a device: before and after; None before the engine's first job.
    foretold: float | None
    took: float
    #: Seconds of processors that the worker spent meanwhile.
    processor: float


def ended(client: httpx.Client, job: Params) -> tuple[float | None, float]:
    """What the job was to take of a device, and what it took."""
    dry = client.post("/v1/jobs", params={"dry_run": "true"}, json=job).raise_for_status().json()
    made = client.post("/v1/jobs", json=job).raise_for_status().json()
    give_up = time.monotonic() + PATIENCE
    while made["state"] in ("queued", "running"):
        if time.monotonic() > give_up:
            raise SystemExit(f"a job of {job['engine']} does not end")
        time.sleep(0.05)
        made = client.get(f"/v1/jobs/{made['id']}").raise_for_status().json()
    if made["state"] != "succeeded":
        raise SystemExit(f"a job of {job['engine']} ended as {made['state']}: {made['error']}")
    return dry["device_seconds"], made["usage"]["device_seconds"]


def outcomes(
    client: httpx.Client, workers: list[psutil.Process], names: list[str], jobs: int, seed: int
) -> list[Outcome]:
    """All jobs, in their order."""
    draw, files = random.Random(seed), uploaded(client)
    found = []
    for _ in range(jobs + 1):
        began = time.monotonic()
        for name in names:
            params = MIXES[name](draw, files)
            spec = engines.spec(name)
            spent = cpu_seconds(*workers)
            before, took = ended(client, {"engine": name, "params": params})
            spent = cpu_seconds(*workers) - spent
            found.append(Outcome(name, spec.cost(spec.params.model_validate(params)), before, took, spent))
            print(json.dumps(asdict(found[-1])), file=sys.stderr)
        time.sleep(max(0.0, FRESH + 0.1 - (time.monotonic() - began)))
    return found


def replayed(jobs: list[Outcome]) -> list[tuple[float, float]]:
    """The same forecasts of an engine's jobs by processor time, which a busy machine does not change."""
    took = [(job.cost, job.processor) for job in jobs]
    return [
        (fitted(took[number - 1 :: -1]).seconds(cost), spent)
        for number, (cost, spent) in enumerate(took)
        if number
    ]


def told(what: str, pairs: list[tuple[float, float]], *, judged: bool) -> None:
    """A row of the table."""
    off = [max(before / took, took / before) for before, took in pairs]
    good = sum(factor <= FACTOR for factor in off) / len(off)
    times = sorted(took for _, took in pairs)
    value = (
        f"{good:.0%} of {len(off)}; off by {percentile(off, 0.5):.2f}x (median), {percentile(off, 0.9):.1f}x "
        f"(p90); jobs of {times[0]:.2f} to {times[-1]:.1f} s"
    )
    row(what, value, f">= {SHARE:.0%}" if judged else "", good >= SHARE if judged else None)


def table(found: list[Outcome]) -> None:
    """By the clock, as users see it; and by processor time, of what computes."""
    names = list(dict.fromkeys(job.engine for job in found))
    by_clock = {
        name: [(job.foretold, job.took) for job in found if job.engine == name and job.foretold is not None]
        for name in names
    }
    by_processor = {
        name: replayed([job for job in found if job.engine == name]) for name in names if name != "echo"
    }
    for unit, figures in (("", by_clock), (", by processor time", by_processor)):
        for name, pairs in figures.items():
            told(f"`{name}`{unit}: within a factor of {FACTOR:g}", pairs, judged=False)
        told(f"all of them{unit}", [pair for pairs in figures.values() for pair in pairs], judged=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=20, help="of each engine, besides the first")
    parser.add_argument("--only", nargs="+", choices=MIXES, default=list(MIXES), help="these engines")
    parser.add_argument("--seed", type=int, default=1, help="which jobs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        # Threads that wait must not spin: on a busy machine that would be most of what is measured.
        variables = {"ATELIER_RATE_PER_MINUTE": "0", "OMP_WAIT_POLICY": "PASSIVE"}
        system = start_system(base / "data", base / "up.log", **variables)
        try:
            system.wait_ready()
            workers = [one for one in system.tree() if "workers" in one.cmdline()]
            url = json.loads((base / "data" / "server.json").read_text())["url"]
            key = (base / "data" / "key").read_text().strip()
            head = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=head, timeout=PATIENCE) as client:
                found = outcomes(client, workers, options.only, options.jobs, options.seed)
        finally:
            end_system(system)
    table(found)


if __name__ == "__main__":
    main()
