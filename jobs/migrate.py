"""Bringing the tables to where the code is. Apart from `jobs.database`: serving imports no Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from jobs.database import Database


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the tables to `revision` ("head" is the newest, "base" is none at all)."""
    config = alembic_config(database)
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def head() -> str | None:
    """The newest migration this code knows."""
    return ScriptDirectory.from_config(alembic_config(None)).get_current_head()


def alembic_config(database: Database | None) -> Config:
    """Alembic's settings; there is no alembic.ini to keep."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["engine"] = database.engine if database else None
    return config
