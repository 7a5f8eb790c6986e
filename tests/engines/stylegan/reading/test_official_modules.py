"""Modules as a pickle tells of them: bounded, and of no type that a file chose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.reading.official_modules import Part, modules, same
from engines.stylegan.reading.pickle_globals import Module, Parameter
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.networks import opened, refusal
from tests.engines.stylegan_pickles import TINY


def test_attributes_that_are_not_said() -> None:
    tensors = pickles.random_tensors(TINY)
    bare = pickles.module(
        "Generator",
        {
            "_modules": {
                "mapping": pickles.module("M", {"_modules": {}}),
                "synthesis": pickles.module("S", {"_modules": {}}),
            }
        },
    )
    assert "does not say its img_resolution" in refusal(opened(bare))
    assert (
        refusal(opened(pickles.parameter(pickles.tensor(tensors["mapping.w_avg"]))))
        == "it has no module G_ema"
    )


def test_modules_without_end() -> None:
    """A module that holds itself, and one that is all of its children."""
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    networks = found._networks
    mapping = networks["G_ema"].state["_modules"]["mapping"]
    mapping.state["_modules"]["again"] = mapping
    assert "deep" in refusal(found)
    mapping.state["_modules"] |= {f"child{number}": mapping for number in range(200)}
    assert "more than" in refusal(found) or "deep" in refusal(found)


@pytest.mark.parametrize("table", ["_modules", "_parameters", "_buffers"])
def test_tables_that_many_modules_share_are_not_walked(table: str) -> None:
    """A file may name one long table in every module: a few bytes each, and a walk each."""
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    state = found._networks["G_ema"].state["_modules"]["mapping"].state
    state[table] |= {f"none{number}": None for number in range(300)}
    assert f"{table}; at most 256 are read" in refusal(found)


def test_names_of_tensors_have_an_end() -> None:
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    found._networks["G_ema"].state["_buffers"]["a" * 4000] = None
    assert "of 4,000 letters" in refusal(found)


# --- one module -------------------------------------------------------------------------------------


def part(**state: Any) -> Part:
    tables: dict[str, Any] = {"_modules": {}, "_parameters": {}, "_buffers": {}}
    return Part(Module("Any", tables | state), "it")


@pytest.mark.parametrize("module", [None, 5, {}, "Module"])
def test_what_is_no_module_is_none(module: Any) -> None:
    with pytest.raises(BadNetwork, match="no module it"):
        Part(module, "it")


def test_children_that_were_left_out_are_not_there_and_others_know_their_path() -> None:
    inner = Module("Inner", {"_modules": {}})
    whole = part(_modules={"a": inner, "none": None})
    assert [child.path for child in whole.children().values()] == ["it.a"]
    assert whole.child("a").path == "it.a"
    with pytest.raises(BadNetwork, match=r"no module it\.none"):
        whole.child("none")


def test_tensors_are_those_of_a_state_dict() -> None:
    one, two, unsaved = (np.full(2, value, np.float32) for value in (1, 2, 3))
    whole = part(
        _parameters={"weight": Parameter(one), "bias": None},
        _buffers={"mean": two, "cache": unsaved, "gone": None},
        _non_persistent_buffers_set={"cache"},
    )
    assert [(name, array[0]) for name, array in whole.tensors()] == [("weight", 1), ("mean", 2)]
    assert whole.is_buffer("mean")
    assert not whole.is_buffer("weight")
    assert whole.tensor("mean", 1) is two
    with pytest.raises(BadNetwork, match="no mean of 2 dimensions"):
        whole.tensor("mean", 2)


@pytest.mark.parametrize(
    ("read", "right", "wrong"),
    [
        ("integer", [0, -(2**31), 2**31], [True, 1.0, "1", None, 2**31 + 1]),
        ("number", [0, 1.5, None], [True, "1", math.nan, math.inf, 2.0**31]),
        ("flag", [True, False], [1, 0, None]),
        ("text", ["", "lrelu"], [None, 1, b"lrelu"]),
    ],
)
def test_an_attribute_is_of_its_own_type(read: str, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        assert getattr(part(a=value), read)("a") == value
    for value in wrong:
        with pytest.raises(BadNetwork, match=r"it\.a is not"):
            getattr(part(a=value), read)("a")
    with pytest.raises(BadNetwork, match="does not say its a"):
        getattr(part(), read)("a")


def test_what_is_expected_may_be_unsaid_and_nearly_so() -> None:
    part().expect(up=2, activation="lrelu")
    part(up=2, gain=0.3333333, activation="lrelu").expect(up=2, gain=1 / 3, activation="lrelu")
    for attributes in ({"up": 1}, {"gain": 0.34}, {"activation": "relu"}, {"gain": None}):
        with pytest.raises(BadNetwork, match="not computed here"):
            part(**attributes).expect(up=2, gain=1 / 3, activation="lrelu")


def test_a_hint_is_a_hint() -> None:
    assert part(_init_kwargs={"channel_base": 512}).hint("channel_base") == 512
    for state in ({}, {"_init_kwargs": None}, {"_init_kwargs": {"channel_base": "512"}}):
        assert part(**state).hint("channel_base") == 0


def test_all_modules_are_walked_with_their_names() -> None:
    leaf = Module("Leaf", {"_modules": {}})
    tree = part(_modules={"a": Module("A", {"_modules": {"b": leaf}}), "c": leaf})
    assert {(prefix, one.path) for prefix, one in modules(tree)} == {
        ("", "it"), ("a.", "it.a"), ("a.b.", "it.a.b"), ("c.", "it.c"),
    }  # fmt: skip


def test_what_all_have_in_common() -> None:
    assert same("x", [3, 3, 3]) == 3
    for found in ([], [1, 2]):
        with pytest.raises(BadNetwork, match="differ in x"):
            same("x", found)
