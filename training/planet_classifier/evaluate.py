"""Measure the shipped planet classifier on pictures that it was not trained on.

    python -m training.planet_classifier.evaluate DATA --originals PLANETS --photographs A B --out OUT

DATA is what prepare.py made, PLANETS the pictures it was made of (a folder for each world): those of the
held-out tenth (`data.held_out`) are read as anyone's pictures are. A and B are folders of photographs that
were not trained on; scikit-image's sample pictures are added where it is installed.

Accuracy, calibration error and AUROC of planets against photographs (whole and cropped) and against drawn
things of another seed; accuracy and refusals under each kind of augmentation; every photograph that was taken
for a planet, by name. Prints tables; writes metrics.json into OUT.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from engines.base import BadInput
from engines.images import load_rgb
from engines.planet_classifier.network import WEIGHTS, Network
from engines.planet_classifier.pictures import letterbox
from engines.seeds import generator
from engines.torch_device import choose_device
from engines.worlds import WORLDS
from training.planet_classifier import figures, negatives
from training.planet_classifier.batches import Batches
from training.planet_classifier.training import Logits
from training.planet_classifier.views import TRAINING, kinds
from training.planets import data

try:
    from skimage import data as samples
except ImportError:  # the extra "dev" brings it
    samples = None  # type: ignore[assignment]  # a module, or nothing

#: Pixels of the prepared pictures that augmented views are made of.
SIZE = 128
#: Views of each held-out planet under each kind of augmentation.
_ROUNDS = 3
#: Squares out of each photograph, besides the whole.
_CROPS = 5
#: Another than any training's.
_SEED = 987_654_321
#: Of scikit-image's samples: the Moon's ground without a disc is neither a world's picture nor another thing.
_AMBIGUOUS = ("moon.png",)


@dataclass(frozen=True)
class Photographs:
    """Pictures of one source, and what the network says of them."""

    name: str
    #: What each is called: the file, with the number of the crop.
    titles: list[str]
    logits: Logits
    files: int


def evaluate(options: argparse.Namespace, network: Network) -> dict[str, Any]:
    """All figures, as they are written to metrics.json."""
    pictures = data.load(options.data, SIZE, WORLDS)
    _, held = data.held_out(pictures)
    planets = pictures.subset(held)
    sources = [seen(network, name, files) for name, files in photograph_sources(options.photographs)]
    drawn = negatives.drawn(options.drawn, _SEED)
    batches = Batches(planets, drawn, 64, _SEED)
    own = as_they_are(network, options, planets)
    others = torch.cat([source.logits.planets for source in sources])
    found: dict[str, Any] = {
        "held_out": {"pictures": len(planets.labels), **judged(network, own, planets.labels)},
        "photographs": {source.name: refused(network, own.planets, source) for source in sources},
        "all_photographs": {
            "pictures": len(others),
            "auroc": figures.auroc(own.planets, others),
            "score_ece": figures.score_calibration_error(network.calibration, own.planets, others),
        },
        "drawn": against_drawn(network, own.planets, drawn, batches),
        "augmented": {},
    }
    for name, odds in kinds().items():
        parts = [batches.all_planets(odds, _SEED + number) for number in range(_ROUNDS)]
        logits = look(network, torch.cat([part.views for part in parts]))
        labels = torch.cat([part.labels for part in parts])
        found["augmented"][name] = {
            **judged(network, logits, labels),
            "auroc": figures.auroc(logits.planets, others),
        }
    return found


def as_they_are(network: Network, options: argparse.Namespace, planets: data.Pictures) -> Logits:
    """What is said of the original files of the held-out planets; without them, of the prepared ones."""
    if options.originals is None:
        return look(network, planets.pixels[:, :3].float() / 255.0)
    manifest = json.loads((options.data / "manifest.json").read_text())
    source = {
        f"{world}/{picture['name']}": options.originals / world / picture["source"]
        for world, told in manifest["worlds"].items()
        for picture in told["pictures"]
        if picture["kept"]
    }
    return look(network, squares([load_rgb(source[name]) for name in planets.names]))


def photograph_sources(folders: list[Path]) -> Iterator[tuple[str, list[Path]]]:
    """(name, files) of each folder, and of scikit-image's samples."""
    for folder in folders:
        yield folder.name, negatives.photograph_files([folder])
    if samples is None:
        return
    folder = Path(samples.__file__).parent
    found = [file for suffix in ("png", "jpg", "gif", "tif") for file in sorted(folder.glob(f"*.{suffix}"))]
    yield "scikit-image", [file for file in found if file.name not in _AMBIGUOUS]


def seen(network: Network, name: str, files: list[Path]) -> Photographs:
    """Look at each file, whole and in squares; files that cannot be read are passed over."""
    titles, views, read = [], [], 0
    for file in files:
        try:
            picture = load_rgb(file)
        except BadInput:
            continue
        read += 1
        for title, part in parts_of(picture, file.name):
            titles.append(title)
            views.append(letterbox(part))
    if not views:
        raise SystemExit(f"no pictures in {name}")
    return Photographs(name, titles, look(network, torch.from_numpy(np.stack(views))), read)


def parts_of(picture: Image.Image, name: str) -> Iterator[tuple[str, Image.Image]]:
    """The whole, and squares of 0.3 to 0.9 of its short side; the same for the same name."""
    yield name, picture
    least = min(picture.size)
    if least < 48:
        return
    for number in range(_CROPS):
        u, v, w = torch.rand(3, generator=generator(_SEED, f"crop {name}", 0, number)).tolist()
        side = int(least * (0.3 + 0.6 * u))
        left, top = int((picture.width - side) * v), int((picture.height - side) * w)
        yield f"{name} #{number + 1}", picture.crop((left, top, left + side, top + side))


def squares(pictures: list[Image.Image]) -> Tensor:
    """(N, 3, SIDE, SIDE), as the engine sees them."""
    return torch.from_numpy(np.stack([letterbox(picture) for picture in pictures]))


def look(network: Network, views: Tensor) -> Logits:
    """(N, 3, S, S) -> what the shipped network says of them."""
    return Logits(*network.logits(views.numpy()))


def judged(network: Network, logits: Logits, labels: Tensor) -> dict[str, float]:
    """Figures on planets: right worlds; right and not refused; calibration; refused."""
    calibration = network.calibration
    known = calibration.scores(logits.planets) >= calibration.threshold
    return {
        "accuracy": figures.accuracy(logits.worlds, labels),
        "accuracy_with_refusals": ((logits.worlds.argmax(1) == labels) & known).double().mean().item(),
        "ece": figures.world_calibration_error(calibration, logits.worlds, labels),
        "refused": 1.0 - known.double().mean().item(),
    }


def refused(network: Network, planets: Tensor, source: Photographs) -> dict[str, Any]:
    """Figures on photographs, and those that were taken for planets."""
    calibration = network.calibration
    scores = calibration.scores(source.logits.planets)
    known = scores >= calibration.threshold
    order = scores.argsort(descending=True).tolist()
    return {
        "files": source.files,
        "pictures": len(scores),
        "auroc": figures.auroc(planets, source.logits.planets),
        "refused": 1.0 - known.double().mean().item(),
        "taken_for_planets": {
            source.titles[index]: round(scores[index].item(), 3) for index in order if known[index]
        },
        "highest": {source.titles[index]: round(scores[index].item(), 3) for index in order[:5]},
    }


def against_drawn(
    network: Network, planets: Tensor, drawn: negatives.Negatives, batches: Batches
) -> dict[str, dict[str, float]]:
    """Drawn pictures and things of a seed never trained on: as they are on black, and augmented."""
    sets = {
        "frames": drawn.frames[:, :3].float() / 255.0,
        "things": drawn.things[:, :3].float() / 255.0,
        "augmented": batches.negatives(len(drawn.things), TRAINING, generator(_SEED, "drawn")),
    }
    found = {}
    for name, views in sets.items():
        logits = look(network, views).planets
        known = network.calibration.scores(logits) >= network.calibration.threshold
        found[name] = {
            "pictures": len(views),
            "auroc": figures.auroc(planets, logits),
            "refused": 1.0 - known.double().mean().item(),
        }
    return found


def tables(found: dict[str, Any]) -> Iterator[Table]:
    """The figures, to print."""
    rows = {"held out, original files": found["held_out"], **found["augmented"]}
    yield _table("planets", rows, ("accuracy", "accuracy_with_refusals", "ece", "refused", "auroc"))
    rows = {**found["photographs"], **{f"drawn: {name}": row for name, row in found["drawn"].items()}}
    rows["all photographs"] = found["all_photographs"]
    yield _table("other pictures", rows, ("files", "pictures", "auroc", "refused", "score_ece"))


def _table(title: str, rows: dict[str, dict[str, Any]], columns: tuple[str, ...]) -> Table:
    table = Table(title, *columns)
    for name, row in rows.items():
        values = (row.get(column, "") for column in columns)
        table.add_row(name, *(f"{value:.4f}" if isinstance(value, float) else str(value) for value in values))
    return table


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the folder prepare.py wrote")
    add("--originals", type=Path, metavar="DIR", help="the pictures it was made of, to read those held out")
    add("--photographs", type=Path, nargs="+", default=[], metavar="DIR", help="folders of photographs")
    add("--drawn", type=int, default=390, help="drawn pictures of each kind (default: %(default)s)")
    add("--out", type=Path, required=True, help="where metrics.json goes; made when absent")
    add("--weights", type=Path, default=WEIGHTS, metavar="DIR", help="other weights than those shipped")
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    add("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = evaluate(options, Network(choose_device(options.device), options.weights))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "metrics.json").write_text(json.dumps(found, indent=2) + "\n")
    console = Console()
    for table in tables(found):
        console.print(table)
    for name, row in found["photographs"].items():
        console.print(
            f"{name}, taken for planets: {row['taken_for_planets'] or 'none'}; highest {row['highest']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
