"""What a data folder holds, and the environment that lets every part use it."""

from __future__ import annotations

import stat

from cli import settings


def test_a_private_file_is_private_from_its_first_moment(tmp_path):
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)

    settings.write_private(path, "new")

    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_environment_completes_what_the_user_set(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/atelier")

    made = settings.environment(tmp_path)

    assert made["DATABASE_URL"] == "postgresql://db/atelier"
    assert made["STORAGE_URL"] == f"file://{tmp_path}/objects"
