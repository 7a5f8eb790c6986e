"""Where a job belongs, by its params."""

from __future__ import annotations

from dataclasses import replace

import pytest

import engines
from engines.base import Placement

ECHO = engines.spec("echo")


def test_a_plain_one_needs_its_engine_and_nothing_else():
    assert engines.spec("stylegan_import").placement(
        engines.spec("stylegan_import").params(source="art_1")
    ) == Placement(queue="cpu", model="stylegan_import", batch=None, batch_most=1, cost=1.0, needs=())


def test_a_model_is_named_with_its_engine():
    spec = replace(ECHO, model_for=lambda params: params.text)
    assert spec.placement(spec.params(text="big")).model == "echo:big"
    assert spec.placement(spec.params(text="")).model == "echo"


def test_a_batch_is_one_text_of_bounded_length_for_the_same_key():
    spec = replace(ECHO, batch_key=lambda params: params.text)
    one, same, other = (spec.placement(spec.params(text=text)).batch for text in ("a" * 900, "a" * 900, "b"))
    assert one == same != other
    assert one is not None
    assert one.startswith("echo:")
    assert len(one) == len("echo:") + 32
    assert replace(spec, max_batch=1).placement(spec.params(text="b")).batch is None


@pytest.mark.parametrize(
    ("networks", "cost"), [([], 2.0), ([{"n": 3}], 6.0), ([{"n": 3}, {"n": 5}], 10.0), ([{"n": 0.5}], 1.0)]
)
def test_the_largest_uploaded_network_says_how_much_more_it_costs(networks, cost):
    spec = replace(ECHO, network_cost=lambda config: config["n"])
    assert spec.placement(spec.params(seconds=2), networks).cost == cost


def test_what_it_needs_is_what_these_params_need():
    spec = engines.spec("neural_style")
    params = spec.params.model_validate(spec.example)
    for method, needs in (("gatys", ("vgg19",)), ("patches", ())):
        assert spec.placement(params.model_copy(update={"method": method})).needs == needs
