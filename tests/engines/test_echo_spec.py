"""What the diagnostic engine's jobs are to the queue."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines.echo.spec import SPEC, EchoParams


def test_only_those_that_say_so_run_together():
    assert SPEC.placement(EchoParams(together=False)).batch is None
    one, other = (SPEC.placement(EchoParams(together=True, text=text)) for text in "ab")
    assert one.batch == other.batch is not None
    assert one.batch_most == 16


def test_it_costs_the_time_that_it_pretends_to_work():
    assert SPEC.placement(EchoParams()).cost < SPEC.placement(EchoParams(seconds=3)).cost == 3.0


def test_it_needs_nothing_and_nobody_sees_it_in_a_form():
    assert SPEC.placement(EchoParams()).needs == ()
    assert (SPEC.queue, SPEC.hidden) == ("cpu", True)
    # a job may pretend for as long as its field allows, and end in its time
    assert SPEC.time_limit > 3600


@pytest.mark.parametrize("wrong", [{"seconds": -0.1}, {"seconds": 3601}, {"text": "x" * 1001}, {"second": 1}])
def test_what_is_out_of_bounds_or_unknown_is_refused(wrong):
    with pytest.raises(ValidationError):
        EchoParams(**wrong)
