"""Train StyleGAN2-ADA on pictures of your own; stop it and start it again at any time.

    python -m training.stylegan.train DATA --out runs/flowers              25 million pictures, as the papers
    python -m training.stylegan.train DATA --out runs/flowers              again: goes on where it stopped
    python -m training.stylegan.train DATA --out runs/fast --from style.pkl --freeze-d 4 --kimg 1000
    torchrun --nproc-per-node 8 -m training.stylegan.train DATA --out runs/flowers         on eight GPUs

DATA is a folder or a ZIP of square pictures whose side is a power of two (else --resize), and dataset.json
with labels where there are any. RUN holds checkpoint.pt (everything a run needs to go on exactly as it would
have), best.safetensors (the averaged generator; the engine reads it), samples-*.png, log.jsonl, and
TensorBoard's files where it is installed (pip install ".[train]"). `auto` takes a larger batch on more GPUs;
a run that has begun keeps its own, and goes on on any number of them. docs/stylegan-training.md has more.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

# Threads that wait must not spin: beside other work that costs more than it gains.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Huge pages for tensors: a step is some 10 % faster.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

import torch
import torch.distributed as dist
from rich.console import Console

from engines.base import EngineError
from engines.stylegan import network_file
from engines.torch_device import choose_device, device_label
from training.running import Stop, progress_bar
from training.stylegan import options as command_line
from training.stylegan import processes, shipping
from training.stylegan.dataset import Pictures
from training.stylegan.judge import Judge
from training.stylegan.samples import row_labels, sheet
from training.stylegan.sources import CHECKPOINT, networks
from training.stylegan.training import NETWORKS, Training
from training.writers import Writers

#: The averaged generator of a run, the best or the newest.
BEST = "best.safetensors"
#: Steps between two lines of the log, whose numbers are means over them.
_EVERY = 20
#: How long the other processes wait for the first, which evaluates alone.
_PATIENCE = timedelta(hours=2)
#: What torch raises for files that are no checkpoint.
_BROKEN = (RuntimeError, EOFError, KeyError, TypeError, UnpicklingError)


def main(given: list[str] | None = None) -> int:
    """Train, and say by the status how it ended: 0 done, 1 refused, 130 stopped (and resumable)."""
    options = command_line.parsed(__doc__, given)
    torch.set_num_threads(options.threads)
    try:
        device = _device(options.device)
        return _run(options, device, Console(stderr=True, quiet=processes.rank() != 0))
    except (EngineError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before there is anything to save; later `Stop` takes it
        return 130
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _device(name: str | None) -> torch.device:
    """The device of this process; under torchrun the processes find each other here.

    Raises ValueError for one that is not there.
    """
    try:
        device = choose_device(name)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    if "RANK" not in os.environ:
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    return device


def _run(options: argparse.Namespace, device: torch.device, console: Console) -> int:
    pictures = Pictures(options.data, labels=options.cond, resize=options.resize, mirror=options.mirror)
    gpus = _begun_with(options.out / CHECKPOINT) or processes.count()
    recipe = command_line.recipe_of(options, pictures, gpus)
    low_precision = command_line.low_precision(options.precision, device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    training = Training(
        recipe, pictures, device, low_precision=low_precision, threads=max(options.threads, 2)
    )
    run = Run(training, options, pictures, console, gpus)
    options.out.mkdir(parents=True, exist_ok=True)
    run.begin()
    finest = str(low_precision or torch.float32).removeprefix("torch.")
    console.print(
        f"{len(pictures)} pictures of {pictures.side} px, {pictures.label_size or 'no'} classes; "
        f"{options.config}, batch {recipe.batch}, gamma {recipe.gamma:.4g}; {processes.count()} x "
        f"{device_label(device)}, finest blocks in {finest}; "
        f"at {training.images / 1000:.1f} kimg",
        soft_wrap=True,
    )
    try:
        stopped = run.train()
    finally:
        training.close()
        pictures.close()
    if options.ship and not stopped and processes.rank() == 0:
        print(run.ship())
    return 130 if stopped else 0


def _begun_with(checkpoint: Path) -> int | None:
    """The number of GPUs that the formulas of `auto` were given when the run began; None: it has not.

    Raises ValueError when the file is no checkpoint.
    """
    if not checkpoint.is_file():
        return None
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        gpus: int | None = state["more"].get("gpus")
    except _BROKEN as error:
        raise _damaged(checkpoint) from error
    return gpus


def _damaged(checkpoint: Path) -> ValueError:
    return ValueError(f"{checkpoint} is no checkpoint, or a damaged one; move it away to begin anew")


class Run:
    """A training and the folder it lives in; only the first of several processes writes there."""

    def __init__(
        self,
        training: Training,
        options: argparse.Namespace,
        pictures: Pictures,
        console: Console,
        gpus: int,
    ) -> None:
        self._training, self._options, self._pictures, self._console = training, options, pictures, console
        self._writes = processes.rank() == 0
        self._checkpoint = options.out / CHECKPOINT
        self._progress: dict[str, Any] = {
            "seconds": 0.0,
            "best": math.inf,
            "metric": options.metric,
            "gpus": gpus,
        }
        self._labels = row_labels(pictures)
        self._judge: Judge | None = None

    def begin(self) -> None:
        """Where it stopped, or else with the weights that were asked for.

        Raises ValueError when the folder holds a run with other settings, when not all processes find the
        same, and as `networks` does.
        """
        if self._checkpoint.is_file():
            self._restore()
        elif self._options.begin is not None:
            self._adopt(self._options.begin)
        if self._agreed(self._training.images) != self._training.images:
            raise ValueError(f"{self._checkpoint} is not the same file for all processes")

    def _restore(self) -> None:
        try:
            found = self._training.restore(self._checkpoint)
        except ValueError as error:
            raise ValueError(f"{error} (choose another --out, or the same settings)") from error
        except _BROKEN as error:
            raise _damaged(self._checkpoint) from error
        if found.get("metric") != self._options.metric:  # scores of another kind say nothing
            found["best"] = math.inf
        self._progress |= found | {"metric": self._options.metric}

    def _adopt(self, path: Path) -> None:
        given = networks(path)
        missing = self._training.adopt(given)
        names = {name: getattr(self._training, name).state_dict().keys() for name in NETWORKS}
        wanted = sum(map(len, names.values()))
        unused = [f"{name}.{key}" for name in given for key in given[name] if key not in names[name]]
        if len(missing) == wanted:
            raise ValueError(f"nothing in {path} fits the networks of this run")
        self._console.print(
            f"{path} has {', '.join(given)}: {wanted - len(missing)} of {wanted} tensors fit"
            + (f"; anew begin {_some(missing)}" if missing else "")
            + (f"; no place here have {_some(unused)}" if unused else ""),
            soft_wrap=True,
        )
        if missing or unused:
            self._console.print(
                "To take all over, give --config and the networks' sizes that it was made with."
            )

    def train(self) -> bool:
        """Until the time or the pictures are used up; True when a signal came before."""
        training, options, progress = self._training, self._options, self._progress
        if options.metric == "fid" and self._writes:
            self._judge = Judge(self._pictures, training.device)
        stop = Stop()
        images = training.recipe.kimg * 1000.0
        limit = options.minutes * 60.0 if options.minutes is not None else float("inf")
        every = max(1, round(options.evaluate_kimg * 1000.0 / training.recipe.batch))
        recent: dict[str, list[float]] = {}
        bar = progress_bar(self._console)
        by_time = options.minutes is not None
        task = bar.add_task("training", total=limit if by_time else images)
        stopped = False
        with bar, Writers(options.out) if self._writes else nullcontext() as writers:
            began, first = progress["seconds"], training.images
            while training.images < images and progress["seconds"] < limit:
                started = time.monotonic()
                for name, value in training.step().items():
                    recent.setdefault(name, []).append(value)
                progress["seconds"] = self._agreed(progress["seconds"] + time.monotonic() - started)
                stopped = self._agreed(float(stop.asked)) > 0.0
                if training.steps % _EVERY == 0:
                    numbers = {name: _mean(values) for name, values in recent.items()}
                    recent.clear()
                    numbers["augment"] = training.control.p
                    numbers["images_per_second"] = (training.images - first) / (progress["seconds"] - began)
                    done = progress["seconds"] if by_time else training.images
                    bar.update(task, completed=done, description=_line(training, numbers))
                    if writers is not None:
                        writers.write(training.images, numbers)
                if stopped:
                    # At once: who stopped it may not wait for an evaluation.
                    self._keep(better=self._judge is None)
                    break
                if training.steps % every == 0:
                    self._evaluate(writers)
            else:
                if training.steps % every:
                    self._evaluate(writers)
        return stopped

    @staticmethod
    def _agreed(value: float) -> float:
        """The mean over all processes, so that all stop at the same step."""
        if processes.count() == 1:
            return value
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        return float(processes.averaged(torch.tensor(value, dtype=torch.float64, device=device)))

    def _evaluate(self, writers: Writers | None) -> None:
        """A sheet, a measurement where one was asked for, and `_keep`."""
        if writers is None:
            return
        training, out = self._training, self._options.out
        number = f"{training.images / 1000:08.1f}"
        sheet(training.average, self._labels, training.device, training.recipe.seed).save(
            out / f"samples-{number}.png"
        )
        better = True
        if self._judge is not None:
            score = self._judge.fid(training.average, training.recipe.seed)
            writers.write(training.images, {"fid": score, "seconds": self._progress["seconds"]})
            better = score < self._progress["best"]
            self._progress["best"] = min(self._progress["best"], score)
        self._keep(better=better)

    def _keep(self, *, better: bool) -> None:
        """The checkpoint, and before it the weights when they are `better` than those that lie there.

        Raises BadNetwork, and leaves the last checkpoint, when they are not finite.
        """
        if not self._writes:
            return
        training = self._training
        if better:
            origin = {"images": str(training.images), "config": self._options.config}
            shipping.write(self._options.out / BEST, training.average, self._pictures.classes, origin)
        training.save(self._checkpoint, **self._progress)

    def ship(self) -> Path:
        """The best weights of the run become those of the project."""
        options, recipe = self._options, self._training.recipe
        best = options.out / BEST
        return shipping.ship(
            best,
            options.ship,
            images=int(network_file.read_header(best).origin["images"]),
            fid=self._progress["best"] if self._judge is not None else None,
            pictures=options.pictures_note,
            recipe=recipe.model_dump(mode="json"),
            seconds=round(self._progress["seconds"]),
        )


def _mean(values: list[float]) -> float:
    """In half precision one may overflow now and then."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _some(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} others" if len(names) > 1 else "")


def _line(training: Training, numbers: dict[str, float]) -> str:
    return (
        f"{training.images / 1000:.0f} kimg  {numbers['images_per_second']:.1f}/s  "
        f"D {numbers['loss/discriminator']:.2f}  G {numbers['loss/generator']:.2f}  "
        f"p {numbers['augment']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
