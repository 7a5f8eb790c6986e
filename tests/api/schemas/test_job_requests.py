"""What is asked for in a body: what is left out, what is null, and what excludes what."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from api.schemas.job_requests import AgainRequest, JobRequest, LabelRequest, MoveRequest

JOB = "job_" + "0" * 32


@pytest.mark.parametrize(
    "body", [{"before": JOB}, {"to": "front"}, {"to": "end"}, {"to": "end", "before": None}]
)
def test_a_move_is_to_one_place(body):
    made = MoveRequest.model_validate(body)
    assert (made.before, made.to) == (body.get("before"), body.get("to"))


@pytest.mark.parametrize("body", [{}, {"before": None}, {"before": JOB, "to": "front"}])
def test_a_move_to_none_or_to_two_says_what_to_give(body):
    with pytest.raises(ValidationError, match="give either `before` or `to`"):
        MoveRequest.model_validate(body)


@pytest.mark.parametrize("place", ["job_1", JOB + "0", f" {JOB}", JOB.upper(), f"{JOB}\n"])
def test_a_move_is_before_an_id(place):
    with pytest.raises(ValidationError):
        MoveRequest.model_validate({"before": place})


def test_labels_that_are_left_out_are_told_from_those_taken_away():
    assert LabelRequest.model_validate({}).model_fields_set == set()
    taken = LabelRequest.model_validate({"tags": [], "metadata": None})
    assert (taken.model_fields_set, taken.tags, taken.metadata) == ({"tags", "metadata"}, [], None)


def test_another_try_says_only_what_it_changes():
    said = AgainRequest.model_validate({"seed": None, "params": {"steps": None}})
    assert said.model_fields_set == {"seed", "params"}
    assert said.params == {"steps": None}, "null: the engine's default again"


@pytest.mark.parametrize(("seed", "fits"), [(0, True), (2**63 - 1, True), (2**63, False), (-1, False)])
def test_a_seed_fits_its_column(seed, fits):
    if fits:
        assert AgainRequest(seed=seed).seed == seed
    else:
        with pytest.raises(ValidationError):
            AgainRequest(seed=seed)


def test_no_two_requests_share_their_params():
    JobRequest(engine="echo").params["text"] = "mine"
    assert JobRequest(engine="echo").params == {}
