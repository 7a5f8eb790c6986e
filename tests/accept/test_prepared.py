"""From what somebody asks for to a job for the store."""

from __future__ import annotations

import io
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engines
from accept import Request
from accept.wire import JobOptions
from accounts.store import AccountStore
from jobs.errors import (
    AtelierError,
    BadFile,
    EngineNotFound,
    InvalidParams,
    TooManyQueued,
    TooMuchStored,
    Unavailable,
    WeightsMissing,
)
from jobs.states import Priority
from tests.accept.conftest import files_of
from tests.api.helpers import data_uri, picture
from tests.examples import examples
from tests.jobs.conftest import owner

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["art_" + "0" * 32, "data:,", data_uri(b"no picture"), "https://[::1/", "x" * 100_000]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
NAMES = engines.names()


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def test_all_that_a_row_needs_is_in_the_job(means, ada):
    # given
    soon = datetime.now(UTC) + timedelta(hours=1)
    options = JobOptions(priority="high", hold=True, timeout=9, start_by=soon, tags=["a"], metadata={"k": 1})
    request = Request(ada, "echo", {"text": "x", "seconds": 2, "together": True, "seed": 5}, (), options)
    # when
    new = request.prepare(means).new_job(request_id="r", key="k", fingerprint="f")
    # then
    assert (new.owner_id, new.engine, new.queue, new.model, new.seed) == (ada, "echo", "cpu", "echo", 5)
    assert new.params == {"seed": 5, "text": "x", "seconds": 2.0, "together": True}
    assert (new.batch_most, new.cost, new.weights, new.inputs, new.networks) == (16, 2.0, (), [], ())
    assert new.batch is not None
    assert (new.priority, new.held, new.timeout_seconds, new.start_by) == (Priority.HIGH, True, 9, soon)
    assert (new.tags, new.meta, new.webhook) == (["a"], {"k": 1}, None)
    assert (new.request_id, new.idempotency_key, new.idempotency_hash) == ("r", "k", "f")


def test_a_seed_is_drawn_only_where_none_is_given(lite, eve):
    prepared = Request(eve, "echo", {}).prepare(lite)
    assert prepared.params["seed"] is None
    new = prepared.new_job()
    assert 0 <= new.seed < 2**32
    assert new.params["seed"] == new.seed


def test_nothing_is_stored_before_the_job_is_asked_for_and_then_once(means, ada):
    # given
    uploads = [("content", "me.png", io.BytesIO(picture()))]
    request = Request(ada, "neural_style", {"style": data_uri(picture(color="red"))}, uploads)
    # when
    prepared = request.prepare(means)
    # then
    assert files_of(means, ada) == []
    assert prepared.params["content"].startswith("sha256:")
    first, second = prepared.new_job(), prepared.new_job()
    assert sorted(first.inputs) == sorted(second.inputs)
    assert len(files_of(means, ada)) == 2
    assert set(first.inputs) == {first.params["content"], *first.params["style"]}
    # and of a job that is not made nothing stays
    prepared.undo()
    prepared.undo()
    assert files_of(means, ada) == []


def test_an_upload_in_no_place_for_one_is_refused_before_it_is_looked_at(style):
    with pytest.raises(InvalidParams) as refused:
        style([("content", "two.png", io.BytesIO(b"no picture"))])
    assert refused.value.extra["errors"][0]["code"] == "too_many_files"
    with pytest.raises(InvalidParams) as refused:
        style([("size", "x.png", io.BytesIO(b""))])
    assert refused.value.extra["errors"][0]["code"] == "unknown_file_field"


def test_another_owners_file_is_not_there(means, style):
    # given: a file of bob's
    bob = owner(means.jobs.database, "bob")
    uploads = [(name, f"{name}.png", io.BytesIO(picture())) for name in ("content", "style")]
    theirs = Request(bob, "neural_style", {}, uploads).prepare(means).new_job().params["content"]
    # then
    with pytest.raises(BadFile) as refused:
        style(content=theirs).prepare(means)
    assert refused.value.problem_code == "file_not_found"
    # and none at all reads the same
    with pytest.raises(BadFile) as unknown:
        style(content="art_" + "0" * 32).prepare(means)
    assert unknown.value.detail.replace("0" * 32, "") == refused.value.detail.replace(theirs[4:], "")


def test_what_is_refused_is_refused_in_this_order(means, ada, monkeypatch, tmp_path):
    """Each mistake hides those behind it: nobody hears of a file before the params are right."""
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
    accounts = AccountStore(means.jobs.database)
    accounts.set_limits(ada, {"max_queued": 1, "max_stored_bytes": 1})
    means.jobs.submit(Request(ada, "echo", {}).prepare(means).new_job())
    means.quota.forget(ada)
    late = JobOptions(start_by=datetime.now(UTC) - timedelta(seconds=1))
    wrong = {"content": "art_0", "style": ["art_0"], "method": "gatys", "size": -1}

    def refused(engine: str, params: dict[str, Any], options: JobOptions | None = None) -> AtelierError:
        with pytest.raises(AtelierError) as caught:
            Request(ada, engine, params, (), options).prepare(means)
        return caught.value

    assert isinstance(refused("alchemy", wrong, late), EngineNotFound)
    assert refused("neural_style", wrong, late).detail == "The job could not start in time."
    assert refused("neural_style", wrong).extra["errors"][0]["field"] == "size"
    del wrong["size"]
    assert isinstance(refused("neural_style", wrong), WeightsMissing)
    wrong["method"] = "patches"
    assert isinstance(refused("neural_style", wrong), BadFile)
    there = {"content": data_uri(picture()), "style": "https://example.com/b.png"}
    assert isinstance(refused("neural_style", there), TooManyQueued)
    accounts.set_limits(ada, {"max_queued": 9})
    means.quota.forget(ada)
    assert isinstance(refused("neural_style", there), TooMuchStored)
    assert files_of(means, ada) == []


def test_a_picture_is_decoded_only_where_there_is_room(lite, eve):
    asked = []

    @contextmanager
    def none(size: int):
        asked.append(size)
        raise Unavailable
        yield

    request = Request(eve, "planet_classifier", {"image": data_uri(picture())})
    with pytest.raises(Unavailable):
        request.prepare(lite, room=none)
    assert len(asked) == 1


def test_requests_are_alike_whose_files_and_options_are(eve):
    def of(*, color: str = "red", options: JobOptions | None = None, **more: Any) -> str:
        params = {"content": data_uri(picture(color=color)), "style": "https://example.com/b.png", **more}
        return Request(eve, "neural_style", params, (), options).fingerprint()

    assert of() == of(options=JobOptions(priority="normal"))
    others = [of(color="blue"), of(seed=1), of(options=JobOptions(tags=["a"]))]
    assert len({of(), *others}) == 4


@pytest.mark.parametrize(
    "value",
    [nested(100), nested(100_000), {"a": nested(5000)}, 10**5000, "\0", "\ud800", "x" * 10**7],
    ids=["nested", "deep", "in-object", "digits", "nul", "surrogate", "long"],
)
@pytest.mark.parametrize("field", ["text", "seconds", "seed", "unknown"])
def test_no_value_is_more_than_a_refusal(lite, eve, field, value):
    request = Request(eve, "echo", {field: value})
    with pytest.raises(InvalidParams) as refused:
        request.prepare(lite)
    assert len(str(refused.value.extra)) + len(refused.value.detail) < 1000


@pytest.mark.parametrize("value", [nested(100_000), 10**5000], ids=["deep", "digits"])
def test_what_cannot_be_written_down_is_no_request_under_any_key(eve, value):
    with pytest.raises(InvalidParams):
        Request(eve, "echo", {"text": value}).fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_sent_it_is_a_job_or_a_refusal_and_nothing_is_stored(lite, eve, name):
    spec = engines.spec(name)
    fields = sorted(spec.params.model_fields)

    @given(st.dictionaries(st.sampled_from([*fields, "wings"]), JSON, max_size=4), st.booleans())
    @settings(max_examples=examples(40), deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def tried(params, whole):
        with suppress(AtelierError):
            request = Request(eve, name, {**(spec.example if whole else {}), **params})
            request.fingerprint()
            prepared = request.prepare(lite)
            assert prepared.placement.queue == spec.queue
            assert prepared.params.keys() == set(fields)

    tried()
    assert files_of(lite, eve) == []
    assert list(lite.storage.list("")) == []
