"""`python -m training.planets.train` as a user runs it: files, resuming, stopping, refusals, shipping."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from engines.worlds import WORLDS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """What prepare.py makes, two small discs a world."""
    folder = tmp_path_factory.mktemp("prepared")
    for index, world in enumerate(WORLDS):
        (folder / "64" / world).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGBA", (64, 64))
            grey = 20 * index + 10 * number
            ImageDraw.Draw(picture).ellipse((6, 6, 58, 58), fill=(grey, grey, grey, 255))
            picture.save(folder / "64" / world / f"{number:03}.png")
    return folder


def command(prepared: Path, run: Path, *more: str) -> list[str]:
    fixed = ["--size", "64", "--batch", "4", "--threads", "1", "--metric", "none", "--device", "cpu"]
    return [sys.executable, "-m", "training.planets.train", str(prepared), "--out", str(run), *fixed, *more]


def train(prepared: Path, run: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(prepared, run, *more), capture_output=True, text=True, check=False, timeout=150
    )


def test_a_run_leaves_everything_and_goes_on_where_it_stopped(prepared, tmp_path):
    # when
    first = train(prepared, tmp_path / "run", "--minutes", "0.03")
    # then
    assert first.returncode == 0, first.stderr
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["steps"] > 0
    assert (tmp_path / "run" / "best.safetensors").is_file()
    (sheet,) = (tmp_path / "run").glob("samples-*.png")
    with Image.open(sheet) as opened:
        assert opened.size == (12 * 64, 12 * 64)
    # when: the same again, with more time
    second = train(prepared, tmp_path / "run", "--minutes", "0.06")
    # then
    assert second.returncode == 0, second.stderr
    assert f"step {state['steps']}" in second.stderr.replace(",", "")
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] > state["steps"]


def test_ctrl_c_leaves_a_checkpoint(prepared, tmp_path):
    log = tmp_path / "run" / "log.jsonl"
    with subprocess.Popen(
        command(prepared, tmp_path / "run", "--evaluate-kimg", "1000"), stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 100
        while not log.is_file() or not log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] >= 20
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(line["images"] % 4 == 0 for line in lines)


def test_other_settings_do_not_overwrite_a_run(prepared, tmp_path):
    assert train(prepared, tmp_path / "run", "--minutes", "0.01").returncode == 0
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    other = train(prepared, tmp_path / "run", "--minutes", "0.02", "--seed", "2")
    assert other.returncode == 1
    assert "seed" in other.stderr
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_a_folder_without_pictures_is_refused(tmp_path):
    done = train(tmp_path, tmp_path / "run")
    assert done.returncode == 1
    assert "prepare.py" in done.stderr


@pytest.mark.parametrize("wrong", [["--size", "65"], ["--variant", "v3"], ["--minutes", "soon"]])
def test_a_wrong_command_line_is_refused(prepared, tmp_path, wrong):
    done = train(prepared, tmp_path / "run", *wrong)
    assert done.returncode == 2
    assert wrong[0] in done.stderr
