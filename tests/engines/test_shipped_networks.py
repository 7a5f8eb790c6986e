"""Networks as the API shows them, by the headers of their files."""

from __future__ import annotations

import hashlib

import pytest
import torch

from engines import shipped
from engines.base import ShippedNetwork
from engines.shipped_networks import described


def test_each_is_told_with_its_digest_its_size_and_the_facts_in_its_header(tmp_path):
    for name, side in (("small", 64), ("large", 512)):
        shipped.write(tmp_path, f"{name}.safetensors", {"a": torch.zeros(side)}, {"side": str(side)})

    small, large = described(tmp_path, ["small", "large"], lambda header: {"side": int(header["side"])})

    data = (tmp_path / "small.safetensors").read_bytes()
    assert small == ShippedNetwork("small", hashlib.sha256(data).hexdigest(), len(data), {"side": 64})
    assert (large.name, large.facts) == ("large", {"side": 512})


def test_one_that_is_absent_does_not_hide_the_others(tmp_path):
    shipped.write(tmp_path, "here.safetensors", {"a": torch.zeros(3)}, {"side": "3"})
    absent, here = described(tmp_path, ["absent", "here"], dict)
    assert absent == ShippedNetwork("absent")
    assert here.facts == {"side": "3"}


def test_a_file_that_nobody_registered_or_whose_facts_are_none_is_but_a_name(tmp_path):
    path = shipped.write(tmp_path, "a.safetensors", {"a": torch.zeros(3)}, {"side": "three"})
    path.rename(tmp_path / "other.safetensors")
    assert described(tmp_path, ["other"], dict) == (ShippedNetwork("other"),)
    path = shipped.write(tmp_path, "a.safetensors", {"a": torch.zeros(3)}, {"side": "three"})
    assert described(tmp_path, ["a"], lambda header: {"side": int(header["side"])}) == (ShippedNetwork("a"),)


@pytest.mark.parametrize("content", [None, b"", b"\xff" * 100, (2).to_bytes(8, "little") + b"{}"])
def test_where_a_shipped_file_is_absent_or_none_only_its_name_is_known(tmp_path, content):
    (tmp_path / "weights.json").write_text('{"a.safetensors": {"sha256": "0"}}')
    if content is not None:
        (tmp_path / "a.safetensors").write_bytes(content)
    assert described(tmp_path, ["a"], dict) == (ShippedNetwork("a"),)
