"""Measure trained planet generators against all real pictures of the size, and show what they make.

    python -m training.planets.evaluate DATA --weights engines/planets/weights/planets-64-v1.safetensors \
        --size 64 --count 5000 --seed 1 --against runs/baseline/checkpoint.safetensors --out runs/evaluation

FID, KID, improved precision and recall, overall and for each world; how often the classifier recognises the
world that was asked for; how near the planets come to training pictures. The features are those of the
project's own classifier. It was trained on these pictures: it knows planets well, and an FID on it is not
that of papers. Of each world as many planets are made as there are real pictures, in proportion, in 8 bits
as files have. `--against` takes checkpoints of baseline.py, which knows no worlds.

Into --out: metrics.json, report.md, samples.png (a row for each world), comparison.png (real, ours, the
baseline), memorisation.png (planets and the training pictures nearest to them).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from engines.base import EngineError
from engines.planet_classifier.network import load_classifier, load_trunk
from engines.planets.model import VARIANTS, Generator
from engines.planets.spec import LATENT
from engines.seeds import generator as random_for
from engines.torch_device import channels_last, choose_device
from engines.worlds import WORLDS
from training import metrics
from training.metrics import Array
from training.planets import baseline, figures, report
from training.planets.codes import noise
from training.planets.data import Pictures, load
from training.planets.memorisation import Comparison

_BATCH = 64
#: Planets of a world that can be measured: one and its three nearest.
LEAST = 4
#: Planets of each world on samples.png, and pictures of each kind on comparison.png.
_COLUMNS, _SHOWN = 12, 48


@dataclass(frozen=True)
class Eye:
    """What looks at pictures, (B, 3, S, S) in 0..1 on black."""

    name: str
    features: metrics.Features
    #: -> (B,) the index of the world it takes each for, -1 for none.
    world: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Made:
    """What one generator made."""

    name: str
    #: (N, 3 or 4, S, S) uint8 on black.
    pixels: Tensor
    #: (N,) the worlds asked for; None where it cannot be asked.
    labels: Tensor | None
    parameters: int
    seconds: float


def classifier_eye(device: torch.device) -> Eye:
    """The project's own classifier. Raises EngineError when its weights are not what was shipped."""
    return Eye("engines/planet_classifier", load_trunk(device), load_classifier(device))


# --- what is made -----------------------------------------------------------------------------------


def load_ours(file: Path, size: int) -> Generator:
    """The generator of a file of weights. Raises ValueError when it is none of this size."""
    with safetensors.safe_open(file, framework="pt") as opened:
        metadata = dict(opened.metadata() or {})
    said, variant = metadata.get("size", str(size)), metadata.get("variant", "v1")
    if said != str(size) or variant not in VARIANTS:
        raise ValueError(f"{file} is a net of {said} pixels, {variant}; wanted is one of {size}")
    net = Generator(size, variant)
    tensors = safetensors.torch.load_file(file)
    try:
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as error:
        raise ValueError(f"{file} is no generator of {size} pixels: {error}") from error
    return net.eval()


def in_proportion(labels: Tensor, count: int) -> Tensor:
    """(count,) labels in which each comes as often as in `labels`, in proportion."""
    places = (torch.arange(count).double() + 0.5) / count * len(labels)
    return labels.sort().values[places.long()]


@torch.inference_mode()
def made_by_ours(name: str, net: Generator, labels: Tensor, seed: int, device: torch.device) -> Made:
    """A planet for each label, in float32 as the engine computes."""
    net = channels_last(net.to(device))
    draw = random_for(seed, "evaluate")
    z = torch.randn(len(labels), LATENT, generator=draw)
    worlds = F.one_hot(labels, len(WORLDS)).float()
    began = time.perf_counter()
    parts = [
        net(some.to(device), of.to(device), noise(len(some), net.size, draw).to(device)).cpu()
        for some, of in zip(torch.split(z, _BATCH), torch.split(worlds, _BATCH), strict=True)
    ]
    seconds = time.perf_counter() - began
    return Made(name, as_bytes(torch.cat(parts)), labels, _parameters(net), seconds)


def made_by_baseline(
    name: str, net: baseline.PublishedGenerator, count: int, seed: int, device: torch.device
) -> Made:
    """Pictures of the published recipe."""
    net = channels_last(net.to(device))
    began = time.perf_counter()
    pixels = baseline.make(net, count, seed)
    return Made(name, pixels, None, _parameters(net), time.perf_counter() - began)


def as_bytes(pictures: Tensor) -> Tensor:
    """[-1, 1] -> uint8, as files are written."""
    return pictures.float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def _parameters(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


# --- what is measured -------------------------------------------------------------------------------


def distances(real: Array, made: Array, seed: int) -> dict[str, Any]:
    """FID, KID, precision and recall of two sets of features."""
    precision, recall = metrics.precision_recall(real, made)
    return {
        "real_pictures": len(real),
        "made_pictures": len(made),
        "fid": metrics.fid(real, made),
        "kid": asdict(metrics.kid(real, made, seed=seed)),
        "precision": precision,
        "recall": recall,
    }


def agreement(eye: Eye, pixels: Tensor, labels: Tensor, device: torch.device) -> dict[str, float]:
    """The share that is taken for the world it is of, in all and by world."""
    seen = metrics.extract(lambda part: eye.world(part)[:, None], pixels, device)[:, 0]
    right = torch.from_numpy(seen).long() == labels
    found = {"all": float(right.double().mean())}
    for index, world in enumerate(WORLDS):
        if bool((labels == index).any()):
            found[world] = float(right[labels == index].double().mean())
    return found


def measure(
    eye: Eye, pictures: Pictures, real: Array, made: Made, seed: int, device: torch.device
) -> dict[str, Any]:
    """Everything about one generator but memorisation."""
    features = metrics.extract(eye.features, made.pixels, device)
    found: dict[str, Any] = {
        "name": made.name,
        "parameters": made.parameters,
        "pictures_per_second": round(len(made.pixels) / made.seconds, 1),
        **distances(real, features, seed),
    }
    if made.labels is not None:
        found["agreement"] = agreement(eye, made.pixels, made.labels, device)
        found["worlds"] = {
            world: distances(
                real[(pictures.labels == index).numpy()], features[(made.labels == index).numpy()], seed
            )
            for index, world in enumerate(WORLDS)
        }
    return found


def halves(real: Array, labels: Tensor, seed: int) -> dict[str, Any]:
    """One half of the real pictures of each world against the other: what no generator need be better than.

    With half as many pictures, which makes FID larger.
    """
    order = torch.randperm(len(real), generator=random_for(seed, "halves"))
    by_world = order[labels[order].argsort(stable=True)].numpy()
    return distances(real[by_world[::2]], real[by_world[1::2]], seed)


# --- what is shown ----------------------------------------------------------------------------------


def samples_sheet(made: Made) -> Image.Image:
    """A row of planets for each world."""
    assert made.labels is not None
    rows = []
    for index, world in enumerate(WORLDS):
        chosen = torch.nonzero(made.labels == index).flatten()[:_COLUMNS]
        rows.append(figures.captioned(figures.grid(made.pixels[chosen], _COLUMNS), world))
    return figures.joined(rows, down=True, gap=2)


def comparison_sheet(pictures: Pictures, ours: Made, others: Sequence[Made], seed: int) -> Image.Image:
    """Real pictures, ours and those of the first of the others side by side, drawn at random."""
    sets = [("real", pictures.pixels), ("ours", ours.pixels)]
    sets += [("the published recipe", other.pixels) for other in others[:1]]
    shown = []
    for name, pixels in sets:
        chosen = torch.randperm(len(pixels), generator=random_for(seed, "comparison"))[:_SHOWN]
        shown.append(figures.captioned(figures.grid(pixels[chosen], 6), name))
    return figures.joined(shown)


# --- the command ------------------------------------------------------------------------------------


def evaluate(arguments: argparse.Namespace, eye: Eye, device: torch.device) -> dict[str, Any]:
    """Measure all that was asked for, write the pictures, and return what metrics.json holds."""
    pictures = load(arguments.data, arguments.size, WORLDS)
    if arguments.count < LEAST * len(WORLDS):
        raise ValueError(f"--count must be {LEAST * len(WORLDS)} or more: {LEAST} of each world")
    labels = in_proportion(pictures.labels, arguments.count)
    # All are loaded before any draws: a wrong file is told at once.
    nets = [(_name(file), load_ours(file, arguments.size)) for file in arguments.weights]
    published = [(f"baseline {_name(file)}", baseline.load_generator(file)) for file in arguments.against]
    for name, net in published:
        if net.size != arguments.size:
            raise ValueError(f"{name} makes {net.size} pixels, not {arguments.size}")
    ours = [made_by_ours(name, net, labels, arguments.seed, device) for name, net in nets]
    others = [made_by_baseline(name, net, arguments.count, arguments.seed, device) for name, net in published]
    real = metrics.extract(eye.features, pictures.pixels, device)
    comparison = Comparison(pictures, eye.features, device)
    runs = []
    for made in (*ours, *others):
        run = measure(eye, pictures, real, made, arguments.seed, device)
        chosen = torch.randperm(len(made.pixels), generator=random_for(arguments.seed, "memorisation"))
        shown = made.pixels[chosen[: arguments.planets]]
        found = comparison.of(shown)
        run["memorisation"] = {one.space.name: one.summary() for one in found}
        runs.append(run)
        if made is ours[0]:
            comparison.sheet(shown, found).save(arguments.out / "memorisation.png")
    samples_sheet(ours[0]).save(arguments.out / "samples.png")
    comparison_sheet(pictures, ours[0], others, arguments.seed).save(arguments.out / "comparison.png")
    return {
        "size": arguments.size,
        "seed": arguments.seed,
        "features": {"of": eye.name, "numbers": real.shape[1]},
        "real": {
            "pictures": len(real),
            "agreement": agreement(eye, pictures.pixels, pictures.labels, device),
            "halves": halves(real, pictures.labels, arguments.seed),
        },
        "ours": runs[: len(ours)],
        "baselines": runs[len(ours) :],
    }


def _name(file: Path) -> str:
    """A file's name, or its folder's where all runs call their files so."""
    return file.resolve().parent.name if file.stem in ("best", "checkpoint") else file.stem


def options(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the folder that prepare.py wrote")
    add(
        "--weights",
        type=Path,
        nargs="+",
        required=True,
        help="safetensors of our generator; the first is shown",
    )
    add("--against", type=Path, nargs="*", default=[], help="checkpoints of baseline.py; the first is shown")
    add("--size", type=int, default=64, help="pixels (default: %(default)s)")
    add("--count", type=int, default=5000, help="planets of each generator (default: %(default)s)")
    add(
        "--planets",
        type=int,
        default=1000,
        help="of them looked up among the real ones (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="default: %(default)s")
    add("--threads", type=int, default=torch.get_num_threads(), help="of the CPU (default: %(default)s)")
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    add("--out", type=Path, required=True, help="folder of the report; made when absent")
    return parser.parse_args(given)


def main() -> int:
    """Evaluate; 1 when something is missing or is not what it should be."""
    arguments = options()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        found = evaluate(arguments, classifier_eye(device), device)
    except (EngineError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    (arguments.out / "metrics.json").write_text(json.dumps(found, indent=2) + "\n")
    text = report.markdown(found)
    (arguments.out / "report.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
