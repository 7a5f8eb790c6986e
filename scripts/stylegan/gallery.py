"""The pictures of docs/stylegan.md and README.md, made by the engine with the network that is shipped.

python scripts/stylegan/gallery.py            # docs/images/stylegan.jpg and stylegan_walk.webp
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

from PIL import Image  # noqa: E402

from engines.stylegan.engine import Engine  # noqa: E402
from engines.stylegan.network import Network  # noqa: E402
from engines.stylegan.spec import SHIPPED, SPEC  # noqa: E402
from engines.torch_device import choose_device  # noqa: E402
from scripts.stylegan.shipping import WEIGHTS  # noqa: E402
from tests.engines.recording import RecordingContext  # noqa: E402

FOLDER = ROOT / "docs" / "images"
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
            params = SPEC.params(**{"seeds": list(range(COLUMNS)), "class": name, "truncation": 1.0})
            drawn += [
                Image.open(io.BytesIO(output.data), formats=("PNG",))
                for output in engine.run(params, context)
            ]
        side = network.config.img_resolution
        sheet = Image.new("RGB", (COLUMNS * side, len(network.classes) * side))
        for number, picture in enumerate(drawn):
            sheet.paste(picture, (number % COLUMNS * side, number // COLUMNS * side))
        sheet.save(FOLDER / "stylegan.jpg", quality=90)
        walk = {"seeds": "1-6", "walk": "webp", "frames": 16, "truncation": 1.0}
        (film,) = engine.run(SPEC.params(**walk), context)
        shutil.copyfile(film.data, FOLDER / "stylegan_walk.webp")
    for path in (FOLDER / "stylegan.jpg", FOLDER / "stylegan_walk.webp"):
        print(path, f"{path.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
