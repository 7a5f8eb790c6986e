"""The pictures of planets in README.md and docs/planets.md, made by the engine with the shipped weights.

python scripts/planets_pictures.py            # docs/images/planets.jpg and planets_morph.webp
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from PIL import Image

from engines.planets.engine import Engine
from engines.planets.latents import planets_of
from engines.planets.network import Network
from engines.planets.pictures import picture
from engines.planets.spec import PlanetsParams, World
from engines.torch_device import choose_device
from engines.worlds import WORLDS
from tests.engines.recording import RecordingContext

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIDE = 128
SEED = 7
#: Planets of each world, and rows of mixed ones below them.
COLUMNS = 10
MIXES: tuple[World, ...] = ({"earth": 0.5, "mars": 0.5}, {"pluto": 0.5, "venus": 0.5}, "any")


def main() -> None:
    """Draw and write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    network = Network(SIDE, choose_device())
    rows: list[World] = [*WORLDS, *MIXES]
    sheet = Image.new("RGB", (COLUMNS * SIDE, len(rows) * SIDE))
    for row, world in enumerate(rows):
        planets = planets_of(PlanetsParams(world=world, count=COLUMNS), SEED)
        codes = (planet.code(1.0, network.noise) for planet in planets)
        for column, one in enumerate(network.draw(codes)):
            sheet.paste(picture(one, transparent=False), (column * SIDE, row * SIDE))
    sheet.save(FOLDER / "planets.jpg", quality=88, optimize=True)
    with tempfile.TemporaryDirectory() as folder:
        params = PlanetsParams(seed=SEED, count=6, morph="webp", morph_fps=12, size=SIDE)
        (morph,) = Engine().run(params, RecordingContext(scratch=Path(folder)))
        assert isinstance(morph.data, Path)
        shutil.copyfile(morph.data, FOLDER / "planets_morph.webp")
    for name in ("planets.jpg", "planets_morph.webp"):
        print(FOLDER / name, f"{(FOLDER / name).stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
