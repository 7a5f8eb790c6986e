"""`atelier storage audit`: what it says, and its exit code."""

from __future__ import annotations

import io
import json
import re

import pytest

from jobs.database import Database
from jobs.files import FileStore
from jobs.store import NewArtifact
from storage.local import LocalStorage
from tests.jobs.conftest import owner


def row_without_object(database: Database) -> str:
    """The key that it names."""
    files = FileStore(database)
    file_id = files.reserve()
    key = f"files/{file_id}/a.png"
    files.add(file_id, owner(database), NewArtifact("a.png", key, "image/png", 3, "0" * 64))
    return key


@pytest.fixture
def audit(run):
    return lambda *arguments: run("storage", "audit", *arguments)


def test_it_lists_repairs_and_says_by_its_exit_code_what_is_left(run, audit, tmp_path):
    assert "atelier migrate" in audit().output
    assert run("migrate").exit_code == 0
    LocalStorage(tmp_path / "data" / "objects").put("files/art_1/a.png", io.BytesIO(b"abc"))
    assert audit().exit_code == 0, "it is young"

    listed = audit("--grace-hours", "0")
    assert listed.exit_code == 1
    assert "files/art_1/a.png" in listed.output
    repaired = audit("--grace-hours", "0", "--repair", "--json")
    assert repaired.exit_code == 0
    assert json.loads(repaired.output)["deleted"] == 1
    assert "0 objects (0 bytes), 0 rows" in audit("--grace-hours", "0").output

    database = Database(f"sqlite:///{tmp_path}/data/atelier.db")
    missing = row_without_object(database)
    database.close()
    after = audit("--json")
    assert after.exit_code == 1
    assert [one["key"] for one in json.loads(after.output)["missing"]] == [missing]


def test_a_list_says_what_became_of_each(run, audit, tmp_path):
    run("migrate")
    LocalStorage(tmp_path / "data" / "objects").put("files/art_1/b.png", io.BytesIO(b"abc"))
    database = Database(f"sqlite:///{tmp_path}/data/atelier.db")
    missing = row_without_object(database)
    database.close()

    def rows(*arguments: str) -> list[list[str]]:
        done = audit("--grace-hours", "0", *arguments)
        assert done.exit_code == 1, "a row stays without its object"
        return [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines()[1:]]

    lost = ["no object", missing, "-"]
    assert rows() == [["no row", "files/art_1/b.png", "3"], lost]
    assert rows("--repair") == [["deleted", "files/art_1/b.png", "3"], lost]
    assert rows() == [lost]


@pytest.mark.parametrize(("url", "says"), [("ftp://somewhere", "STORAGE_URL: "), ("s3://", "STORAGE_URL: ")])
def test_a_store_that_is_none_is_a_sentence(run, audit, monkeypatch, url, says):
    run("migrate")
    monkeypatch.setenv("STORAGE_URL", url)
    found = audit()
    assert found.exit_code == 1
    assert says in found.stderr
    assert "Traceback" not in found.output


def test_a_store_that_is_away_is_no_crash(run, audit, tmp_path, monkeypatch):
    run("migrate")
    (tmp_path / "plain").write_text("")
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}/plain/below")
    result = audit()
    assert result.exception is None or isinstance(result.exception, SystemExit)
