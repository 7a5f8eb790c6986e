"""The pictures of docs/stylegan.md and README.md, made by the engine with the network that is shipped.

python scripts/stylegan_pictures.py            # docs/images/stylegan.jpg and stylegan_walk.webp
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from engines.stylegan.engine import Engine
from engines.stylegan.network import Network
from engines.stylegan.spec import SHIPPED, WEIGHTS, StyleganParams
from engines.torch_device import choose_device
from tests.engines.recording import RecordingContext

FOLDER = Path(__file__).parents[1] / "docs" / "images"
#: Pictures of each class.
COLUMNS = 12


def main() -> None:
    """Write both, and say how large they are."""
    device = choose_device()
    network = Network(WEIGHTS / f"{SHIPPED[0]}.safetensors", device)
    engine = Engine(device)
    with tempfile.TemporaryDirectory() as scratch:
        context = RecordingContext(scratch=Path(scratch))
        drawn: list[Image.Image] = []
        for name in network.classes:
            wanted = {"seeds": list(range(COLUMNS)), "class": name, "truncation": 1.0}
            for output in engine.run(StyleganParams.model_validate(wanted), context):
                assert isinstance(output.data, bytes)
                drawn.append(Image.open(io.BytesIO(output.data), formats=("PNG",)))
        side = network.config.img_resolution
        sheet = Image.new("RGB", (COLUMNS * side, len(network.classes) * side))
        for number, picture in enumerate(drawn):
            sheet.paste(picture, (number % COLUMNS * side, number // COLUMNS * side))
        sheet.save(FOLDER / "stylegan.jpg", quality=90)
        walk = {"seeds": "1-6", "walk": "webp", "frames": 16, "truncation": 1.0}
        (film,) = engine.run(StyleganParams.model_validate(walk), context)
        assert isinstance(film.data, Path)
        shutil.copyfile(film.data, FOLDER / "stylegan_walk.webp")
    for path in (FOLDER / "stylegan.jpg", FOLDER / "stylegan_walk.webp"):
        print(path, f"{path.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
