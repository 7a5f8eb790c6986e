"""Engines of a process: loaded once, named as models, and whatever they raise is caught."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from engines.base import EngineSpec, Interrupted, Params
from workers.loaded import Loaded, caught


class Numbers(Params):
    """One number."""

    n: int = 0


class Catalogue:
    """Engines `a` and `b`, of which `b` has networks of its own."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.broken = False

    def names(self):
        return ("a", "b")

    def spec(self, name):
        return EngineSpec(
            name=name, title="", description="", params=Numbers, produces=(), example={}, queue="cpu",
            time_limit=100.0,
        )  # fmt: skip

    def load(self, name):
        self.loads.append(name)
        if self.broken:
            raise RuntimeError("no device")
        networks = {"loaded": ("small", "large")} if name == "b" else {}
        return SimpleNamespace(device=f"device of {name}", **networks)


class Limits:
    """The one thing of a lease that is asked for here."""

    def limit(self, seconds):
        self.seconds = seconds


def attempt(engine="a", timeout=None, **params):
    job = SimpleNamespace(engine=engine, params=params, seed=7, timeout_seconds=timeout)
    return SimpleNamespace(job=job, lease=Limits(), device=None, context=SimpleNamespace(spec=None))


@pytest.fixture
def catalogue():
    return Catalogue()


@pytest.fixture
def loaded(catalogue):
    return Loaded(catalogue)


def test_an_engine_is_loaded_at_its_first_job_and_kept(loaded, catalogue):
    assert catalogue.loads == []
    first, _ = loaded.prepare(attempt("a"))
    second, _ = loaded.prepare(attempt("a"))
    assert first is second
    assert catalogue.loads == ["a"]


def test_the_models_are_the_engines_and_their_networks(loaded):
    assert loaded.models == ()
    for name in ("b", "a"):
        loaded.prepare(attempt(name))
    assert loaded.models == ("b", "b:small", "b:large", "a")


def test_params_are_validated_with_the_seed_of_the_job(loaded):
    _, params = loaded.prepare(attempt(n=3))
    assert (params.n, params.seed) == (3, 7)
    with pytest.raises(ValidationError):
        loaded.prepare(attempt(n="many"))


@pytest.mark.parametrize(("timeout", "limit"), [(None, 100.0), (5.0, 5.0), (500.0, 100.0)])
def test_a_job_has_the_shorter_of_its_own_and_its_engine_s_time(loaded, timeout, limit):
    one = attempt(timeout=timeout)
    loaded.prepare(one)
    assert one.lease.seconds == limit


def test_the_device_is_that_of_the_last_job_and_none_while_nobody_knows(loaded, catalogue):
    one = attempt("a")
    loaded.prepare(one)
    assert (loaded.device, one.device) == ("device of a", "device of a")
    catalogue.broken = True
    with pytest.raises(RuntimeError):
        loaded.prepare(attempt("b"))
    assert loaded.device is None
    assert loaded.models == ("a",), "one that could not be loaded is tried again"


@pytest.mark.parametrize("error", [ValueError("x"), MemoryError(), Interrupted("canceled")], ids=repr)
def test_whatever_is_raised_is_caught(error):
    def broken():
        raise error

    assert caught(broken) is error
    assert caught(lambda: 1) is None


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not(end):
    def ending():
        raise end

    with pytest.raises(end):
        caught(ending)
