"""gunicorn's configuration: streams can never take all threads, and connections find descriptors."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

_SHOW = """
import json, resource, sys
import api.gunicorn as g
soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
g.on_exit(None)
json.dump({"threads": g.threads, "connections": g.worker_connections, "files": soft,
    "driver": "psycopg" in sys.modules}, sys.stdout)
"""


def configured(limit: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """What the configuration says of itself in a process of its own, under these limits of open files."""
    command = f"{limit} exec {sys.executable} -c '{_SHOW}'"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ATELIER_")}
    return subprocess.run(
        ["bash", "-c", command], env=kept | environ, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("environ", "threads"),
    [
        ({}, 32),
        ({"ATELIER_STREAMS": "500"}, 516),
        ({"ATELIER_STREAMS": "6", "ATELIER_API_THREADS": "8"}, 8),
        ({"ATELIER_API_THREADS": ""}, 32),
    ],
)
def test_there_are_always_threads_beyond_the_streams(environ, threads):
    made = configured(**environ)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["threads"] == threads


def test_the_database_s_driver_is_imported_before_the_fork(tmp_path):
    for url, there in ((f"sqlite:///{tmp_path}/a.db", False), ("postgresql://nobody@127.0.0.1:1/none", True)):
        made = configured(DATABASE_URL=url)
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["driver"] is there


@pytest.mark.parametrize("threads", ["16", "500"])
def test_threads_that_streams_could_take_all_are_refused(threads):
    made = configured(ATELIER_STREAMS="500", ATELIER_API_THREADS=threads)
    assert made.returncode == 1
    assert f"ATELIER_API_THREADS is {threads}, but ATELIER_STREAMS lets" in made.stderr
    assert "set it to 516" in made.stderr
    assert "Traceback" not in made.stderr


def test_the_limit_of_open_files_is_raised_as_far_as_it_is_needed():
    made = configured("ulimit -Sn 256;", ATELIER_STREAMS="500")
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert found["connections"] < found["files"] < 2000


def test_a_limit_that_may_not_be_raised_is_a_clear_error():
    made = configured("ulimit -n 1024;", ATELIER_STREAMS="500")
    assert made.returncode == 1
    assert "This process may open 1024 files" in made.stderr
    assert "Traceback" not in made.stderr
