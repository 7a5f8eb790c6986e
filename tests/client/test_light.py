"""The client is light: httpx, and nothing of the rest of the house."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_it_brings_nothing_but_httpx():
    program = """
import sys
import client, client.schema
heavy = {"api", "cli", "engines", "jobs", "storage", "flask", "pydantic", "sqlalchemy", "numpy", "torch"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, env={"PATH": "/usr/bin:/bin"})
