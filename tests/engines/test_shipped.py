"""Weights that come with the project: only the file that was registered is read, and as it was written."""

from __future__ import annotations

import hashlib
import json

import pytest
import safetensors.torch
import torch
from torch import nn

from engines import shipped
from engines.base import EngineError

NAME = "net.safetensors"


@pytest.fixture
def folder(tmp_path):
    tensors = {"weight": torch.tensor([[0.5, -2.0]]), "counted": torch.tensor([3, 4])}
    shipped.write(tmp_path, NAME, tensors, {"side": "64"}, data="made up", seed=7)
    return tmp_path


def test_what_is_written_is_read_in_single_precision(folder):
    tensors, metadata = shipped.read(folder, NAME)
    assert metadata == {"side": "64"}
    assert tensors["weight"].dtype == torch.float32
    assert tensors["weight"].tolist() == [[0.5, -2.0]]
    assert tensors["counted"].dtype == torch.int64
    stored = safetensors.torch.load_file(folder / NAME)
    assert stored["weight"].dtype == torch.float16


def test_the_register_says_where_each_file_comes_from_and_keeps_the_others(folder):
    shipped.write(folder, "other.safetensors", {"a": torch.zeros(2)}, {}, seed=8)
    found = shipped.registered(folder)
    assert set(found) == {NAME, "other.safetensors"}
    assert found[NAME]["sha256"] == hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    assert (found[NAME]["data"], found[NAME]["seed"], found["other.safetensors"]["seed"]) == ("made up", 7, 8)


def test_everybody_may_read_a_file_that_was_registered(folder):
    assert (folder / NAME).stat().st_mode & 0o777 == 0o644


def test_verified_says_where_a_whole_file_lies(folder):
    assert shipped.verified(folder, NAME) == folder / NAME
    (folder / NAME).write_bytes((folder / NAME).read_bytes() + b"x")
    with pytest.raises(EngineError, match="damaged or another release"):
        shipped.verified(folder, NAME)
    with pytest.raises(EngineError, match="cannot be read"):
        shipped.verified(folder, "absent")


def test_a_file_that_nobody_registered_is_refused(folder):
    (folder / "mine").write_bytes((folder / NAME).read_bytes())
    with pytest.raises(EngineError, match="another release"):
        shipped.read(folder, "mine")


def test_one_value_that_is_not_finite_is_named(folder):
    shipped.write(folder, NAME, {"fine": torch.ones(2), "bad": torch.tensor([1.0, float("inf")])}, {})
    with pytest.raises(EngineError, match="not finite, in bad"):
        shipped.read(folder, NAME)


def test_a_registered_file_of_another_kind_is_refused(folder):
    (folder / NAME).write_bytes(b"none")
    digest = hashlib.sha256(b"none").hexdigest()
    (folder / shipped.REGISTER).write_text(json.dumps({NAME: {"sha256": digest}}))
    with pytest.raises(EngineError, match="not a safetensors file"):
        shipped.read(folder, NAME)


@pytest.mark.parametrize("text", [None, "{", "\xff"], ids=["absent", "cut", "no-json"])
def test_a_register_that_cannot_be_read_is_named(folder, text):
    (folder / shipped.REGISTER).unlink()
    if text is not None:
        (folder / shipped.REGISTER).write_text(text, encoding="latin-1")
    with pytest.raises(EngineError, match=f"{folder.name}/{shipped.REGISTER} cannot be read"):
        shipped.registered(folder)


def test_a_module_takes_all_of_its_tensors_or_none():
    module = nn.Linear(2, 1, bias=False)
    shipped.fill(module, {"weight": torch.tensor([[3.0, 4.0]])}, NAME)
    assert module.weight.tolist() == [[3.0, 4.0]]
    for other in ({}, {"weight": torch.zeros(1, 3)}, {"weight": torch.zeros(1, 2), "bias": torch.zeros(1)}):
        with pytest.raises(EngineError, match=f"{NAME} do not fit"):
            shipped.fill(module, other, NAME)
