"""The jobs that convert uploaded networks."""

from __future__ import annotations

import pytest

import engines
from accept import conversion, converters


@pytest.mark.parametrize("kind", sorted(converters()))
def test_it_is_placed_as_any_job_of_its_engine(lite, eve, kind):
    # given
    file_id = lite.files.reserve()
    # when
    new = conversion(lite, eve, kind, file_id, request_id="r")
    # then
    spec = converters()[kind]
    placed = spec.placement(spec.params.model_validate(spec.example))
    assert (new.engine, new.queue, new.model, new.batch) == (spec.name, placed.queue, spec.name, None)
    assert (new.cost, list(new.weights), new.seed, new.request_id) == (placed.cost, [], 0, "r")
    assert list(new.inputs) == [file_id]
    assert new.params == dict.fromkeys(spec.file_params, file_id) | {"seed": 0}


def test_each_kind_is_converted_by_one_engine():
    made = [engines.spec(name).converts_to for name in engines.names() if engines.spec(name).converts_to]
    assert sorted(made) == sorted(converters())
