"""deploy/compose.yaml: services that wait for each other, commands that exist, no secret inside."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from api.requests.budget import PROCESS_BYTES
from api.settings import Settings
from bot.settings import Settings as BotSettings
from cli import bot as telegram_bot
from cli.embedded import Plan, children
from cli.main import main

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_the_parts_are_there(services):
    assert set(services) == {
        *("api", "worker", "worker-gpu", "sweeper", "webhooks", "bot", "migrate"),
        *("postgres", "redis", "s3", "bucket"),
    }
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    assert services["bot"]["profiles"] == ["telegram"]  # without a token it could only fail


def test_nothing_starts_before_what_it_needs(services):
    for name in ("api", "worker", "worker-gpu", "sweeper"):
        waits = {part: how["condition"] for part, how in services[name]["depends_on"].items()}
        assert waits["migrate"] == waits["bucket"] == "service_completed_successfully"
        assert waits["redis"] == "service_healthy"
    assert services["webhooks"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    for service in services.values():
        for part, how in service.get("depends_on", {}).items():
            assert part in services
            if how["condition"] == "service_healthy":
                assert "test" in services[part]["healthcheck"]
            if how["condition"] == "service_completed_successfully":
                assert services[part]["restart"] == "no"


def test_stores_have_no_way_out_and_only_who_talks_to_others_has_one():
    made = yaml.safe_load(COMPOSE.read_text())

    assert made["networks"]["stores"] == {"internal": True}
    on = {name: set(service["networks"]) for name, service in made["services"].items()}
    out = {name for name, networks in on.items() if "outside" in networks}
    assert out == {"api", "worker", "worker-gpu", "webhooks", "bot"}
    assert all("stores" in networks for networks in on.values())


def test_images_from_elsewhere_can_be_given_by_digest(services):
    ours = ("atelier-api", "atelier-gpu")
    for name, service in services.items():
        if service["image"] not in ours:
            assert re.fullmatch(r"\$\{[A-Z0-9]+_IMAGE:-[\w./-]+:[\w.-]+\}", service["image"]), name


def test_commands_are_ones_the_tests_run(services, tmp_path):
    started = [
        ["python", *child.command[1:]] for child in children(Plan(tmp_path, "127.0.0.1", 0, 1, "gpu,cpu"))
    ]
    for name in ("api", "worker", "worker-gpu"):
        assert "command" not in services[name]  # the image's own: tests/deploy/test_images.py
    assert services["sweeper"]["command"] in started
    assert services["webhooks"]["command"] in started
    assert services["bot"]["command"] == ["python", *telegram_bot.COMMAND]
    assert services["migrate"]["command"] == ["atelier", "migrate"]
    assert "migrate" in main.commands


def test_the_bot_s_ports_are_those_that_it_and_nginx_know(services):
    bot = services["bot"]
    told = BotSettings.from_env({"ATELIER_TELEGRAM_TOKEN": "1:a", **bot["environment"]})
    (published,) = bot["ports"]
    first, last, inside = map(int, re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):(\d+)", published).groups())
    assert told.listen == f"0.0.0.0:{inside}"
    assert f"127.0.0.1:{inside}/healthz" in bot["healthcheck"]["test"][-1]
    assert told.url == "http://api:8080"
    nginx = (ROOT / "deploy" / "nginx.conf").read_text()
    upstream = re.search(r"upstream atelier_bot \{(.*?)\}", nginx, re.DOTALL)[1]
    assert re.findall(r"server 127\.0\.0\.1:(\d+);", upstream) == [str(p) for p in range(first, last + 1)]


def test_what_the_bot_notes_survives_redis(services):
    """Whose chat is whose is written nowhere else."""
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert services["redis"]["volumes"] == ["redis:/data"]


def test_every_variable_it_sets_or_asks_for_is_documented(services):
    known = set(
        re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE)
    )
    for service in services.values():
        if service.get("env_file"):
            assert set(service.get("environment", {})) <= known
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text())) <= known


def test_no_secret_is_written_into_it(services):
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", name):
                assert value.startswith("${"), name


def test_our_containers_are_confined(services):
    for service in services.values():
        if service["image"].startswith("atelier"):
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
            assert service["env_file"] == [".env"]


def test_every_service_has_a_limit_of_memory(services):
    assert all(re.fullmatch(r"[0-9]+[mg]", service["mem_limit"]) for service in services.values())


def test_the_api_may_take_what_its_processes_budget(services):
    units = {"m": 1 << 20, "g": 1 << 30}
    text = services["api"]["mem_limit"]
    limit = int(text[:-1]) * units[text[-1]]
    shown = documented_defaults()
    assert int(shown["ATELIER_MEMORY_BUDGET_BYTES"]) == Settings().memory_budget_bytes
    needed = int(shown["ATELIER_API_WORKERS"]) * (Settings().memory_budget_bytes + PROCESS_BYTES)
    assert needed <= limit <= 1.5 * needed
    # bodies on their way are files; in a tmpfs they would be memory
    assert services["api"]["tmpfs"] == []
    assert "/tmp" in services["api"]["volumes"]


def documented_defaults() -> dict[str, str]:
    text = (ROOT / "deploy" / "env.example").read_text()
    return dict(re.findall(r"^#?(ATELIER_\w+)=(.*)$", text, re.MULTILINE))


def test_the_bucket_is_made_once_and_again(services, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        command = [part.replace("http://s3:7070", url) for part in services["bucket"]["command"]]
        for _ in range(2):
            subprocess.run([sys.executable, *command[1:]], check=True, timeout=60, env=dict(os.environ))
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        # moto's buckets belong to the process: other tests' may be there as well.
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]].count("atelier") == 1
    finally:
        server.stop()


def test_docker_itself_takes_it(tmp_path):
    """Only where the compose plugin is installed; the checks above hold everywhere."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker compose here")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / "deploy" / "env.example", tmp_path / "deploy" / ".env")

    found = subprocess.run(
        [docker, "compose", "-f", str(tmp_path / "deploy" / "compose.yaml"), "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    assert "api" in json.loads(found.stdout)["services"]
