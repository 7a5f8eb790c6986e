"""`atelier doctor`."""

from __future__ import annotations

import json

from cli import settings


def test_the_doctor_fails_for_a_store_that_cannot_be_written(run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/file")
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    result = run("doctor", "--json")

    found = {one["check"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert found["storage"]["level"] == "FAIL"
    assert found["storage"]["mend"]
    assert found["python"]["level"] == "OK"


def test_the_doctor_blames_no_local_log_for_a_server_elsewhere(run, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    settings.write_running(tmp_path / "data", settings.Running("http://127.0.0.1:10", 1))
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")

    result = run("doctor", "--json")

    server = next(one for one in json.loads(result.stdout) if one["check"] == "server")
    assert server["level"] == "FAIL"
    assert "ATELIER_URL" in server["mend"]
    assert "logs" not in server["mend"]
