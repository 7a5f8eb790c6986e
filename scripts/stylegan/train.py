"""Train StyleGAN2-ADA on pictures of your own; stop it and start it again at any time.

    python scripts/stylegan/train.py DATA --out runs/flowers              25 million pictures, as the papers
    python scripts/stylegan/train.py DATA --out runs/flowers              again: goes on where it stopped
    python scripts/stylegan/train.py DATA --out runs/fast --from style.pkl --freeze-d 4 --kimg 1000
    torchrun --nproc-per-node 8 scripts/stylegan/train.py DATA --out runs/flowers         on eight GPUs

DATA is a folder or a ZIP of square pictures whose side is a power of two (else --resize), and dataset.json
with labels where there are any. RUN holds checkpoint.pt (everything a run needs to go on exactly as it would
have), best.safetensors (the averaged generator; the engine reads it), samples-*.png, log.jsonl, and
TensorBoard's files where it is installed (pip install ".[train]"). A run on several GPUs is the same as on
one but for rounding.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

# Threads that wait must not spin: beside other work that costs more than it gains.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Huge pages for tensors: a step is some 10 % faster.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from rich.console import Console  # noqa: E402

from engines.base import EngineError  # noqa: E402
from engines.stylegan import network_file, processes  # noqa: E402
from engines.stylegan.dataset import Pictures  # noqa: E402
from engines.stylegan.train import NETWORKS, Training  # noqa: E402
from engines.torch_device import choose_device, device_label  # noqa: E402
from scripts.planets.running import Stop, progress_bar  # noqa: E402
from scripts.planets.writers import Writers  # noqa: E402
from scripts.stylegan import options as command_line  # noqa: E402
from scripts.stylegan import shipping  # noqa: E402
from scripts.stylegan.judge import Judge  # noqa: E402
from scripts.stylegan.samples import row_labels, sheet  # noqa: E402
from scripts.stylegan.sources import CHECKPOINT, networks  # noqa: E402

#: The averaged generator of a run, the best or the newest.
BEST = "best.safetensors"
#: Steps between two lines of the log.
_EVERY = 20


def main() -> int:
    """Train, and say by the status how it ended: 0 done, 1 refused, 130 stopped (and resumable)."""
    options = command_line.parsed(__doc__)
    torch.set_num_threads(options.threads)
    try:
        device = _device(options.device)
        return _run(options, device, Console(stderr=True, quiet=processes.rank() != 0))
    except (EngineError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _device(name: str | None) -> torch.device:
    """The device of this process; under torchrun the processes find each other here."""
    if "RANK" not in os.environ:
        return choose_device(name)
    device = choose_device(name)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def _run(options: argparse.Namespace, device: torch.device, console: Console) -> int:
    pictures = Pictures(options.data, labels=options.cond, resize=options.resize, mirror=options.mirror)
    recipe = command_line.recipe_of(options, pictures, processes.count())
    low_precision = command_line.low_precision(options.precision, device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
    training = Training(
        recipe, pictures, device, low_precision=low_precision, threads=max(options.threads, 2)
    )
    run = Run(training, options, pictures, console)
    options.out.mkdir(parents=True, exist_ok=True)
    run.begin()
    finest = str(low_precision or torch.float32).removeprefix("torch.")
    console.print(
        f"{len(pictures)} pictures of {pictures.side} px, {pictures.label_size or 'no'} classes; "
        f"{options.config}, batch {recipe.batch}, gamma {recipe.gamma:.4g}; {processes.count()} x "
        f"{device_label(device)}, finest blocks in {finest}; "
        f"at {training.images / 1000:.1f} kimg"
    )
    try:
        stopped = run.train()
    finally:
        training.close()
        pictures.close()
    if options.ship and processes.rank() == 0:
        print(run.ship())
    return 130 if stopped else 0


class Run:
    """A training and the folder it lives in; only the first of several processes writes there."""

    def __init__(
        self, training: Training, options: argparse.Namespace, pictures: Pictures, console: Console
    ) -> None:
        self._training, self._options, self._pictures, self._console = training, options, pictures, console
        self._writes = processes.rank() == 0
        self._checkpoint = options.out / CHECKPOINT
        self._progress = {"seconds": 0.0, "best": float("inf")}
        self._labels = row_labels(pictures)
        self._judge: Judge | None = None

    def begin(self) -> None:
        """Where it stopped, or else with the weights that were asked for.

        Raises ValueError when the folder holds a run with other settings, and as `networks` does.
        """
        if self._checkpoint.is_file():
            try:
                self._progress = self._training.restore(self._checkpoint)
            except (ValueError, RuntimeError, EOFError, KeyError, UnpicklingError) as error:
                raise ValueError(f"{error} (choose another --out, or the same settings)") from error
            return
        if self._options.begin is None:
            return
        given = networks(self._options.begin)
        missing = self._training.adopt(given)
        wanted = sum(len(getattr(self._training, name).state_dict()) for name in NETWORKS)
        self._console.print(
            f"{self._options.begin} has {', '.join(given)}: {wanted - len(missing)} of {wanted} tensors fit"
            + (f"; anew begin {missing[0]} and others" if missing else "")
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
        bar = progress_bar(self._console)
        by_time = options.minutes is not None
        task = bar.add_task("training", total=limit if by_time else images)
        stopped = False
        with bar, Writers(options.out) if self._writes else nullcontext() as writers:
            began, first = progress["seconds"], training.images
            while training.images < images and progress["seconds"] < limit:
                started = time.monotonic()
                numbers = training.step()
                progress["seconds"] = self._agreed(progress["seconds"] + time.monotonic() - started)
                stopped = self._agreed(float(stop.asked)) > 0.0
                if training.steps % _EVERY == 0:
                    numbers["images_per_second"] = (training.images - first) / (progress["seconds"] - began)
                    done = progress["seconds"] if by_time else training.images
                    bar.update(task, completed=done, description=_line(training, numbers))
                    if writers is not None:
                        writers.write(training.images, numbers)
                if training.steps % every == 0:
                    self._evaluate(writers)
                if stopped:
                    break
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
        """A sheet, the weights when they are the best so far, and the checkpoint."""
        if writers is None:
            return
        training, out = self._training, self._options.out
        number = f"{training.images / 1000:08.1f}"
        sheet(training.average, self._labels, training.device, training.recipe.seed).save(
            out / f"samples-{number}.png"
        )
        if self._judge is None:
            score = -float(training.images)
        else:
            score = self._judge.fid(training.average, training.recipe.seed)
            writers.write(training.images, {"fid": score, "seconds": self._progress["seconds"]})
        if score < self._progress["best"]:
            self._progress["best"] = score
            origin = {"images": str(training.images), "config": self._options.config}
            shipping.write(out / BEST, training.average, self._pictures.classes, origin)
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


def _line(training: Training, numbers: dict[str, float]) -> str:
    return (
        f"{training.images / 1000:.0f} kimg  {numbers['images_per_second']:.1f}/s  "
        f"D {numbers['loss/discriminator']:.2f}  G {numbers['loss/generator']:.2f}  "
        f"p {numbers['augment']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
