"""What a network can draw, by its facts alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from engines.base import BadInput
from engines.stylegan import fitting
from engines.stylegan.fitting import Facts
from engines.stylegan.network import Network
from engines.stylegan.spec import SHIPPED, SPEC, WEIGHTS, encode_w

FACTS = Facts(64, 3, 3, 16, 24, class_names=("rose", "Lily", "oak"), has_average=True)


def checked(**wanted):
    """The params as the network takes them."""
    known = FACTS.as_dict() | wanted.pop("facts", {})
    return SPEC.check(SPEC.params(network="flowers", **wanted), {"flowers": known})


@pytest.mark.parametrize(
    ("asked", "found"),
    [("rose", "rose"), ("ROSE", "rose"), ("lily", "Lily"), (2, 2), ("2", "2"), (None, None)],
)
def test_a_class_is_spelled_as_the_network_does(asked, found):
    assert checked(**{"class": asked}).label == found


def test_names_that_differ_in_capitals_alone_are_not_guessed():
    facts = replace(FACTS, class_names=("rose", "Rose", "oak"))
    assert fitting.class_label("Rose", facts) == "Rose"
    with pytest.raises(BadInput, match="no class 'ROSE'"):
        fitting.class_label("ROSE", facts)


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        ({"class": "tulip"}, "class", "it has rose, Lily, oak"),
        ({"class": 3}, "class", "0 to 2"),
        ({"class": "3"}, "class", "0 to 2"),
        ({"class": "rose", "facts": {"classes": 0, "class_names": []}}, "class", "no classes"),
        ({"class": "rose", "facts": {"class_names": []}}, "class", "have no names"),
        ({"class": "x", "facts": {"class_names": [str(n) + "a" for n in range(30)]}}, "class", "and 10 more"),
        ({"points": [encode_w([0.0] * 23)]}, "points", "24 numbers"),
        ({"facts": {"has_average": False}}, "truncation", "must be 1"),
        ({"mix": {"fine": 1}, "facts": {"resolution": 32}}, "mix", "no fine styles"),
        ({"format": "jpeg", "facts": {"channels": 4}}, "format", "transparent"),
        ({"walk": "mp4", "facts": {"channels": 4}}, "walk", "transparent"),
        ({"walk": "webp", "count": 10, "frames": 7200}, "walk", "72000 frames of 64 pixels"),
        ({"grid": True, "count": 64, "facts": {"resolution": 2048}}, "grid", "room for 16 pictures"),
    ],
)
def test_what_it_cannot_draw_is_refused_and_the_parameter_named(wanted, field, words):
    with pytest.raises(BadInput, match=words) as caught:
        checked(**wanted)
    assert caught.value.field == field


@pytest.mark.parametrize("unknown", ["class_names", "has_average"])
def test_what_is_not_known_is_not_refused(unknown):
    assert checked(facts={unknown: None}, **{"class": "rose", "truncation": 0.5}).label == "rose"


def test_a_network_of_which_nothing_is_known_takes_everything():
    params = SPEC.params(network="flowers", **{"class": "tulip"})
    assert SPEC.check(params, {}) == params


def test_facts_go_through_json_and_what_a_later_version_adds_is_ignored():
    stored = json.loads(json.dumps(FACTS.as_dict())) | {"novelty": 1}
    assert Facts.of(stored) == FACTS
    few = {name: stored[name] for name in ("resolution", "channels", "classes", "z_dim", "w_dim")}
    assert Facts.of(few) == replace(FACTS, class_names=None, has_average=None)


def test_names_without_end_are_not_stored():
    assert replace(FACTS, class_names=("x" * 200,) * 50).as_dict()["class_names"] is None


def test_the_facts_of_the_shipped_networks_are_those_of_their_files():
    for one in SPEC.shipped_networks():
        drawn = Network(WEIGHTS / f"{one.name}.safetensors", torch.device("cpu"))
        assert Facts.of(one.facts) == drawn.facts
    assert tuple(one.name for one in SPEC.shipped_networks()) == SHIPPED
