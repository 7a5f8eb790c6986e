"""The line through what jobs took: from one job on, among cold starts, over any range."""

from __future__ import annotations

import random

import pytest

from api.forecasting.speed import Speed, fitted
from jobs.store import Ran

COSTS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def within_two(line, truth, costs=COSTS):
    """Whether forecasts are within a factor of two of the truth."""
    return [0.5 <= line.seconds(cost) / truth(cost) <= 2.0 for cost in costs]


def jobs(count, truth, *, noise=0.2, cold=0.0, late=0.0, seed=1):
    """Measured jobs of random costs; `cold`: seconds that each fifth pays more; `late`: times it takes."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        cost = 10 ** draw.uniform(-2, 3)
        seconds = truth(cost) * draw.lognormvariate(0, noise)
        if number % 5 == 0:
            seconds = (seconds + cold) * (late or 1.0)
        found.append((cost, seconds))
    return found


def test_one_small_job_does_not_make_a_large_one_dear():
    line = fitted([(0.0, 0.2)])
    assert line.seconds(0.0) == pytest.approx(0.2, rel=0.1)
    assert line.seconds(3.0) == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(
    ("cost", "seconds"), [(8.4, 37.0), (0.01, 10.0), (1e4, 10.0), (3.0, 0.004), (0.0, 0.0)]
)
@pytest.mark.parametrize("device", [None, "cpu", "cuda: NVIDIA H200", "mps"])
def test_whatever_one_job_took_the_same_again_is_told_to_take_that(cost, seconds, device):
    line = fitted([(cost, seconds)], device)
    assert line.seconds(cost) == pytest.approx(seconds, rel=0.15, abs=0.05)
    assert line.constant > 0
    assert line.slope > 0


@pytest.mark.parametrize(
    ("constant", "slope"), [(0.02, 1.0), (3.0, 0.7), (0.1, 0.004), (40.0, 0.05), (0.5, 300.0)]
)
def test_a_line_is_found_whatever_its_unit(constant, slope):
    def truth(cost):
        return constant + slope * cost

    line = fitted(jobs(30, truth))
    assert all(within_two(line, truth))


@pytest.mark.parametrize("disturbed", [{"cold": 20.0}, {"late": 10.0}, {"late": 0.05}])
def test_a_fifth_of_disturbed_jobs_bends_it_little(disturbed):
    def truth(cost):
        return 0.3 + 0.5 * cost

    line = fitted(jobs(100, truth, **disturbed))
    assert all(within_two(line, truth))


def test_a_machine_that_became_slower_is_soon_believed():
    line = fitted([(1.0, 6.0)] * 20 + [(1.0, 2.0)] * 80)
    assert line.seconds(1.0) == pytest.approx(6.0, rel=0.35)


def test_one_cold_start_is_outvoted_by_two_warm_jobs():
    line = fitted([(0.1, 9.0), (0.1, 0.2), (0.1, 0.2)])
    assert line.seconds(0.1) == pytest.approx(0.2, rel=0.2)


def test_jobs_of_one_cost_tell_what_that_takes_and_larger_ones_take_longer():
    draw = random.Random(1)
    line = fitted([(5.0, 8.0 * draw.lognormvariate(0, 0.2)) for _ in range(100)])
    assert line.seconds(5.0) == pytest.approx(8.0, rel=0.15)
    assert line.seconds(5.0) < line.seconds(5.5) < line.seconds(50.0)


def test_nine_of_ten_are_within_a_factor_of_two_of_what_the_jobs_before_foretell():
    """Each of 20 mixed jobs is foretold from those before it, the first of them cold; over many systems."""

    def truth(cost):
        return 0.15 + 0.6 * cost

    good = []
    for seed in range(50):
        measured = jobs(21, truth, noise=0.25, seed=seed)
        measured[0] = (measured[0][0], measured[0][1] + 2.0)
        for number in range(1, len(measured)):
            cost, took = measured[number]
            good.append(0.5 <= fitted(measured[number - 1 :: -1]).seconds(cost) / took <= 2.0)
    assert sum(good) / len(good) >= 0.9


def speed(*ran):
    return Speed([Ran(device, cost, seconds, share) for device, cost, seconds, share in ran])


def test_each_device_has_its_own_line_and_faster_workers_take_more():
    found = speed(*[("cpu", 10.0, 10.0, 10.0)] * 3, *[("cuda: A", 10.0, 1.0, 1.0)] * 3)
    slow, fast = found.run_seconds(10.0, ["cpu"]), found.run_seconds(10.0, ["cuda: A"])
    assert (slow, fast) == (pytest.approx(10.0, rel=0.1), pytest.approx(1.0, rel=0.1))
    assert found.run_seconds(10.0, ["cpu", "cuda: A"]) == pytest.approx(2 / (1 / slow + 1 / fast))
    assert found.run_seconds(10.0, ["cpu", "cpu", "cuda: A"]) > found.run_seconds(10.0, ["cpu", "cuda: A"])


def test_a_device_of_which_nothing_is_known_counts_as_those_that_were_measured():
    found = speed(("cpu", 1.0, 5.0, 5.0))
    assert found.run_seconds(1.0, ["cuda: B"]) == found.run_seconds(1.0) == found.run_seconds(1.0, ["cpu"])


def test_what_runs_together_takes_its_share_of_a_device():
    found = speed(*[("cpu", 1.0, 8.0, 0.5)] * 3)
    assert found.run_seconds(1.0) == pytest.approx(8.0, rel=0.1)
    assert found.device_seconds(1.0) == pytest.approx(0.5, rel=0.1)
    assert found.device_seconds(4.0, jobs=4) == pytest.approx(4 * found.device_seconds(1.0))
