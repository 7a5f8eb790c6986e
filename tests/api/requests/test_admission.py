"""What a request holds while it is under way, and that it is given back however the request ends."""

from __future__ import annotations

import gzip
import io
from contextlib import ExitStack

import pytest

from doors.audio import MEMORY_BYTES
from doors.base import NotInspected
from tests.api.helpers import Api, data_uri, picture, problem
from tests.doors.sounds import sound


@pytest.fixture
def found(app):
    return app.extensions["atelier"]


def nothing_is_held(found) -> bool:
    return not found.long_requests._held and not found.budget._held


def test_uploads_take_a_place_and_give_it_back(api, other, found):
    most = found.settings.long_requests_each
    owner = api.get("/v1/me").json["user_id"]
    with ExitStack() as held:
        for _ in range(most):
            held.callback(found.long_requests.take(owner).release)
        refused = problem(api.upload(), 429, "too_many_at_once")
        assert refused["retry_after"] > 0
        # what is quick needs no place, and others have theirs
        assert api.submit().status_code == 202
        assert other.upload().status_code == 201
    assert api.upload().status_code == 201
    assert nothing_is_held(found)


def test_a_packed_body_takes_one_however_short_it_is(api, found):
    packed = {"data": gzip.compress(b'{"engine": "echo"}'), "content_type": "application/json"}
    headers = {"Content-Encoding": "gzip"}
    with ExitStack() as held:
        for _ in range(found.settings.long_requests_each):
            held.callback(found.long_requests.take(api.get("/v1/me").json["user_id"]).release)
        problem(api.post("/v1/jobs", **packed, headers=headers), 429, "too_many_at_once")
    assert api.post("/v1/jobs", **packed, headers=headers).status_code == 202
    assert nothing_is_held(found)


def test_with_all_places_taken_nobody_gets_one(api, found):
    with ExitStack() as held:
        for number in range(found.settings.long_requests):
            held.callback(found.long_requests.take(f"owner {number}").release)
        answer = api.upload()
        problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("data", "status"),
    [(picture(), 201), (b"\0 no file", 422), (picture()[:60], 422)],
    ids=["picture", "none", "half"],
)
def test_everything_is_given_back_however_it_ends(api, found, data, status):
    assert api.upload(data).status_code == status
    assert nothing_is_held(found)


def test_a_large_json_text_takes_its_room_and_gives_it_back(api, found, monkeypatch):
    taken: list[int] = []
    take = found.budget.take
    monkeypatch.setattr(
        type(found.budget), "take", lambda _self, owner, size: taken.append(size) or take(owner, size)
    )
    body = {"engine": "neural_style", "params": {"content": data_uri(bytes(300_000)), "style": "x"}}
    assert api.post("/v1/jobs", json=body).status_code == 422
    assert max(taken) > 5 * 400_000
    assert nothing_is_held(found)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_json_body_over_its_limit_is_told_of_files(make_app, make_key, chunked):
    api = Api(make_app(rate_per_minute=0, max_json_bytes=200_000), make_key("ada"))
    text = b'{"engine": "echo", "params": {"text": "' + b"x" * 250_000 + b'"}}'
    more = {"data": text}
    if chunked:
        more = {
            "input_stream": io.BytesIO(text),
            "headers": {"Transfer-Encoding": "chunked"},
            "environ_overrides": {"wsgi.input_terminated": True},
        }
    answer = api.post("/v1/jobs", content_type="application/json", **more)
    refused = problem(answer, 413, "too_large")
    assert "POST /v1/files" in refused["detail"]
    assert refused["limit"] == 200_000
    # as a form it is taken
    assert api.upload(picture() + bytes(250_000)).status_code == 201


def test_a_picture_that_can_never_fit_is_refused_with_the_limit(make_app, make_key):
    app = make_app(rate_per_minute=0, memory_budget_bytes=160 * 2**20)
    api = Api(app, make_key("ada"))
    refused = problem(api.upload(picture(2000, 2000, "WEBP")), 422, "image_too_large")
    assert "42 MB are allowed" in refused["detail"]
    assert api.upload(picture(2000, 2000, "PNG")).status_code == 201


def test_a_sound_takes_a_place_and_what_its_child_may_have(api, found, monkeypatch):
    taken = []
    take = found.budget.take

    def counted(owner_id, size):
        taken.append(size)
        return take(owner_id, size)

    monkeypatch.setattr(found.budget, "take", counted)
    assert api.upload(sound("mp3")).status_code == 201
    assert taken == [MEMORY_BYTES]
    assert nothing_is_held(found)
    with ExitStack() as held:
        for _ in range(found.settings.long_requests_each):
            held.callback(found.long_requests.take(api.get("/v1/me").json["user_id"]).release)
        problem(api.upload(sound("mp3")), 429, "too_many_at_once")


def test_where_there_is_no_room_for_a_sound_that_is_said(make_app, make_key):
    api = Api(make_app(rate_per_minute=0, memory_budget_bytes=160 * 2**20), make_key("ada"))
    refused = problem(api.upload(sound("mp3")), 422, "audio_too_large")
    assert "134 MB of memory; 42 MB are allowed" in refused["detail"]
    assert api.upload(b"a text takes none").status_code == 201


def test_a_child_that_was_not_done_is_no_fault_of_the_sound_s(api, found, monkeypatch):
    def ask(*_args):
        raise NotInspected("killed")

    monkeypatch.setattr("doors.audio.ask", ask)
    answer = api.upload(sound("mp3"))
    problem(answer, 503, "busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert nothing_is_held(found)


def test_a_budget_that_leaves_no_room_for_a_picture_is_refused(make_app):
    with pytest.raises(ValueError, match="leaves no room for a picture"):
        make_app(memory_budget_bytes=100 * 2**20)
