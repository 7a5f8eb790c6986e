"""A checkpoint is a whole file, for a run with the same settings; weights that fit are taken over."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training import checkpoints

CPU = torch.device("cpu")
RECIPE = {"batch": 4, "kimg": 1.0, "net": {"z_dim": 8, "layers": [1, 2]}}


@pytest.fixture
def path(tmp_path):
    checkpoints.write(tmp_path / "checkpoint.pt", RECIPE, steps=3, weights=torch.ones(2))
    return tmp_path / "checkpoint.pt"


def test_what_was_written_is_read_and_nothing_else_is_left(path):
    state = checkpoints.read(path, RECIPE, CPU)

    assert state["steps"] == 3
    assert torch.equal(state["weights"], torch.ones(2))
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.pt"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"batch": 8}, "batch"),
        ({"net": {"z_dim": 16, "layers": [1, 2]}}, "net.z_dim"),
        ({"net": {"z_dim": 8}}, "net.layers"),
        ({"batch": 8, "gamma": 1.0}, "batch, gamma"),
    ],
    ids=["a_number", "of_a_part", "absent", "several"],
)
def test_another_recipe_is_refused_by_name(path, changed, named):
    with pytest.raises(ValueError, match=f"other settings: {named}$"):
        checkpoints.read(path, RECIPE | changed, CPU)


def test_what_is_free_may_differ(path):
    assert checkpoints.read(path, RECIPE | {"kimg": 2.0}, CPU, free={"kimg"})["steps"] == 3


def test_a_write_that_fails_keeps_the_checkpoint_before(path):
    before = path.read_bytes()

    with pytest.raises(Exception, match="pickle"):
        checkpoints.write(path, RECIPE, cannot=lambda: None)

    assert path.read_bytes() == before


def test_what_fits_is_adopted_and_what_does_not_is_named():
    net = nn.Linear(2, 3)
    bias = net.bias.detach().clone()

    missing = checkpoints.adopt(
        net, {"weight": torch.zeros(3, 2), "bias": torch.zeros(4), "more": torch.ones(1)}
    )

    assert missing == ["bias"]
    assert not net.weight.any()
    assert torch.equal(net.bias, bias)
