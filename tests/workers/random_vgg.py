"""`python -m tests.workers.random_vgg`: a worker that takes any file for the VGG-19 and paints briefly.

The published weights are half a gigabyte; what is tested with this needs the way through, not the picture. A
pool child imports its parent's main module, so what is changed here holds in it too.
"""

from dataclasses import replace

from engines.neural_style import engine
from engines.weights import WEIGHTS
from workers.__main__ import main

WEIGHTS["vgg19"] = replace(WEIGHTS["vgg19"], sha256_prefix="")
engine.GATYS_ITERATIONS = {"draft": (60, 20)}

if __name__ == "__main__":
    main()
