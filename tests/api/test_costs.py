"""For every engine: more work is told to take longer, once a single job was measured."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

import engines
from accounts.store import AccountStore
from jobs.models import Job
from jobs.store import NewJob
from tests.api.helpers import data_uri, picture

PICTURE = data_uri(picture())
PAINTED = {"content": PICTURE, "style": [PICTURE]}
WORDS = {"name": "words", "engine": "echo"}

#: Params of less work and of more; or why all params of an engine are the same work, and two of them.
#: A new engine must say which.
PAIRS = {
    "collage": [
        ({"images": [PICTURE]}, {"images": [PICTURE] * 2}),
        ({"images": [PICTURE] * 3, "width": 800}, {"images": [PICTURE] * 3, "width": 4000}),
        ({"images": [PICTURE], "format": "jpeg"}, {"images": [PICTURE], "format": "png"}),
    ],
    "convert": [
        ({"image": PICTURE, "width": 500}, {"image": PICTURE, "width": 2000}),
        ({"image": PICTURE, "height": 2000}, {"image": PICTURE, "height": 2000, "width": 4000}),
        ({"image": PICTURE, "scale": 0.5}, {"image": PICTURE}),
        ({"image": PICTURE, "format": "jpeg"}, {"image": PICTURE, "format": "avif"}),
    ],
    "echo": [({"seconds": 0.0}, {"seconds": 0.5}), ({"seconds": 5.0}, {"seconds": 50.0})],
    "neural_style": [
        (PAINTED | {"size": 64, "quality": "draft"}, PAINTED | {"size": 96, "quality": "draft"}),
        (PAINTED | {"size": 512}, PAINTED | {"size": 768}),
        (PAINTED | {"size": 1024, "quality": "best"}, PAINTED | {"size": 2048, "quality": "best"}),
        (PAINTED | {"quality": "draft"}, PAINTED | {"quality": "normal"}),
        (PAINTED | {"quality": "normal"}, PAINTED | {"quality": "best"}),
        (PAINTED, PAINTED | {"style": [PICTURE, PICTURE]}),
        (PAINTED, PAINTED | {"stroke": 2.0}),
        (PAINTED, PAINTED | {"count": 3}),
    ],
    "pipeline": (
        "its stages are jobs of their own",
        {"stages": [WORDS]},
        {"stages": [WORDS, {**WORDS, "name": "more"}]},
    ),
    "planet_classifier": ("one picture", {"image": PICTURE}, {"image": PICTURE, "top": 12}),
    "planets": [
        ({"size": 64}, {"size": 128}),
        ({"size": 256}, {"size": 512}),
        ({"count": 1}, {"count": 2}),
        ({"count": 16}, {"count": 17}),
        ({"precision": "fast"}, {"precision": "exact"}),
        ({}, {"morph": "webp"}),
        ({"morph": "mp4", "size": 64}, {"morph": "mp4", "size": 512}),
        ({"morph": "mp4"}, {"morph": "mp4", "count": 3}),
    ],
    "prompts": [({"instruction": "a", "max_tokens": 16}, {"instruction": "a", "max_tokens": 1024})],
    "stylegan": [
        ({"seeds": "1"}, {"seeds": "1-2"}),
        ({"count": 8}, {"count": 64}),
        ({"count": 2}, {"count": 2, "walk": "mp4"}),
        ({"count": 2, "walk": "mp4"}, {"count": 2, "walk": "mp4", "frames": 96}),
    ],
    "stylegan_import": ("what an upload holds is not known before", {"source": "art_1"}, {"source": "art_2"}),
}
GROWING = {name: pairs for name, pairs in PAIRS.items() if isinstance(pairs, list)}
SAME = [(name, *pair[1:]) for name, pair in PAIRS.items() if isinstance(pair, tuple)]


def test_every_engine_says_what_is_more_work():
    assert set(PAIRS) == set(engines.names())


@pytest.mark.parametrize(("name", "one", "other"), SAME)
def test_the_same_work_costs_the_same(name, one, other):
    spec = engines.spec(name)
    assert spec.cost(spec.params(**one)) == spec.cost(spec.params(**other)) > 0


def test_a_larger_network_is_more_work():
    of = engines.spec("stylegan").network_cost
    assert 1.0 == of({"resolution": 64}) < of({"resolution": 256}) < of({"resolution": 1024})
    assert of({}) == 1.0, "a config of before"


@pytest.mark.parametrize(("device", "took"), [("cpu", 0.2), ("cpu", 30.0), ("cuda: NVIDIA H200", 2.0)])
@pytest.mark.parametrize("name", GROWING)
def test_after_one_job_more_work_is_told_to_take_longer(api, store, name, device, took):
    def told(params):
        body = json.dumps({"engine": name, "params": params})
        answer = api.post("/v1/jobs?dry_run=true", data=body, content_type="application/json")
        assert answer.status_code == 200, answer.text
        return answer.json["device_seconds"]

    # given: one job, the least of all
    (smallest, _), *_ = GROWING[name]
    spec = engines.spec(name)
    cost = spec.cost(spec.params.model_validate(smallest))
    _, key = AccountStore(store.database).create_key("bob")
    measured(store, NewJob(key.user_id, name, spec.queue, {}, 1, cost=cost), device, took)
    # then
    assert told(smallest) == pytest.approx(took, rel=0.15)
    for less, more in GROWING[name]:
        assert told(less) < told(more), f"{less} against {more}"


def measured(store, job, device, took):
    """A job that ran, on this device, for so many seconds."""
    store.submit(job)
    (row,) = store.claim("wrk_1", job.queue, engines=[job.engine], lease_seconds=60)
    store.succeed(row.id, row.attempt, [], device=device)
    store.database.write(lambda c: c.execute(update(Job).values(run_seconds=took, device_seconds=took)))
