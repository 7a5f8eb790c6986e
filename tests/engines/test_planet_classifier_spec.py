"""What the classifier takes, and where its jobs belong."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines.planet_classifier.spec import CHUNK, SPEC, PlanetClassifierParams
from engines.worlds import WORLDS


def test_all_jobs_run_in_whole_passes_together():
    """Nothing in the params changes what the network does."""
    one = SPEC.placement(PlanetClassifierParams(image="art_a"))
    other = SPEC.placement(PlanetClassifierParams(image="art_b", top=12, threshold=0.0, seed=9))
    assert one == other
    assert one.batch is not None
    assert one.batch_most % CHUNK == 0


def test_its_labels_are_the_worlds_and_none_of_them():
    assert tuple(SPEC.labels) == (*WORLDS, "not_a_planet")


@pytest.mark.parametrize("allowed", [{"top": 1}, {"top": 12}, {"threshold": 0}, {"threshold": 1}, {}])
def test_bounds_belong_to_what_is_allowed(allowed):
    assert PlanetClassifierParams(image="art_a", **allowed).model_fields_set == {"image", *allowed}


@pytest.mark.parametrize(
    "wrong", [{"top": 0}, {"top": 13}, {"threshold": -0.01}, {"threshold": 1.01}, {"image": None}]
)
def test_what_is_out_of_bounds_is_refused(wrong):
    with pytest.raises(ValidationError):
        PlanetClassifierParams(**{"image": "art_a"} | wrong)


def test_there_is_no_job_without_a_picture():
    with pytest.raises(ValidationError, match="image"):
        PlanetClassifierParams()
