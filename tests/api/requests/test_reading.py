"""What a client sent is read as it is described, or refused before it costs anything."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from tests.api.helpers import data_uri, problem


def test_a_misspelt_query_parameter_is_told(api):
    problem(api.get("/v1/jobs?stat=queued"), 400, "unknown_parameter")
    problem(api.get("/v1/me?x=" + "y" * 5000), 400, "unknown_parameter")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(api, number):
    body = f'{{"engine": "echo", "params": {{"seconds": {number}}}}}'
    answer = api.post("/v1/jobs", data=body, content_type="application/json")
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "invalid_json"),
        ("{", 400, "invalid_json"),
        ("[]", 422, "invalid_request"),
        ('{"params": {}}', 422, "invalid_request"),
        ('{"engine": "echo", "more": 1}', 422, "invalid_request"),
        ('{"engine": 7}', 422, "invalid_request"),
        ('{"engine": "echo", "params": {"seed": ' + "9" * 5000 + "}}", 400, "invalid_json"),
        ('{"engine": "echo", "params": {"x": ' + "[" * 9_000 + "}}", 400, "invalid_json"),
        ('{"engine": "echo", "params": {"x": ' + "[" * 50_000 + "}}", 400, "too_many_values"),
        ('{"engine": "echo", "params": {"text": "a\\u0000b"}}', 422, "invalid_params"),
        ('{"engine": "echo", "params": {"text": "\\ud800"}}', 400, "invalid_json"),
        (b'{"engine": "\xff"}', 400, "invalid_json"),
    ],
)
def test_bodies_that_are_no_requests_are_refused(api, body, status, code):
    problem(api.post("/v1/jobs", data=body, content_type="application/json"), status, code)


def test_another_content_type_is_a_415(api):
    problem(api.post("/v1/jobs", data="x", content_type="text/plain"), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "state=lost", "cursor=job_1", "engine=%00", "cursor=%27"]
)
def test_a_query_that_does_not_fit_is_a_400(api, query):
    found = problem(api.get(f"/v1/jobs?{query}"), 400, "invalid_request")
    assert found["errors"][0]["field"].partition(".")[0] in ("limit", "state", "cursor", "engine")


@pytest.mark.parametrize("wait", ["-1", "61", "60.001", "x", "nan", "inf", "1e1", ""])
def test_a_wait_that_makes_no_sense_is_a_400_and_makes_no_job(api, wait):
    problem(api.post(f"/v1/jobs?wait={wait}", json={"engine": "echo"}), 400, "bad_wait")
    assert api.get("/v1/jobs").json["jobs"] == []


@pytest.mark.parametrize("wait", ["0", "0.0", "000"])
def test_a_wait_of_nothing_does_not_wait(api, wait):
    assert api.post(f"/v1/jobs?wait={wait}", json={"engine": "echo"}).json["state"] == "queued"


def _peak(send) -> tuple[TestResponse, int]:
    tracemalloc.start()
    try:
        return send(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ("{" + ",".join(f'"{n:07}":0' for n in range(1_000_000)) + "}", 400),
        ('{"text":[' + "0," * 6_000_000 + "0]}", 400),
        ('{"text":' + "[" * 12_000_000 + "}", 400),
        ('{"' + "k" * 12_000_000 + '":0}', 413),
        ('{"text":"' + "x" * 12_000_000 + '\U0001f600"}', 413),
        ('{"text":"\U0001f600\\"data:' + "x" * 12_000_000 + '"}', 413),
        ('{"text":"data:\\ud83d\\ude00' + "x" * 12_000_000 + '"}', 413),
        ('{"text":"data:' + "x" * 12_000_000 + '"}', 422),
        ('{"data:' + "x" * 12_000_000 + '":0}', 422),
    ],
    ids=["keys", "items", "nesting", "name", "wide", "wide-uri", "escaped", "uri", "uri-name"],
)
def test_a_hostile_body_costs_little_more_than_its_size(api, params, status):
    body = f'{{"engine":"echo","params":{params}}}'.encode()
    api.get("/v1/me")
    answer, peak = _peak(lambda: api.post("/v1/jobs", data=body, content_type="application/json"))
    assert answer.status_code == status
    assert len(answer.data) < 10_000
    assert peak < 60_000_000


@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_a_large_picture_in_json_is_taken(api, slash):
    noise = io.BytesIO()
    Image.effect_noise((1400, 1400), 90).convert("RGB").save(noise, "PNG")
    uri = data_uri(noise.getvalue())
    assert len(uri) > 1_500_000
    text = json.dumps(
        {"engine": "neural_style", "params": {"content": uri, "style": "https://example.com/a"}}
    )
    answer = api.post("/v1/jobs", data=text.replace("/", slash), content_type="application/json")
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("field", ["params", "style_weights"])
def test_a_hostile_form_field_is_refused_before_it_is_parsed(api, field):
    form = {"engine": "neural_style", field: "[" + "0," * 50_000 + "0]"}
    answer = api.post("/v1/jobs", data=form, content_type="multipart/form-data")
    problem(answer, 400, "too_many_values")
