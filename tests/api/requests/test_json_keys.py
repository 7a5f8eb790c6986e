"""A key that stands twice in a JSON object is refused, wherever it stands."""

from __future__ import annotations

import json

import pytest

from api.requests.json_keys import refuse_repeated
from jobs.errors import Invalid
from tests.api.helpers import data_uri, picture, problem


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"engine": "echo", "engine": "echo"}', "engine"),
        ('{"engine": "echo", "params": {"seed": 1, "seed" : 2}}', "seed"),
        ('{"engine": "echo", "params": {"seed": 1, "se\\u0065d": 1}}', "seed"),
        (
            '{"engine": "echo", "params": {}, "webhook": {"url": "https://a.io", "url": "https://b.io"}}',
            "url",
        ),
        ('{"engine": "planets", "params": {"world": {"mars": 1, "sun": 1, "mars": 2}}}', "mars"),
    ],
)
def test_a_repeated_key_makes_no_job(api, body, key):
    found = problem(api.post("/v1/jobs", data=body, content_type="application/json"), 400, "duplicate_key")
    assert repr(key) in found["detail"]
    assert api.get("/v1/jobs").json["jobs"] == []


def test_a_form_s_json_is_read_as_strictly(api):
    form = {"engine": "echo", "params": '{"seed": 1, "seed": 2}'}
    problem(api.post("/v1/jobs", data=form, content_type="multipart/form-data"), 400, "duplicate_key")


def test_other_bodies_are_read_as_strictly(api):
    body = '{"url": "https://a.io", "url": "https://b.io"}'
    problem(api.post("/v1/webhooks", data=body, content_type="application/json"), 400, "duplicate_key")


@pytest.mark.parametrize(
    "body",
    [
        '{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}',
        '{"a": "a", "b": "\\"a\\": 1, \\"a\\": 2"}',
        '{"A": 1, "a": 1, "": 2}',
        "[" + "9" * 5000 + "]",
    ],
)
def test_the_same_key_in_other_objects_is_none(body):
    refuse_repeated(body.encode())


def test_pictures_are_put_aside_and_the_rest_is_looked_at():
    uri = "data:image/png;base64," + "A" * 20_000
    good = {"content": uri, "style": [uri, uri, uri], "mix": {uri: 1, uri + "A": 2}}
    text = json.dumps(good)
    refuse_repeated(text.encode())
    with pytest.raises(Invalid):
        refuse_repeated((text[:-1] + ', "style": []}').encode())


def test_a_picture_comes_through_as_it_was(api):
    uri = data_uri(picture(400, 300))
    body = {"engine": "neural_style", "params": {"content": uri, "style": uri}}
    assert api.post("/v1/jobs", json=body).status_code == 202
