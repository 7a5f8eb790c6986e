"""The planets benchmark runs at a tiny size and tells what it measured; its plain loop trains both nets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from engines.planets.network import WEIGHTS
from scripts.bench import planets_service, planets_step

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
TINY = [
    "--planets",
    "32",
    "--rounds",
    "1",
    "--repeats",
    "1",
    "--steps",
    "1",
    "--batch",
    "8",
    "--threads",
    "1",
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "planets.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_explains_itself():
    helped = run("--help")

    assert helped.returncode == 0, helped.stderr
    assert "scripts/bench/planets.py --only step" in helped.stdout


def test_net_and_step_are_measured_at_a_tiny_size(tmp_path):
    ran = run("--only", "net", "step", *TINY, "--json", str(tmp_path / "figures.json"))

    assert ran.returncode == 0, ran.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(value > 0 for part in ("net", "step") for value in figures[part].values())
    assert len(figures["net"]) == 6, "the bare net in two ways, the engine in two, each in both precisions"
    best = max(figures["step"]["plain: images/s"], figures["step"]["plain, contiguous: images/s"])
    assert figures["step"]["ratio"] == pytest.approx(figures["step"]["ours: images/s"] / best)
    assert f"| {figures['step']['ratio']:.2f}x (" in ran.stdout


@pytest.mark.usefixtures("postgres", "redis_broker")  # where there is none, this says so
def test_the_service_is_measured_at_a_tiny_size(tmp_path):
    if not (WEIGHTS / "planets-64-v1.safetensors").is_file():
        pytest.skip("there are no shipped weights")

    ran = run("--only", "service", "--jobs", "6", *TINY, "--json", str(tmp_path / "figures.json"))

    assert ran.returncode == 0, ran.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())["service"]
    assert figures["alone: jobs at once"] == 1
    assert figures["together: jobs at once"] > 1
    assert figures["ratio"] == pytest.approx(figures["together: jobs/s"] / figures["alone: jobs/s"])


def test_the_plain_loop_trains_both_nets(monkeypatch):
    made = []

    def remembered(kind):
        def build(*arguments):
            made.append(kind(*arguments))
            return made[-1]

        return build

    for kind in (planets_step.Generator, planets_step.Discriminator):
        monkeypatch.setattr(planets_step, kind.__name__, remembered(kind))
    torch.manual_seed(0)
    step = planets_step.plain_step(planets_step.Recipe(batch=4), planets_step.some_pictures(64))
    before = [nn.utils.parameters_to_vector(net.parameters()).detach().clone() for net in made]

    step()

    for net, old in zip(made, before, strict=True):
        assert not torch.equal(nn.utils.parameters_to_vector(net.parameters()), old)


def test_contiguous_undoes_the_nets_own_order():
    x = torch.zeros(2, 3, 4, 4)

    with planets_step.Contiguous():
        plain = x.contiguous(memory_format=torch.channels_last)

    assert plain.is_contiguous()
    assert not x.contiguous(memory_format=torch.channels_last).is_contiguous()


def test_the_steps_ratio_is_against_the_faster_plain_loop():

    def rates(*wall):
        return planets_step.Rates(list(wall), [2 * one for one in wall])

    found = planets_step.told(
        {"ours": rates(30, 40), "plain": rates(10, 20), "plain, contiguous": rates(12, 10)}
    )

    assert found["ratio"] == found["ratio of CPU"] == 2.5  # of 3 and 2
    assert found["ours: images/s"] == 35


def test_the_services_ratio_is_that_of_bursts_of_the_same_round():

    def burst(rate):
        return planets_service.Burst(rate=rate, from_start=rate, waits=[1.0], together=1.0)

    found = planets_service.told(
        {"together": [burst(8), burst(40), burst(9)], "alone": [burst(2), burst(10), burst(1)]}
    )

    assert found["ratio"] == 4  # of 4, 4 and 9
    assert found["together: jobs/s"] == 9
