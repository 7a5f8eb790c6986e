"""Time that passes at once: every time in the database moves back."""

from __future__ import annotations

from jobs.database import Database

TIMES = {
    "jobs": ("created_at", "run_after", "started_at", "finished_at"),
    "artifacts": ("created_at",),
    "cleanups": ("due_at",),
}


def pass_days(database: Database, days: float) -> None:
    """Let everything that is recorded be so much older. Leases stay as they are."""
    seconds = days * 86400
    earlier = (
        "strftime('%Y-%m-%d %H:%M:%f', {0}, '-{1} seconds')"
        if database.is_sqlite
        else "{0} - make_interval(secs => {1})"
    )
    for table, columns in TIMES.items():
        sets = ", ".join(f"{column} = {earlier.format(column, seconds)}" for column in columns)
        database.write(lambda c, sets=sets, table=table: c.exec_driver_sql(f"UPDATE {table} SET {sets}"))
