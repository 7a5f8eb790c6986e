"""How near the pictures of a network of planets come to real ones: FID, precision and recall.

    python -m training.stylegan.evaluate DATA engines/stylegan/weights/planets-preview.safetensors

DATA is what the network was trained on, a folder for each class. Measured on the features of the project's
planet classifier, so the figures compare with those of training/planets/evaluate.py and with no paper's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from engines.base import EngineError
from engines.stylegan.network import Network
from engines.torch_device import choose_device
from training.metrics import fid, precision_recall
from training.stylegan.dataset import Pictures
from training.stylegan.judge import Judge


def main() -> int:
    """Print the figures; 1 when something cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="the pictures")
    add("network", type=Path, metavar="NETWORK", help="a .safetensors of training/stylegan/train.py")
    add("--count", type=int, default=5000, help="made pictures (default: %(default)s)")
    add("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    device = choose_device()
    try:
        network = Network(arguments.network, device)
        pictures = Pictures(arguments.data, labels=network.config.c_dim > 0)
        judge = Judge(pictures, device)
    except (EngineError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    made = judge.made(network.generator, arguments.seed, arguments.count)
    precision, recall = precision_recall(judge.real, made)
    print(f"FID {fid(judge.real, made):.2f}, precision {precision:.3f}, recall {recall:.3f}")
    print(f"{len(made)} made pictures against {len(judge.real)} real ones")
    return 0


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(main())
