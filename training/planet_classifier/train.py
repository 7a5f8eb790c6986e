"""Train the planet classifier on prepared pictures; stop it and start it again at any time.

    python -m training.planet_classifier.train DATA --out runs/classifier --photographs PHOTOS
    python -m training.planet_classifier.train DATA --out runs/classifier --photographs PHOTOS   goes on
    ... --ship --pictures-note "what the pictures are"          enter the weights into the project

DATA is what prepare.py of planets made. A tenth of its pictures is held out for evaluate.py and not used, a
tenth says how to calibrate, the others are trained on. What is no planet is drawn (negatives.py), and
comes from the folders of photographs, from all in turn: the more kinds of things they show, the better it
knows what is none. Photographs whose path speaks of planets or space are left out. They are read, never
stored.

RUN holds checkpoint.pt (everything), log.jsonl, TensorBoard's files where it is installed, negatives-*.png,
and views.png (what it is shown).
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from engines import shipped
from engines.images import from_array
from engines.planet_classifier.model import parameters_of
from engines.planet_classifier.network import NAME, WEIGHTS, Calibration
from engines.torch_device import choose_device, device_label
from engines.worlds import WORLDS
from training.planet_classifier import figures, negatives
from training.planet_classifier.batches import NO_WORLD, Batch, Batches
from training.planet_classifier.training import Held, Logits, Recipe, Training, calibrate, look, validation
from training.planets import data
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

#: Pixels of the prepared pictures that are read.
SIZE = 128
#: Of the files, the tenth that calibrates; tenth 0 is held out (`data.held_out`).
_CALIBRATING = 1
_VALIDATION_ROUNDS = 4


def main() -> int:
    """Train, and say by the status how it ended: 0 done, 130 stopped (and resumable)."""
    options = _options()
    console = Console(stderr=True)
    torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    half = halved(options.precision, device)
    recipe = recipe_from(Recipe, options)
    checkpoint = options.out / "checkpoint.pt"
    try:
        training_set, validation_set, counts = _pictures(options, recipe)
        training = Training(recipe, training_set, device, half)
        if options.begin is not None:
            training.begin_with(shipped.read(options.begin, NAME)[0])
        options.out.mkdir(parents=True, exist_ok=True)
        before = resumed(training.restore, checkpoint)
    except (OSError, ValueError) as error:
        console.print(f"[red]{error}")
        return 1
    seconds = before["seconds"] if before is not None else 0.0
    _views_sheet(training_set.training(0), options.out / "views.png")
    console.print(
        f"{counts}; {parameters_of(training.model):,} parameters; {device_label(device)}, "
        f"{'bfloat16' if half else 'float32'}; step {training.steps:,} of {recipe.steps:,}"
    )
    held = validation(validation_set, _VALIDATION_ROUNDS, recipe.seed)
    with Writers(options.out) as writers:
        seconds, stopped = _train(training, options, checkpoint, seconds, held, writers, console)
    if stopped:
        return 130
    calibration = calibrate(look(training.averaged, held.views), held)
    console.print(f"{_judged(training, held)}\n{calibration}")
    if options.ship:
        origin: dict[str, Any] = {
            "pictures": options.pictures_note,
            "counts": counts,
            "recipe": asdict(recipe),
            "begun_with": _sha256_of(options.begin),
            "seconds": round(seconds),
        }
        weights = training.averaged.state_dict()
        console.print(str(shipped.write(WEIGHTS, NAME, weights, calibration.to_metadata(), **origin)))
    return 0


def _pictures(options: argparse.Namespace, recipe: Recipe) -> tuple[Batches, Batches, dict[str, int]]:
    """What is trained on, what calibrates, and how many of what there are."""
    pictures = data.load(options.data, SIZE, WORLDS)
    kept, _ = data.held_out(pictures)
    _, calibrating = data.held_out(pictures, _CALIBRATING)
    chosen = set(calibrating.tolist())
    trained = pictures.subset(torch.tensor([index for index in kept.tolist() if index not in chosen]))
    training = negatives.drawn(options.drawn, recipe.seed)
    validating = negatives.drawn(max(options.drawn // 8, 13), recipe.seed + 1)
    photographs = {"photographs": 0}
    if options.photographs:
        files = negatives.photograph_files(options.photographs)
        first, tenth = negatives.a_tenth(files)
        training = training.and_(negatives.photographs(first, 2, options.most_photographs))
        validating = validating.and_(negatives.photographs(tenth, 1, options.most_photographs))
        photographs = {"photographs": len(first)}
    negatives.sheet(_spread(training.frames), 16).save(_made(options.out) / "negatives-frames.png")
    negatives.sheet(_spread(training.things), 16).save(_made(options.out) / "negatives-things.png")
    counts = {
        "planets": len(trained.labels),
        "calibrating": len(calibrating),
        **photographs,
        "frames": len(training.frames),
        "things": len(training.things),
    }
    size = recipe.batch
    return (
        Batches(trained, training, size, recipe.seed),
        Batches(pictures.subset(calibrating), validating, size, recipe.seed),
        counts,
    )


def _train(
    training: Training,
    options: argparse.Namespace,
    checkpoint: Path,
    seconds: float,
    held: Held,
    writers: Writers,
    console: Console,
) -> tuple[float, bool]:
    """To the last step; seconds of training over all its parts, and whether a signal came before."""
    stop = Stop()
    recipe = training.recipe
    bar = progress_bar(console)
    task = bar.add_task("training", total=recipe.steps, completed=training.steps)
    began = time.monotonic() - seconds
    sums: dict[str, float] = {}
    with bar:
        while training.steps < recipe.steps and not stop.asked:
            for name, value in training.step().items():
                sums[name] = sums.get(name, 0.0) + value
            shown = training.steps * recipe.batch
            if training.steps % options.log_every == 0:
                means = {name: value / options.log_every for name, value in sums.items()}
                sums.clear()
                writers.write(shown, {f"train/{name}": value for name, value in means.items()})
                text = f"loss {means['world']:.3f} {means['planet']:.3f}  right {means['right']:.3f}"
                bar.update(task, completed=training.steps, description=text)
            if training.steps % options.check_every == 0:
                writers.write(shown, {"seconds": time.monotonic() - began, **_judged(training, held)})
                training.save(checkpoint, seconds=time.monotonic() - began)
    seconds = time.monotonic() - began
    training.save(checkpoint, seconds=seconds)
    return seconds, stop.asked


def _judged(training: Training, held: Held) -> dict[str, float]:
    """Figures of the averaged network on the calibrating part."""
    logits: Logits = look(training.averaged, held.views)
    real = held.labels != NO_WORLD
    worlds, planets = logits.worlds[real], logits.planets
    return {
        "validation/accuracy": figures.accuracy(worlds, held.labels[real]),
        "validation/auroc": figures.auroc(planets[real], planets[~real]),
        "validation/ece": figures.world_calibration_error(Calibration(), worlds, held.labels[real]),
    }


def _sha256_of(folder: Path | None) -> str | None:
    return None if folder is None else str(shipped.registered(folder)[NAME]["sha256"])


def _spread(pixels: torch.Tensor, most: int = 256) -> torch.Tensor:
    """Some of them, from everywhere."""
    return pixels[torch.linspace(0, len(pixels) - 1, min(most, len(pixels))).long()]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _views_sheet(batch: Batch, file: Path) -> None:
    """The first batch, to look at."""
    columns = 16
    views = batch.views[: len(batch.views) // columns * columns]
    rows = [torch.cat(list(row), 2) for row in torch.split(views, columns)]
    from_array(torch.cat(rows, 1).permute(1, 2, 0).numpy()).save(file)


def _options() -> argparse.Namespace:
    parser = command_line(__doc__)
    defaults = Recipe()
    add = parser.add_argument
    add("--photographs", type=Path, nargs="+", default=[], metavar="DIR", help="folders of other pictures")
    add(
        "--most-photographs",
        type=int,
        default=2500,
        help="pictures of each kind at most (default: %(default)s)",
    )
    add("--drawn", type=int, default=1300, help="drawn pictures of each kind (default: %(default)s)")
    add("--seed", type=int, default=defaults.seed, help="default: %(default)s")
    add("--steps", type=int, default=defaults.steps, help="default: %(default)s")
    add(
        "--batch",
        type=int,
        default=defaults.batch,
        help="pictures a step, half of them planets (default: %(default)s)",
    )
    add("--rate", type=float, default=defaults.rate, help="default: %(default)s")
    add("--warm-up", type=int, default=defaults.warm_up, help="default: %(default)s")
    add("--decay", type=float, default=defaults.decay, help="default: %(default)s")
    add("--average", type=float, default=defaults.average, help="default: %(default)s")
    add("--ramp", type=float, default=defaults.ramp, help="share of steps until full augmentation")
    add("--begin", type=Path, metavar="DIR", help="start from the weights in this folder, as shipped")
    add("--log-every", type=int, default=25, help="steps (default: %(default)s)")
    add("--check-every", type=int, default=500, help="steps between checkpoints (default: %(default)s)")
    add_machine_options(parser, "engines/planet_classifier/weights")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
