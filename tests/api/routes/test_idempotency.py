"""Every POST honours an Idempotency-Key or refuses it: none looks away."""

from __future__ import annotations

import io
import re

from api.contract.operations import IDEMPOTENCY_KEY, operation_of
from tests.api.helpers import picture, problem

KEY = {IDEMPOTENCY_KEY: "k"}
#: Each has tests of its own replays: here for files, in test_submit, test_jobs, test_again and test_schedules
#: for jobs.
HONOURED = {"/v1/jobs", "/v1/jobs/{job_id}/retry", "/v1/jobs/{job_id}/again", "/v1/files"}
HONOURED |= {"/v1/schedules/{schedule_id}/run"}
#: What they do once they do for good.
HONOURED |= {"/v1/jobs/{job_id}/cancel"}


def upload(api, data, key="k", name="a.png"):
    return api.post("/v1/files", data={"file": (io.BytesIO(data), name)}, headers={IDEMPOTENCY_KEY: key})


def test_every_post_honours_it_or_refuses_it(app, admin):
    posts = [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    refused = set()
    for rule in posts:
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)
        found = operation_of(app.view_functions[rule.endpoint])
        if found is not None and IDEMPOTENCY_KEY in found.headers:
            assert path in HONOURED, f"{path} declares the key: add a test of its replay, and this entry"
            continue
        filled = re.sub(r'<id\("(\w+)"\):[^>]+>', lambda m: f"{m[1]}_{'0' * 32}", rule.rule)
        problem(admin.post(filled, headers=KEY), 400, "idempotency_not_supported")
        refused.add(path)
    assert len(posts) == len(refused) + len(HONOURED)
    assert {"/v1/networks", "/v1/webhooks", "/v1/keys", "/v1/jobs/{job_id}/hold"} <= refused


def test_without_the_header_nothing_is_refused_for_it(api):
    assert api.post(f"/v1/jobs/{api.job_id()}/hold").status_code == 200


def test_a_job_may_be_canceled_twice_under_one_key(api):
    path = f"/v1/jobs/{api.job_id()}/cancel"
    first, second = api.post(path, headers=KEY), api.post(path, headers=KEY)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json == second.json
    problem(api.post(path, headers={IDEMPOTENCY_KEY: "no key"}), 400, "bad_idempotency_key")


class TestFiles:
    def test_the_same_bytes_are_the_same_file(self, api, storage):
        first = upload(api, picture())
        second = upload(api, picture())
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json["id"] == second.json["id"]
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert len(api.get("/v1/files").json["files"]) == 1
        assert len(list(storage.list(""))) == 1

    def test_other_bytes_are_a_conflict_that_names_the_file(self, api):
        first = upload(api, picture()).json
        found = problem(upload(api, picture(color="red")), 409, "idempotency_conflict")
        assert found["file_id"] == first["id"]
        assert len(api.get("/v1/files").json["files"]) == 1

    def test_another_owner_s_key_is_another(self, api, other):
        assert upload(api, picture()).json["id"] != upload(other, picture()).json["id"]

    def test_of_two_at_once_one_is_kept(self, api, monkeypatch, app):
        """The second looks before the first has recorded its file, and records after it."""
        files = app.extensions["atelier"].files
        first = upload(api, picture()).json
        monkeypatch.setattr(files, "by_key", lambda *_: None)
        second = upload(api, picture())
        assert second.json["id"] == first["id"]
        assert second.headers["Idempotency-Replayed"] == "true"
        problem(upload(api, picture(color="red")), 409, "idempotency_conflict")
        assert len(api.get("/v1/files").json["files"]) == 1
        # What the losers stored is for the clean-up, and due now.
        due = {row.prefix for row in files.due_cleanups()}
        assert len(due) == 2
        assert f"files/{first['id']}" not in due

    def test_with_the_file_the_key_goes(self, api):
        first = upload(api, picture()).json
        api.delete(f"/v1/files/{first['id']}")
        again = upload(api, picture(color="red"))
        assert again.status_code == 201
        assert again.json["id"] != first["id"]

    def test_a_key_of_odd_characters_is_refused(self, api):
        problem(upload(api, picture(), key="a b"), 400, "bad_idempotency_key")
