"""Files in a submission, idempotency, and what happens when a part is away."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from fleet.store import FleetStore
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.migrate import migrate
from jobs.store import JobStore
from queue_config import Doorbell
from storage.base import StorageUnavailable
from storage.memory import MemoryStorage
from tests.api.helpers import Api, data_uri, finish, picture, problem


def style_job(api, headers=None, **params):
    return api.post("/v1/jobs", json={"engine": "neural_style", "params": params}, headers=headers or {})


def files(api):
    return api.get("/v1/files").json["files"]


def test_files_come_as_ids_data_uris_and_urls(api):
    # given
    file_id = api.upload().json["id"]
    # when
    answer = style_job(api, content=data_uri(picture()), style=[file_id, "https://example.com/a.png"], seed=5)
    # then
    params = answer.json["params"]
    assert params["style"] == [file_id, "https://example.com/a.png"]
    assert params["content"].startswith("art_")
    assert api.get(f"/v1/files/{params['content']}").json["width"] == 48
    problem(api.delete(f"/v1/files/{params['content']}"), 409, "in_use")


def test_a_form_carries_files_and_typed_fields(api):
    form = {
        "engine": "neural_style",
        "content": (io.BytesIO(picture()), "me.png"),
        "style[]": [(io.BytesIO(picture(color="red")), "a"), (io.BytesIO(picture(color="blue")), "b")],
        "style_weights": "[1, 0.5]",
        "strength": "0.25",
        "size": "256",
        "method": "patches",
        "seed": "",
        "params": '{"quality": "draft"}',
    }
    answer = api.post("/v1/jobs", data=form)
    assert answer.status_code == 202, answer.text
    params = answer.json["params"]
    assert (params["strength"], params["size"], params["quality"]) == (0.25, 256, "draft")
    assert params["style_weights"] == [1.0, 0.5]
    assert len(params["style"]) == 2
    assert [f["name"] for f in files(api)][::-1] == ["me.png", "a", "b"]


@pytest.mark.parametrize(
    ("extra", "status", "code", "field"),
    [
        ({"strength": "much"}, 422, "invalid_params", "strength"),
        ({"wings": "2"}, 422, "invalid_params", "wings"),
        ({"size": (io.BytesIO(b"x"), "x.png")}, 422, "invalid_params", "size"),
        ({"params": "[1]"}, 400, "invalid_request", None),
        ({"params": "{"}, 400, "invalid_json", None),
        ({"content": (io.BytesIO(b"no image"), "x.png")}, 422, "unsupported_image_type", "content"),
    ],
)
def test_forms_that_do_not_fit_leave_no_files(api, extra, status, code, field):
    form = {"engine": "neural_style", "content": "https://example.com/a.png"}
    form |= {"style": (io.BytesIO(picture()), "a.png")} | extra
    found = problem(api.post("/v1/jobs", data=form), status, code)
    if field:
        assert found["errors"][0]["field"] == field
    assert files(api) == []


def test_a_form_without_an_engine_is_refused(api):
    form = {"text": "x", "f": (io.BytesIO(b""), "")}
    answer = api.post("/v1/jobs", data=form)
    found = problem(answer, 422, "invalid_request")
    assert found["errors"] == api.post("/v1/jobs", json={"params": {"text": "x"}}).json["errors"]
    assert found["errors"][0]["field"] == "engine"
    form = {"engine": "alchemy", "f": (io.BytesIO(b""), "")}
    problem(api.post("/v1/jobs", data=form), 404, "engine_not_found")


@pytest.mark.parametrize("more", ["", '; filename="a.png"'])
def test_a_part_without_a_name_is_refused(api, more):
    parts = ['; name="engine"\r\n\r\necho', f"{more}\r\n\r\n7"]
    data = "".join(f"--b\r\nContent-Disposition: form-data{part}\r\n" for part in parts) + "--b--\r\n"
    answer = api.post("/v1/jobs", data=data, content_type="multipart/form-data; boundary=b")
    assert problem(answer, 422, "invalid_params")["errors"][0]["field"] == ""


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("art_0", "file_not_found"),
        ("art_" + "0" * 32, "file_not_found"),
        ("http://example.com/a.png", "bad_url"),
        ("https://", "invalid_params"),
        ("https:///a.png", "bad_url"),
        ("https://user:pass@example.com/a.png", "bad_url"),
        ("https://example.com:99999/a.png", "bad_url"),
        ("https://[::1/a.png", "bad_url"),
        ("https://exa mple.com/", "bad_url"),
        ("https://example.com/" + "a" * 3000, "bad_url"),
        ("https://127.0.0.1/a.png", "private_url"),
        ("https://[::1]/a.png", "private_url"),
        ("https://169.254.169.254/latest/meta-data", "private_url"),
        ("https://localhost/a.png", "private_url"),
        ("https://db.internal/a.png", "private_url"),
        ("file:///etc/passwd", "invalid_params"),
        ("../../etc/passwd", "invalid_params"),
        ("data:image/png,abc", "bad_data_uri"),
        ("data:image/png;base64,###", "bad_data_uri"),
        ("data:image/png;base64,aGVsbG8=", "unsupported_image_type"),
        ("data:image/png;base64,", "unsupported_image_type"),
        ("", "invalid_params"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(api, content, code):
    answer = style_job(api, content=content, style=["https://example.com/b.png"])
    assert answer.status_code == 422, answer.text
    found = answer.json
    assert code in (found["code"], found["errors"][0]["code"]), found
    assert found["errors"][0]["field"].endswith("content")
    assert files(api) == []


def test_another_owners_file_is_not_found(api, other):
    theirs = other.upload().json["id"]
    problem(style_job(api, content=theirs, style=[theirs]), 422, "file_not_found")


def test_a_result_can_be_an_input_only_where_its_type_fits(api, store, storage):
    api.job_id()
    finish(store, storage)
    text = api.get("/v1/jobs").json["jobs"][0]["artifacts"][0]["id"]
    problem(style_job(api, content=text, style=[text]), 422, "wrong_media_type")


def test_missing_weights_say_how_to_get_them_until_a_worker_has_them(api, store, monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
    uri = data_uri(picture())
    found = problem(style_job(api, content=uri, style=uri, method="gatys"), 422, "weights_missing")
    assert "atelier weights pull vgg19" in found["detail"]
    assert files(api) == []
    FleetStore(store.database).report(
        "wrk_1", hostname="h", pid=1, queues=["gpu"], engines=["neural_style"], weights=["vgg19"],
        device=None,
    )  # fmt: skip
    answer = style_job(api, content=uri, style=[uri], method="gatys")
    assert answer.status_code == 202, answer.text
    assert api.get("/v1/engines/neural_style").json["needs_weights"] == {"vgg19": True}


def test_one_key_with_one_request_is_one_job(api):
    key = {"Idempotency-Key": "k1"}
    first, second = api.submit(key, text="a"), api.submit(key, text="a")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["id"] == second.json["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    found = problem(api.submit(key, text="b"), 409, "idempotency_conflict")
    assert found["job_id"] == first.json["id"]


def test_keys_belong_to_their_owner(api, other):
    key = {"Idempotency-Key": "k1"}
    assert api.submit(key).json["id"] != other.submit(key).json["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256])
def test_a_key_that_is_none_is_a_400(api, key):
    problem(api.submit({"Idempotency-Key": key}), 400, "bad_idempotency_key")


def test_a_replayed_form_stores_no_file_again_whatever_its_boundary(api):
    def send(color="red"):
        form = {
            "engine": "neural_style",
            "content": (io.BytesIO(picture()), "a.png"),
            "style": (io.BytesIO(picture(color=color)), "b.png"),
        }
        return api.post("/v1/jobs", data=form, headers={"Idempotency-Key": "form"})

    first, second = send(), send()
    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    problem(send("green"), 409, "idempotency_conflict")
    assert len(files(api)) == 2


def test_concurrent_submits_with_one_key_make_exactly_one_job(api):
    def send(_):
        return style_job(
            api, {"Idempotency-Key": "race"}, content=data_uri(picture()), style="https://example.com/a.png"
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json["id"] for a in answers}) == 1
    assert sum("Idempotency-Replayed" not in a.headers for a in answers) == 1
    assert len(api.get("/v1/jobs").json["jobs"]) == 1
    assert len(files(api)) == 1


def test_without_a_broker_the_answer_is_202(api):
    assert api.submit().status_code == 202


class AwayStorage(MemoryStorage):
    """A store that cannot be used."""

    def put(self, *_args, **_more):
        raise StorageUnavailable("away")

    def open(self, *_args, **_more):
        raise StorageUnavailable("away")


def test_without_storage_nothing_is_accepted_that_needs_it(make_app, make_key):
    api = Api(make_app(storage=AwayStorage()), make_key())
    answer = style_job(api, content=data_uri(picture()), style="https://example.com/a.png")
    problem(answer, 503, "storage_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    problem(api.upload(), 503, "storage_unavailable")
    assert api.get("/v1/jobs").json["jobs"] == []
    assert files(api) == []
    assert api.submit().status_code == 202


def test_without_a_database_nothing_is_accepted(postgres, storage):
    database = Database(postgres.create("gone"))
    migrate(database)
    key = AccountStore(database).create_key("ada")[0]
    api = Api(create_app(JobStore(database), storage, Doorbell(), Settings()), key)
    assert api.submit().status_code == 202
    postgres.drop("gone")
    answer = api.submit()
    problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    problem(api.upload(), 503, "unavailable")
    assert api.get("/readyz").status_code == 503
    database.close()


def test_a_database_lost_after_the_commit_does_not_turn_a_202_into_a_503(sqlite_database, storage, make_key):
    class Losing(JobStore):
        def position(self, _job):
            raise Unavailable

    api = Api(create_app(Losing(sqlite_database), storage, Doorbell(), Settings()), make_key())
    answer = api.submit()
    assert answer.status_code == 202
    problem(api.get(answer.headers["Location"]), 503, "unavailable")


def test_an_http_url_is_refused_with_what_to_do_instead(api):
    answer = style_job(api, content="http://example.com/a.png", style="https://example.com/b.png")
    found = problem(answer, 422, "invalid_params")
    assert found["errors"][0] == {
        "field": "content",
        "message": "Only https: URLs are fetched. Upload the file with POST /v1/files instead.",
        "code": "bad_url",
    }


def test_a_job_goes_only_to_a_worker_with_the_weights_it_needs(api, store, monkeypatch):
    monkeypatch.setattr("accept.needs.weights.present", lambda _name: True)
    uri = data_uri(picture())
    job = style_job(api, content=uri, style=[uri], method="gatys").json
    api.post(f"/v1/jobs/{job['id']}/cancel")
    again = api.post(f"/v1/jobs/{job['id']}/retry").json

    def claimed(*meets):
        rows = store.claim("wrk_1", "gpu", engines=["neural_style"], meets=meets, lease_seconds=60)
        return [row.id for row in rows]

    assert claimed() == []
    assert claimed({"vgg19"}) == [again["id"]]


def test_unknown_params_are_named_but_not_all_of_them(api):
    found = problem(api.submit(**{f"wing{n:03}": n for n in range(500)}, text="x"), 422, "invalid_params")
    assert [e["field"] for e in found["errors"]] == [f"wing{n:03}" for n in range(20)]
    assert {e["code"] for e in found["errors"]} == {"extra_forbidden"}
