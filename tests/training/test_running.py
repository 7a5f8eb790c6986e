"""What trainers share: options become a recipe, a run goes on or says why not, a signal is heeded once."""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import dataclass

import pytest
import torch

from training.running import Stop, command_line, halved, recipe_from, resumed


@dataclass(frozen=True)
class Recipe:
    size: int
    rate: float = 0.1


def test_a_recipe_is_the_options_of_its_names():
    options = argparse.Namespace(size=64, rate=0.5, threads=2)

    assert recipe_from(Recipe, options) == Recipe(64, 0.5)


def test_a_command_line_asks_for_pictures_and_a_folder(capsys):
    parser = command_line("Train something.")

    assert str(parser.parse_args(["data", "--out", "run"]).out) == "run"
    with pytest.raises(SystemExit):
        parser.parse_args(["data"])
    assert "--out" in capsys.readouterr().err


def test_a_run_without_a_checkpoint_begins(tmp_path):
    assert resumed(lambda _path: {"seconds": 1.0}, tmp_path / "checkpoint.pt") is None


def test_a_run_with_one_goes_on(tmp_path):
    (tmp_path / "checkpoint.pt").touch()

    assert resumed(lambda _path: {"seconds": 1.0}, tmp_path / "checkpoint.pt") == {"seconds": 1.0}


@pytest.mark.parametrize("error", [ValueError, RuntimeError])
def test_one_that_does_not_fit_is_refused_with_advice(tmp_path, error):
    (tmp_path / "checkpoint.pt").touch()

    def restore(_path):
        raise error("other settings")

    with pytest.raises(ValueError, match=r"other settings \(choose another --out"):
        resumed(restore, tmp_path / "checkpoint.pt")


def test_a_precision_that_is_named_is_taken():
    assert halved("bf16", torch.device("cpu"))
    assert not halved("float32", torch.device("cpu"))


def test_the_first_signal_asks_and_the_second_ends():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = Stop()
        os.kill(os.getpid(), signal.SIGINT)

        assert stop.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
