"""The command line of train.py, and what follows from it: the recipe and the arithmetic."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engines.torch_device import has_native_bfloat16
from training.stylegan import recipes
from training.stylegan.augment_draws import PIPES
from training.stylegan.dataset import Pictures
from training.stylegan.recipes import Recipe

#: Thousand pictures in which augmentation grows from 0 to 1 when a run begins with a trained network.
TRANSFER_AUGMENT_KIMG = 100.0

_PRECISIONS: dict[str, torch.dtype | None] = {
    "float32": None,
    "float16": torch.float16,
    "bf16": torch.bfloat16,
}

#: Settings that an option of another name decides.
_OPTIONS = {
    "augment_p": "p",
    "augment_target": "target",
    "z_dim": "latent",
    "w_dim": "latent",
    "freeze_layers": "freeze-d",
}


def parsed(description: str | None, given: list[str] | None = None) -> argparse.Namespace:
    """The options; the program ends here when they are wrong."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _about_the_run(parser)
    _about_the_recipe(parser)
    _about_the_machine(parser)
    return parser.parse_args(given)


def _about_the_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the run").add_argument
    add("data", type=Path, metavar="DATA", help="a folder or a ZIP of square pictures")
    add("--out", type=Path, required=True, metavar="RUN", help="where the run lives; made when absent")
    add("--resize", type=int, metavar="SIDE", help="cut pictures to a square and scale them to this side")
    add("--cond", action="store_true", help="with classes: of dataset.json, else a folder each")
    add("--mirror", action="store_true", help="show every picture mirrored as well")
    add(
        "--from",
        dest="begin",
        type=Path,
        metavar="FILE",
        help="begin with the weights of another network: "
        "a .pkl, a .safetensors, or the folder of another run",
    )
    add(
        "--minutes",
        type=_number_above_0,
        help="end after this time of training steps, over all parts of a run",
    )
    add("--kimg", type=float, help="end after this many thousand pictures (default: the configuration's)")
    add(
        "--evaluate-kimg",
        type=_number_above_0,
        default=20.0,
        help="thousand pictures between checkpoints, sheets and measurements (default: %(default)s)",
    )
    add(
        "--metric",
        choices=("none", "fid"),
        default="none",
        help="fid: on the features of the project's "
        "classifier, for pictures of planets, and the best is kept; none: the newest is kept",
    )
    add("--ship", metavar="NAME", help="enter the weights into engines/stylegan/weights under this name")
    add("--pictures-note", default="", help="with --ship: what the pictures are, for the register")


def _about_the_recipe(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the recipe (default: what the configuration says)").add_argument
    add("--config", choices=get_args(recipes.Name), default="auto", help="default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add("--batch", type=int, help="pictures a step, on all GPUs together")
    add("--learning-rate", type=float, help="Adam's, of both networks")
    add("--gamma", type=float, help="weight of R1")
    add("--path-length", type=float, metavar="WEIGHT", help="0: none")
    add("--average-kimg", type=float, help="half-life of the average of weights")
    add("--augment", choices=("none", *PIPES), help="the augmentations (default: bgc)")
    probability = parser.add_mutually_exclusive_group()
    probability.add_argument(
        "--p", type=float, help="a fixed probability of augmentation (default: adaptive)"
    )
    probability.add_argument(
        "--target", type=float, help="mean sign of the scores of real pictures that augmentation aims at"
    )
    add("--augment-kimg", type=float, help="thousand pictures in which augmentation may grow from 0 to 1")
    add(
        "--freeze-d",
        type=int,
        default=0,
        metavar="LAYERS",
        help="finest layers of the discriminator that stay",
    )
    add("--channel-base", type=int, help="channels of a block, times its side")
    add("--channel-max", type=int, help="channels of a block at most")
    add("--latent", type=int, help="numbers in z and in w")
    add("--mapping-layers", type=int, help="layers between z and w")


def _about_the_machine(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the machine").add_argument
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    add(
        "--precision",
        choices=("auto", *_PRECISIONS),
        default="auto",
        help="of the finest blocks (default: float16 on a GPU, bf16 on CPUs with units for it)",
    )
    add(
        "--threads",
        type=_whole_number,
        default=torch.get_num_threads(),
        help="CPU threads (default: %(default)s)",
    )


def _number_above_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def _whole_number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)


def recipe_of(options: argparse.Namespace, pictures: Pictures, gpus: int) -> Recipe:
    """The configuration with what was asked for otherwise; `gpus` is what the formulas of `auto` take.

    Raises ValueError for what cannot be.
    """
    base = recipes.recipe(options.config, pictures.side, pictures.channels, pictures.label_size, gpus)
    both = _given(options, "channel_base", "channel_max")
    generator = both | _given(options, "mapping_layers")
    if options.latent is not None:
        generator |= {"z_dim": options.latent, "w_dim": options.latent}
    discriminator = both | {"freeze_layers": options.freeze_d}
    changes = _given(
        options, "batch", "learning_rate", "gamma", "path_length", "average_kimg", "augment_kimg", "kimg"
    )
    if options.batch is not None:
        # The formulas of `auto` are those of its batch; another one keeps R1's and the average's weight.
        group = base.discriminator.mbstd_group_size
        discriminator["mbstd_group_size"] = min(group or options.batch, max(options.batch // gpus, 1))
    if options.begin is not None:
        changes.setdefault("augment_kimg", TRANSFER_AUGMENT_KIMG)
        # An average that has learned already need not forget fast.
        changes["average_ramp"] = None
    if options.augment is not None:
        changes["augment"] = None if options.augment == "none" else options.augment
    if options.target is not None:
        changes["augment_target"] = options.target
    if options.p is not None:
        changes |= {"augment_p": options.p, "augment_target": None}
    try:
        return base.changed(
            seed=options.seed,
            generator=base.generator.model_dump() | generator,
            discriminator=base.discriminator.model_dump() | discriminator,
            **changes,
        )
    except ValidationError as error:
        raise ValueError("\n".join(dict.fromkeys(map(_told, error.errors())))) from error


def _told(error: ErrorDetails) -> str:
    """One thing that is wrong with a recipe, by the option that says it."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][-1])
    return f"--{_OPTIONS.get(name, name).replace('_', '-')}: {message}"


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def low_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """What the finest blocks compute in; None: float32 as all the rest."""
    if precision != "auto":
        return _PRECISIONS[precision]
    if device.type == "cuda":
        return torch.float16
    # With AVX-512 BF16 alone a step takes two thirds of the time at 64 px.
    return torch.bfloat16 if device.type == "cpu" and has_native_bfloat16(device) else None
