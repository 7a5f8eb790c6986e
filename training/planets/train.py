"""Train a planet generator on prepared pictures; stop it and start it again at any time.

    python -m training.planets.train DATA --size 64 --out runs/64            until the metric stops falling
    python -m training.planets.train DATA --size 128 --minutes 60 --grow-from runs/64 --out runs/128
    python -m training.planets.train DATA --size 64 --out runs/64            again: goes on where it stopped
    python -m training.planets.train DATA --size 64 --out runs/64 --ship     enter the best into the project

DATA is what prepare.py made. RUN holds checkpoint.pt (everything), best.safetensors (the averaged generator
with the lowest FID so far), samples-*.png, log.jsonl, and TensorBoard's files where it is installed
(pip install ".[train]"). FID is measured on the features of the project's own classifier, against all
pictures of the size.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Threads that wait must not spin: beside other work that costs more than it gains.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Huge pages for tensors: a step is some 10 % faster.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

import torch
from rich.console import Console

from engines import shipped
from engines.planets.model import SIZES, VARIANTS, parameters_of
from engines.planets.network import WEIGHTS
from engines.torch_device import choose_device, device_label
from engines.worlds import WORLDS
from training.planets import data
from training.planets.judge import Judge
from training.planets.samples import sheet
from training.planets.training import Recipe, Training
from training.running import (
    Stop,
    add_machine_options,
    command_line,
    halved,
    progress_bar,
    recipe_from,
    resumed,
)
from training.writers import Writers

#: Evaluations in a row without a better FID after which a run ends.
PATIENCE = 8


def main() -> int:
    """Train, and say by the status how it ended: 0 done, 130 stopped (and resumable)."""
    options = _options()
    console = Console(stderr=True)
    torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    half = halved(options.precision, device)
    checkpoint = options.out / "checkpoint.pt"
    progress = {"seconds": 0.0, "best": float("inf"), "since_best": 0.0}
    try:
        pictures = data.load(options.data, options.size, WORLDS)
        training = Training(recipe_from(Recipe, options), pictures, device, half)
        options.out.mkdir(parents=True, exist_ok=True)
        if options.grow_from is not None and not checkpoint.is_file():
            training.grow_from(options.grow_from / checkpoint.name)
        progress = resumed(training.restore, checkpoint) or progress
    except (OSError, ValueError) as error:
        console.print(f"[red]{error}")
        return 1
    console.print(
        f"{len(pictures.labels)} pictures of {options.size} px; "
        f"generator {parameters_of(training.generator):,} parameters, "
        f"discriminator {parameters_of(training.discriminator):,}; {device_label(device)}, "
        f"{'bfloat16' if half else 'float32'}; step {training.steps:,}, best FID {progress['best']:.2f}"
    )
    judge = None if options.metric == "none" else Judge(pictures, device)
    with Writers(options.out) as writers:
        stopped = _train(training, options, checkpoint, progress, judge, writers, console)
    if options.ship:
        _ship(training, options, progress)
    return 130 if stopped else 0


def _train(
    training: Training,
    options: argparse.Namespace,
    checkpoint: Path,
    progress: dict[str, float],
    judge: Judge | None,
    writers: Writers,
    console: Console,
) -> bool:
    """Until the time, the pictures or the patience are used up; True when a signal came before."""
    stop = Stop()
    limit = options.minutes * 60.0 if options.minutes is not None else float("inf")
    images = options.kimg * 1000 if options.kimg is not None else None
    every = max(1, options.evaluate_kimg * 1000 // training.recipe.batch)
    bar = progress_bar(console)
    total = limit if images is None else images
    task = bar.add_task("training", total=None if total == float("inf") else total)
    with bar:
        began, first = progress["seconds"], training.images
        while not stop.asked:
            if progress["seconds"] >= limit or (images is not None and training.images >= images):
                break
            started = time.monotonic()
            losses = training.step()
            progress["seconds"] += time.monotonic() - started
            if training.steps % 20 == 0:
                speed = (training.images - first) / (progress["seconds"] - began)
                text = (
                    f"{training.images / 1000:.0f} kimg  {speed:.0f}/s  "
                    f"D {losses['loss/discriminator']:.2f}  G {losses['loss/generator']:.2f}  "
                    f"p {losses['augment']:.2f}  FID {progress['best']:.2f}"
                )
                bar.update(
                    task,
                    completed=progress["seconds"] if images is None else training.images,
                    description=text,
                )
                writers.write(training.images, losses | {"images_per_second": speed})
            if training.steps % every == 0:
                _evaluate(training, options.out, progress, judge, writers)
                training.save(checkpoint, **progress)
                if progress["since_best"] >= options.patience:
                    console.print(f"no better FID in {options.patience} evaluations: done")
                    break
    if training.steps % every:
        _evaluate(training, options.out, progress, judge, writers)
    training.save(checkpoint, **progress)
    return stop.asked


def _evaluate(
    training: Training, out: Path, progress: dict[str, float], judge: Judge | None, writers: Writers
) -> None:
    """FID of the averaged generator, a sheet of samples, and the weights if they are the best so far."""
    generator = training.finished()
    sheet(generator, training.device, training.recipe.seed).save(
        out / f"samples-{training.images // 1000:05}.png"
    )
    fid = judge.fid(generator, training.recipe.seed) if judge is not None else -float(training.images)
    better = fid < progress["best"]
    progress["best"] = min(fid, progress["best"])
    progress["since_best"] = 0.0 if better else progress["since_best"] + 1
    if better:
        shipped.write(
            out,
            "best.safetensors",
            generator.state_dict(),
            {"size": str(training.recipe.size), "variant": training.recipe.variant},
            images=training.images,
        )
    if judge is not None:
        writers.write(training.images, {"fid": fid, "seconds": progress["seconds"]})


def _ship(training: Training, options: argparse.Namespace, progress: dict[str, float]) -> None:
    """The best weights of the run become those of the project."""
    recipe = training.recipe
    tensors, metadata = shipped.read(options.out, "best.safetensors")
    name = f"planets-{recipe.size}-{recipe.variant}.safetensors"
    origin: dict[str, Any] = {
        "images": shipped.registered(options.out)["best.safetensors"]["images"],
        "pictures": options.pictures_note,
        "recipe": asdict(recipe),
        "seconds": round(progress["seconds"]),
    }
    print(shipped.write(WEIGHTS, name, tensors, metadata, **origin))


def _options() -> argparse.Namespace:
    parser = command_line(__doc__)
    defaults = Recipe()
    add = parser.add_argument
    add("--size", type=int, choices=SIZES, default=defaults.size, help="pixels (default: %(default)s)")
    add("--variant", choices=VARIANTS, default=defaults.variant, help="v1 small, v2 wide")
    add("--seed", type=int, default=defaults.seed, help="default: %(default)s")
    add("--batch", type=int, default=defaults.batch, help="pictures a step (default: %(default)s)")
    add("--generator-rate", type=float, default=defaults.generator_rate, help="default: %(default)s")
    add("--discriminator-rate", type=float, default=defaults.discriminator_rate, help="default: %(default)s")
    add("--gamma", type=float, default=defaults.gamma, help="weight of R1 (default: %(default)s)")
    add(
        "--average-kimg",
        type=float,
        default=defaults.average_kimg,
        help="half-life of the average of weights",
    )
    add("--grow-from", type=Path, metavar="RUN", help="start with what a run of a smaller size learnt")
    add("--augment", type=float, metavar="P", help="fixed augmentation probability (default: adaptive)")
    add("--minutes", type=float, help="end after this time of training steps, over all parts of a run")
    add("--kimg", type=int, help="end after this many thousand pictures")
    add("--patience", type=int, default=PATIENCE, help="evaluations without a better FID before it ends")
    add("--evaluate-kimg", type=int, default=20, help="thousand pictures between evaluations")
    add("--metric", choices=("fid", "none"), default="fid", help="none: keep the newest instead of the best")
    add_machine_options(parser, "engines/planets/weights")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
