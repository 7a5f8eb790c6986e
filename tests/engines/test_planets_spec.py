"""What `planets` accepts and refuses, and what it tells the scheduler."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.planets.network import WEIGHTS
from engines.planets.spec import (
    LATENT,
    NETWORKS,
    SPEC,
    PlanetsParams,
    decode_latent,
    encode_latent,
    network,
)
from engines.shipped import registered
from engines.worlds import WORLDS


def packed(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"world": "vulcan"}, "world.name"),
        ({"world": {"vulcan": 1.0}}, "world.mix.vulcan"),
        ({"world": {}}, "at least 1 item"),
        ({"world": {"earth": 0.0, "mars": 0.0}}, "weights of world must not all be zero"),
        ({"world": {"earth": -0.5, "mars": 1.0}}, "greater than or equal to 0"),
        ({"world": {"earth": float("nan")}}, "finite number"),
        ({"world": {"earth": float("inf")}}, "finite number"),
        ({"world": {"earth": 1e300}}, "less than or equal to 1000"),
        ({"world": ["earth"]}, "world.name"),
        ({"world": 3}, "world.name"),
        ({"world": None}, "world.name"),
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": 10_000}, "less than or equal to 64"),
        ({"count": 1.5}, "count"),
        ({"seed": 2**64}, "less than"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"first": -1}, "greater than or equal to 0"),
        ({"size": 63}, "greater than or equal to 64"),
        ({"size": 513}, "less than or equal to 512"),
        ({"variation": float("nan")}, "finite number"),
        ({"variation": -0.1}, "greater than or equal to 0"),
        ({"transparent": True, "format": "jpeg"}, "no transparency"),
        ({"transparent": True, "morph": "mp4"}, "no transparency"),
        ({"morph_to": "earth"}, "needs morph"),
        ({"morph": "webp", "morph_to": {"earth": 0.0}}, "weights of morph_to"),
        ({"morph": "gif"}, "morph"),
        ({"morph": "webp", "grid": True}, "exclude"),
        ({"morph": "mp4", "count": 64, "morph_seconds": 20}, "at most 600"),
        ({"latent": "%%%"}, "not base64"),
        ({"latent": packed([0.0] * 3)}, "not 512"),
        ({"latent": packed([float("nan")] * LATENT)}, "not finite"),
        ({"latent": packed([1e30] * LATENT)}, "absurdly"),
        ({"latent": packed([0.0] * LATENT), "count": 2}, "one planet"),
        ({"latent": "A" * 701}, "at most 700"),
        ({"format": "tiff"}, "format"),
    ],
)
def test_bad_parameters_are_refused_with_the_reason(params, said):
    with pytest.raises(ValidationError, match=said):
        PlanetsParams.model_validate(params)


@pytest.mark.parametrize("size", [64, 65, 100, 127, 128, 129, 255, 333, 511, 512])
def test_any_size_within_the_bounds_is_taken_and_drawn_by_a_net_there_is(size):
    assert PlanetsParams(size=size).size == size
    assert network(size) in NETWORKS
    assert network(size) >= size or network(size) == max(NETWORKS)


def test_the_weights_of_every_net_are_shipped():
    shipped = {name for name in registered(WEIGHTS) if (WEIGHTS / name).is_file()}
    assert shipped >= {f"planets-{side}-v1.safetensors" for side in NETWORKS}
    assert sum((WEIGHTS / name).stat().st_size for name in shipped) <= 25e6


def test_the_worlds_of_the_schema_are_the_worlds():
    world = PlanetsParams.model_json_schema()["properties"]["world"]
    names, mix = world["oneOf"]
    assert names["enum"] == ["any", *WORLDS]
    assert mix["propertyNames"]["enum"] == list(WORLDS)


@given(st.lists(st.floats(-50, 50, width=32), min_size=LATENT, max_size=LATENT))
def test_a_latent_survives_its_text(values):
    text = encode_latent(values)
    assert decode_latent(text) == values
    assert PlanetsParams(latent=text).latent == text


@given(st.text(max_size=700))
def test_no_text_breaks_the_latent(text):
    try:
        PlanetsParams(latent=text)
    except ValidationError as error:
        assert error.errors()[0]["type"] == "value_error"  # noqa: PT017  both outcomes are right


def test_small_jobs_of_one_net_share_a_batch():
    def key(**params):
        return SPEC.batch_key(PlanetsParams(**params))

    assert key(size=64) == key(size=64, world="mars", seed=3, variation=0.5, transparent=True)
    assert key(size=64) != key(size=128)
    assert key(size=100) == key(size=128) == key(size=200)
    assert key(count=64) is None
    assert key(morph="webp") is None


def test_more_work_costs_more():
    def cost(**params):
        return SPEC.cost(PlanetsParams(**params))

    assert 0 < cost(size=64) < cost(size=128) < cost(size=512) < cost(size=512, count=64)
    assert cost(morph="webp") < cost(morph="webp", count=5)


def test_a_morph_of_one_planet_goes_to_the_next():
    assert PlanetsParams(morph="webp").planets() == 2
    assert PlanetsParams(morph="webp", count=3).planets() == 3
    assert PlanetsParams(morph="webp", morph_seconds=0.25, morph_fps=4).frames() == 2


def test_a_world_may_be_written_in_any_case():
    params = PlanetsParams.model_validate_json(
        '{"world": "Mars", "morph": "mp4", "morph_to": "SUN"}', strict=True
    )
    assert (params.world, params.morph_to) == ("mars", "sun")
    mixed = PlanetsParams.model_validate_json('{"world": {"Earth": 1, "mars": 2}}', strict=True)
    assert mixed.world == {"earth": 1.0, "mars": 2.0}
    with pytest.raises(ValidationError):
        PlanetsParams.model_validate_json('{"world": {"Earth": 1, "earth": 2}}', strict=True)
