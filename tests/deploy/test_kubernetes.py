"""deploy/kubernetes: valid for the API servers it names, and true to the code, the images and the schema."""

from __future__ import annotations

import ast
import ipaddress
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import psycopg
import pytest
import yaml
from sqlalchemy import update

from accounts.store import AccountStore
from api import gunicorn
from api.requests.budget import PROCESS_BYTES
from api.settings import Settings
from bot.app import STOP_SECONDS
from bot.intake import HANDLING_SECONDS
from bot.settings import Settings as BotSettings
from cli import bot as telegram_bot
from cli.embedded import Plan, children
from cli.main import main
from jobs.clock import now
from jobs.models import Job
from jobs.pace import PACE
from jobs.store import JobStore, NewJob
from jobs.urls import is_public
from queue_config import QUEUES
from storage import open_storage
from tests.api.helpers import claim
from tests.conftest import missing
from tests.ports import own_port
from workers import settings
from workers.webhook_send import TIMEOUT_SECONDS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
#: The oldest release with the parts that are used and still in support somewhere, and a late one.
RELEASES = ("1.31", "1.34")
#: Kinds that kustomize reads and no API server sees.
KUSTOMIZE = "Kustomization"


def read(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


DOCUMENTS = [
    pytest.param(
        document, id=f"{document['kind']}-{document.get('metadata', {}).get('name', path.parent.name)}"
    )
    for path in sorted(FOLDER.rglob("*.yaml"))
    for document in read(path)
    if document["kind"] != KUSTOMIZE
]
ALL = [parameter.values[0] for parameter in DOCUMENTS]


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in ALL if d["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    """Name of the Deployment or Job -> its pod template."""
    return {name: d["spec"]["template"] for k in ("Deployment", "Job") for name, d in of(k).items()}


def containers() -> list[Any]:
    return [pytest.param(c, id=name) for name, pod in pods().items() for c in pod["spec"]["containers"]]


def worker_queues() -> dict[str, str]:
    """Name of the worker Deployment -> its ATELIER_QUEUES."""
    return {
        name: next(e["value"] for e in pod["spec"]["containers"][0]["env"] if e["name"] == "ATELIER_QUEUES")
        for name, pod in pods().items()
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"
    }


# --- schemas ----------------------------------------------------------------------------------------


def closed(schema: Any) -> Any:
    """The same schema, which takes no property that it does not name."""
    if isinstance(schema, dict):
        made = {key: closed(value) for key, value in schema.items()}
        if "properties" in made and "additionalProperties" not in made:
            made["additionalProperties"] = False
        return made
    return [closed(part) for part in schema] if isinstance(schema, list) else schema


def keda_schema(kind: str) -> Any:
    """The schema of KEDA's resource definition, as the package of its models has it."""
    try:
        from cloudcoil.models.keda import v1alpha1  # noqa: PLC0415  # a laptop may lack it
    except ImportError:
        missing("the models of KEDA (the wheel cloudcoil.models.keda)")
    return closed(getattr(v1alpha1, kind).model_json_schema(by_alias=True))


def check(document: dict[str, Any], release: str) -> None:
    """Raise jsonschema's ValidationError for a document an API server would refuse."""
    if document["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(document, keda_schema(document["kind"]))
        return
    try:
        import kubernetes_validate  # noqa: PLC0415  # a laptop may lack it
    except ImportError:
        missing("the schemas of Kubernetes (the wheel kubernetes-validate)")
    try:
        kubernetes_validate.validate(document, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise jsonschema.ValidationError(str(error)) from error


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_schemas_take_every_document(document, release):
    check(document, release)


def test_the_schemas_refuse_a_wrong_document():
    deployment, scaled = of("Deployment")["atelier-api"], of("ScaledObject")["atelier-worker-gpu"]
    wrong = [
        deployment | {"spec": deployment["spec"] | {"replica": 2}},
        deployment | {"spec": deployment["spec"] | {"replicas": "two"}},
        scaled | {"spec": scaled["spec"] | {"minReplicas": 0}},
        scaled | {"spec": scaled["spec"] | {"triggers": [{"type": "postgresql", "metadata": {"query": 1}}]}},
        scaled | {"spec": {name: v for name, v in scaled["spec"].items() if name != "scaleTargetRef"}},
    ]
    for document in wrong:
        with pytest.raises(jsonschema.ValidationError):
            check(document, RELEASES[0])


# --- what kustomize puts together ---------------------------------------------------------------------


def listed(kustomization: Path) -> set[Path]:
    """Every file a kustomization brings in, by way of its folders too."""
    (document,) = read(kustomization)
    assert document["namespace"] == "atelier"
    found = set()
    for resource in document["resources"]:
        path = (kustomization.parent / resource).resolve()
        assert path.exists(), resource
        found |= listed(path / "kustomization.yaml") if path.is_dir() else {path}
    return found


def test_every_file_is_applied_but_the_example():
    everything = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
    applied = {
        file for folder in (".", "migrate", "bot") for file in listed(FOLDER / folder / "kustomization.yaml")
    }

    assert everything - applied == {FOLDER / "secret.example.yaml"}


def test_the_release_is_migrated_by_its_own_image():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {
        path: {i["name"]: i for i in read(path)[0]["images"]}
        for path in (FOLDER / folder / "kustomization.yaml" for folder in (".", "migrate", "bot"))
    }
    (running, migrating, bot) = images.values()

    assert set(running) == {"atelier-api", "atelier-gpu"}
    assert migrating == bot == {"atelier-api": running["atelier-api"]}
    assert {image["newTag"] for image in running.values()} == {version}


# --- names -------------------------------------------------------------------------------------------


def test_names_are_unique_within_a_kind():
    names = [(d["kind"], d["metadata"]["name"]) for d in ALL]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("container", containers())
def test_images_and_commands_exist(container, tmp_path):
    dockerfile = ROOT / f"Dockerfile.{container['image'].removeprefix('atelier-')}"
    assert dockerfile.is_file()
    started = {
        child.name: ["python", *child.command[1:]] for child in children(Plan(tmp_path, "", 0, 1, "gpu,cpu"))
    }
    command = container.get("command")
    match container["name"]:
        case "sweeper" | "webhooks":
            assert command in started.values()
        case "bot":
            assert command == ["python", *telegram_bot.COMMAND]
        case "migrate":
            assert command == ["atelier", "migrate"]
            assert "migrate" in main.commands
        case name:
            # The image's own, which tests/deploy/test_images.py compares.
            assert name in ("api", "worker")
            assert command is None
    assert "args" not in container


def documented() -> set[str]:
    text = (ROOT / "deploy" / "env.example").read_text()
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


def test_every_variable_is_one_that_somebody_reads():
    names = {entry["name"] for c in containers() for entry in c.values[0].get("env", ())}
    names |= {
        name for config in ("atelier-config", "atelier-bot") for name in of("ConfigMap")[config]["data"]
    }
    names |= {
        name
        for secret in ("atelier-secrets", "atelier-telegram", "atelier-providers")
        for name in of("Secret")[secret]["stringData"]
    }

    assert names <= documented()


@pytest.mark.parametrize("container", containers())
def test_every_reference_leads_somewhere(container):
    for source in container.get("envFrom", ()):
        assert source["configMapRef"]["name"] in of("ConfigMap")
    for entry in container["env"]:
        if "valueFrom" in entry:
            reference = entry["valueFrom"]["secretKeyRef"]
            assert reference["key"] in of("Secret")[reference["name"]]["stringData"]
            assert reference["key"] == entry["name"]


def test_every_part_is_told_where_the_shared_parts_are():
    secret = set(of("Secret")["atelier-secrets"]["stringData"])
    for name, pod in pods().items():
        told = {entry["name"] for entry in pod["spec"]["containers"][0]["env"]}
        if name in ("atelier-migrate", "atelier-webhooks"):
            assert told == {"DATABASE_URL"}
        elif name == "atelier-bot":
            assert not told & (secret - {"REDIS_URL"})
            assert told >= set(of("Secret")["atelier-telegram"]["stringData"])
        else:
            assert told >= secret


def test_the_api_may_take_what_its_processes_budget():
    (container,) = pods()["atelier-api"]["spec"]["containers"]
    (processes,) = [int(e["value"]) for e in container["env"] if e["name"] == "ATELIER_API_WORKERS"]
    text = container["resources"]["limits"]["memory"]
    limit = int(text.removesuffix("Gi")) << 30
    needed = processes * (Settings().memory_budget_bytes + PROCESS_BYTES)
    assert needed <= limit <= 1.5 * needed
    assert "ATELIER_MEMORY_BUDGET_BYTES" not in of("ConfigMap")["atelier-config"]["data"]


def test_the_settings_make_sense():
    config = of("ConfigMap")["atelier-config"]["data"]
    assert Settings.from_env(config).max_upload_bytes == Settings().max_upload_bytes
    open_storage(config["STORAGE_URL"])
    ingress = of("Ingress")["atelier"]["metadata"]["annotations"]
    limit = int(ingress["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m")) * 1024 * 1024
    assert limit == int(config["ATELIER_MAX_UPLOAD_BYTES"]) + 1024 * 1024


def told_to_the_bot() -> BotSettings:
    (container,) = pods()["atelier-bot"]["spec"]["containers"]
    told: dict[str, str] = {}
    for source in container["envFrom"]:
        told |= of("ConfigMap")[source["configMapRef"]["name"]]["data"]
    told |= of("Secret")["atelier-telegram"]["stringData"]
    told |= {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    return BotSettings.from_env(told | {"ATELIER_TELEGRAM_TOKEN": "1:a"})


def test_the_bot_is_found_by_telegram_and_finds_the_api():
    told, ingress = told_to_the_bot(), of("Ingress")["atelier-bot"]["spec"]
    ((host, path),) = [(rule["host"], path) for rule in ingress["rules"] for path in rule["http"]["paths"]]
    assert told.webhook == f"https://{host}{path['path']}"
    assert (host, ingress["tls"]) == (
        of("Ingress")["atelier"]["spec"]["rules"][0]["host"],
        of("Ingress")["atelier"]["spec"]["tls"],
    )
    backend = path["backend"]["service"]
    (service_port,) = of("Service")[backend["name"]]["spec"]["ports"]
    (port,) = pods()["atelier-bot"]["spec"]["containers"][0]["ports"]
    assert backend["port"]["name"] == service_port["name"]
    assert service_port["targetPort"] == port["name"]
    assert told.listen == f"0.0.0.0:{port['containerPort']}"
    assert told.url == "http://atelier-api"
    assert of("Service")["atelier-api"]["spec"]["ports"][0]["port"] == 80
    assert told.links_url == of("ConfigMap")["atelier-config"]["data"]["ATELIER_PUBLIC_URL"]
    patience = of("Ingress")["atelier-bot"]["metadata"]["annotations"]
    assert int(patience["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > HANDLING_SECONDS


def test_the_bot_lets_nobody_in_unless_told():
    told = told_to_the_bot()
    assert not told.guests
    assert not told.allow | told.admins


def test_no_real_secret_is_in_it():
    for secret in of("Secret").values():
        for name, value in secret["stringData"].items():
            if re.search("URL|PASS|KEY|SECRET", name.upper()):
                assert "change-me" in value, name


def test_every_volume_that_is_mounted_is_there():
    for name, pod in pods().items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        (container,) = pod["spec"]["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes), name
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in of("ConfigMap")


# --- selectors ---------------------------------------------------------------------------------------


def selected(selector: dict[str, Any]) -> set[str]:
    """The pods a selector takes, by the name of what makes them."""

    def takes(labels: dict[str, str]) -> bool:
        return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
            e["operator"] == "In" and labels.get(e["key"]) in e["values"]
            for e in selector.get("matchExpressions", ())
        )

    return {name for name, pod in pods().items() if takes(pod["metadata"]["labels"])}


def test_selectors_take_what_they_mean():
    for name, deployment in of("Deployment").items():
        assert selected(deployment["spec"]["selector"]) == {name}
        for spread in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", ()):
            assert selected(spread["labelSelector"]) == {name}
    for name, service in of("Service").items():
        assert selected({"matchLabels": service["spec"]["selector"]}) == {name}
    for name, budget in of("PodDisruptionBudget").items():
        assert selected(budget["spec"]["selector"]) == {name}
    assert set(of("PodDisruptionBudget")) == set(of("Deployment"))


def test_ports_lead_to_the_api():
    (port,) = pods()["atelier-api"]["spec"]["containers"][0]["ports"]
    assert f"ATELIER_BIND=0.0.0.0:{port['containerPort']}" in (ROOT / "Dockerfile.api").read_text()
    (service_port,) = of("Service")["atelier-api"]["spec"]["ports"]
    assert service_port["targetPort"] == port["name"]
    for path in of("Ingress")["atelier"]["spec"]["rules"][0]["http"]["paths"]:
        backend = path["backend"]["service"]
        assert backend["name"] in of("Service")
        assert backend["port"]["name"] == service_port["name"]


def test_what_asks_for_no_key_is_not_published():
    for path in of("Ingress")["atelier"]["spec"]["rules"][0]["http"]["paths"]:
        for inside in ("/metrics", "/healthz", "/readyz"):
            assert not inside.startswith(path["path"])


# --- confinement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pods())
def test_pods_keep_to_the_restricted_standard_their_namespace_asks_for(name):
    pod = pods()[name]["spec"]
    (container,) = pod["containers"]
    assert (
        of("Namespace")["atelier"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    )
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 10001  # USER of both images
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container["securityContext"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not own["allowPrivilegeEscalation"]
    assert own["readOnlyRootFilesystem"]
    assert not pod["automountServiceAccountToken"]
    assert not pod["enableServiceLinks"]
    assert all({"emptyDir", "configMap"} & volume.keys() for volume in pod["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {"requests", "limits"} <= container["resources"].keys()


def policies(direction: str) -> dict[str, Any]:
    return {
        name: policy["spec"]
        for name, policy in of("NetworkPolicy").items()
        if direction.capitalize() in policy["spec"]["policyTypes"]
    }


def test_what_no_policy_allows_is_refused():
    deny = of("NetworkPolicy")["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    incoming = {name: spec for name, spec in policies("ingress").items() if spec.get("ingress")}
    assert {name for spec in incoming.values() for name in selected(spec["podSelector"])} == {
        "atelier-api",
        "atelier-bot",
    }


def test_who_reaches_what():
    reach: dict[str, set[int]] = {name: set() for name in pods()}
    for spec in policies("egress").values():
        for rule in spec.get("egress", ()):
            assert rule["to"]
            for name in selected(spec["podSelector"]):
                reach[name] |= {port["port"] for port in rule["ports"]}
    workers = {name: {53, 5432, 6379, 5672, 9000, 443} for name in worker_queues()}
    assert reach == workers | {
        "atelier-api": {53, 5432, 6379, 5672, 9000},
        "atelier-sweeper": {53, 5432, 6379, 5672, 9000},
        "atelier-webhooks": {53, 5432, 443},
        "atelier-bot": {53, 6379, 8080, 443},
        "atelier-migrate": {53, 5432},
    }


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "104.16.1.1", "2606:4700:4700::1111", "2a00:1450::1", "3.5.140.2"),
        *("10.0.0.1", "172.31.255.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("192.88.99.1", "198.51.100.7", "203.0.113.9", "192.0.2.1", "240.0.0.1"),
        *("::1", "fe80::1", "fd00:ec2::254", "64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1"),
        *("::ffff:10.0.0.1", "ff02::1", "3fff::1", "fec0::1"),
    ],
)
def test_the_wall_around_those_who_call_out_and_their_own_check_agree(address):
    """Both sides of it: what `workers.outbound` would connect to is allowed, what it refuses is not."""
    rule = of("NetworkPolicy")["internet"]["spec"]["egress"][0]
    ip = ipaddress.ip_address(address)
    allowed = any(
        ip in ipaddress.ip_network(block["ipBlock"]["cidr"])
        and not any(ip in ipaddress.ip_network(inner) for inner in block["ipBlock"]["except"])
        for block in rule["to"]
        if ipaddress.ip_network(block["ipBlock"]["cidr"]).version == ip.version
    )
    assert allowed == is_public(address)


def test_exceptions_lie_within_their_blocks():
    """An API server refuses others."""
    for block in of("NetworkPolicy")["internet"]["spec"]["egress"][0]["to"]:
        for inner in block["ipBlock"]["except"]:
            assert ipaddress.ip_network(inner).subnet_of(ipaddress.ip_network(block["ipBlock"]["cidr"]))


# --- life and death -----------------------------------------------------------------------------------


def test_grace_is_longer_than_what_ends_within_it():
    for name in worker_queues():
        pod = pods()[name]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= 2 * settings.DRAIN_SECONDS
        assert "lifecycle" not in pod["containers"][0]
    assert pods()["atelier-webhooks"]["spec"]["terminationGracePeriodSeconds"] > TIMEOUT_SECONDS * PACE
    api = pods()["atelier-api"]["spec"]
    pause = api["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert api["terminationGracePeriodSeconds"] > pause + gunicorn.graceful_timeout
    bot = pods()["atelier-bot"]["spec"]
    pause = bot["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert bot["terminationGracePeriodSeconds"] > pause + 2 * STOP_SECONDS


def test_probes_ask_what_the_api_answers():
    api = pods()["atelier-api"]["spec"]["containers"][0]
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert api["livenessProbe"]["httpGet"]["path"] == api["startupProbe"]["httpGet"]["path"] == "/healthz"


def test_an_outage_of_redis_restarts_no_bot_at_once():
    bot = pods()["atelier-bot"]["spec"]["containers"][0]
    assert (
        bot["readinessProbe"]["httpGet"]
        == bot["livenessProbe"]["httpGet"]
        == {
            "path": "/healthz",
            "port": "http",
        }
    )
    assert "startupProbe" not in bot
    assert bot["livenessProbe"]["periodSeconds"] * bot["livenessProbe"]["failureThreshold"] >= 300


def test_the_number_of_pods_has_one_owner():
    scaled = {
        d["spec"]["scaleTargetRef"]["name"]
        for k in ("ScaledObject", "HorizontalPodAutoscaler")
        for d in of(k).values()
    }
    for name, deployment in of("Deployment").items():
        assert ("replicas" in deployment["spec"]) != (name in scaled), name
    assert of("HorizontalPodAutoscaler")["atelier-api"]["spec"]["minReplicas"] == 2
    assert of("Deployment")["atelier-sweeper"]["spec"]["replicas"] == 2
    assert of("Deployment")["atelier-webhooks"]["spec"]["replicas"] == 2
    assert of("Deployment")["atelier-bot"]["spec"]["replicas"] == 2


# --- scaling -----------------------------------------------------------------------------------------


def test_every_queue_has_workers_of_its_own():
    assert sorted(worker_queues().values()) == sorted(QUEUES)
    assert set(of("ScaledObject")) == set(worker_queues())
    for name, queue in worker_queues().items():
        assert pods()[name]["metadata"]["labels"]["atelier/queue"] == queue
        assert of("ScaledObject")[name]["spec"]["scaleTargetRef"]["name"] == name


def test_only_gpu_workers_take_a_gpu_and_they_scale_to_zero():
    gpus = {
        name: pods()[name]["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for name in worker_queues()
    }
    assert gpus == {"atelier-worker-gpu": "1", "atelier-worker-cpu": None, "atelier-worker-net": None}
    assert of("ScaledObject")["atelier-worker-gpu"]["spec"]["minReplicaCount"] == 0
    keys = {t["key"] for t in pods()["atelier-worker-gpu"]["spec"]["tolerations"]}
    assert "nvidia.com/gpu" in keys


#: Of KEDA's PostgreSQL trigger: the resource definition calls all of them strings of a map.
TRIGGER = {"query", "targetQueryValue", "activationTargetQueryValue"}
CONNECTION = {"host", "port", "userName", "password", "dbName", "sslmode"}


@pytest.mark.parametrize("name", of("ScaledObject"))
def test_the_trigger_is_complete(name):
    (trigger,) = of("ScaledObject")[name]["spec"]["triggers"]
    assert trigger["type"] == "postgresql"
    assert set(trigger["metadata"]) == TRIGGER
    assert float(trigger["metadata"]["targetQueryValue"]) > 0
    assert trigger["metadata"]["activationTargetQueryValue"] == "0"
    authentication = of("TriggerAuthentication")[trigger["authenticationRef"]["name"]]
    references = authentication["spec"]["secretTargetRef"]
    assert {reference["parameter"] for reference in references} == CONNECTION
    for reference in references:
        assert reference["key"] in of("Secret")[reference["name"]]["stringData"]


@pytest.fixture
def fleet(postgres_database) -> JobStore:
    """Of each queue: two jobs wait, one runs, three have ended, one in each way, three may not run yet."""
    store = JobStore(postgres_database)
    owner = AccountStore(postgres_database).create_key("ada")[1].user_id
    for queue in QUEUES:
        for _ in range(6):
            store.submit(NewJob(owner_id=owner, engine="echo", queue=queue, params={}, seed=1))
        rows = [claim(store, queue) for _ in range(4)]
        store.succeed(rows[0].id, rows[0].attempt, [])
        store.fail(rows[1].id, rows[1].attempt, code="bad_input", detail="")
        store.cancel(rows[2].id, owner)
        store.end_canceled(rows[2].id, rows[2].attempt)
        store.submit(NewJob(owner_id=owner, engine="echo", queue=queue, params={}, seed=1, held=True))
        for values in ({"run_after": now(3600.0)}, {"hold": "behind", "turn": None}):
            later, _ = store.submit(NewJob(owner_id=owner, engine="echo", queue=queue, params={}, seed=1))
            _change(store, later.id, values)
    return store


def _change(store: JobStore, job_id: str, values: dict[str, Any]) -> None:
    store.database.write(lambda c: c.execute(update(Job).where(Job.id == job_id).values(**values)))


@pytest.mark.parametrize("name", of("ScaledObject"))
def test_the_query_counts_what_needs_a_worker(name, fleet):
    query = of("ScaledObject")[name]["spec"]["triggers"][0]["metadata"]["query"]
    assert worker_queues()[name] in query
    url = fleet.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        assert connection.execute(query).fetchall() == [(3,)]
        # when the queue is empty, the answer is zero and not nothing
        connection.execute("DELETE FROM jobs")
        assert connection.execute(query).fetchall() == [(0,)]


def test_the_handbook_has_the_query():
    told = " ".join((ROOT / "docs" / "kubernetes.md").read_text().split())
    query = of("ScaledObject")["atelier-worker-gpu"]["spec"]["triggers"][0]["metadata"]["query"]
    assert query in told


def test_the_role_of_the_example_is_enough(fleet):
    """What secret.example.yaml says to grant."""
    text = (FOLDER / "secret.example.yaml").read_text()
    grant = re.search(r"GRANT SELECT ON jobs TO keda", text)
    assert grant
    url = fleet.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE keda LOGIN")
        connection.execute(grant[0])
        connection.execute("SET ROLE keda")
        for scaled in of("ScaledObject").values():
            connection.execute(scaled["spec"]["triggers"][0]["metadata"]["query"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM jobs")
        connection.rollback()


# --- the workers' probe ---------------------------------------------------------------------------------


@pytest.fixture
def worker(tmp_path, migrated_sqlite, redis_broker) -> Iterator[psutil.Process]:
    (tmp_path / "atelier.db").write_bytes(migrated_sqlite.read_bytes())
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/atelier.db",
        "REDIS_URL": redis_broker.url,
        "STORAGE_URL": (tmp_path / "objects").as_uri(),
        "ATELIER_QUEUES": "cpu",
    }
    process = psutil.Popen([sys.executable, "-m", "workers"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        for child in process.children():
            child.resume()
        process.terminate()
        try:
            process.wait(30)
        except psutil.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def probe(tmp_path: Path, worker: psutil.Process, database: str | None = None) -> int:
    script = tmp_path / "alive.py"
    script.write_text(of("ConfigMap")["atelier-worker-probe"]["data"]["alive.py"])
    environment = {**os.environ, "DATABASE_URL": database or f"sqlite:///{tmp_path}/atelier.db"}
    return subprocess.run(
        [sys.executable, str(script), str(worker.pid), str(3 * settings.REPORT_SECONDS)],
        env=environment,
        check=False,
        capture_output=True,
    ).returncode


def wait_for(code: int, tmp_path: Path, worker: psutil.Process) -> None:
    give_up = time.monotonic() + 60
    while probe(tmp_path, worker) != code:
        assert worker.is_running()
        assert time.monotonic() < give_up
        time.sleep(0.5)


def test_the_probe_tells_a_worker_that_hangs_from_one_without_a_database(worker, tmp_path, postgres_database):
    # given a worker that reports
    wait_for(0, tmp_path, worker)
    # when what works hangs, then the probe fails
    for child in worker.children():
        child.suspend()
    wait_for(1, tmp_path, worker)
    # but not where the database cannot be asked
    assert probe(tmp_path, worker, f"postgresql://nobody@127.0.0.1:{own_port()}/atelier") == 0
    # nor where it hangs
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert probe(tmp_path, worker, f"postgresql://nobody@127.0.0.1:{port}/atelier") == 0
    url = postgres_database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    assert probe(tmp_path, worker, url) == 1  # this one answers, and has never heard of the worker
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE")
        assert probe(tmp_path, worker, url) == 0
    # and it passes again when it goes on
    for child in worker.children():
        child.resume()
    wait_for(0, tmp_path, worker)


def test_workers_are_probed_by_that_script():
    mounts = {name: pods()[name]["spec"]["containers"][0]["volumeMounts"] for name in worker_queues()}
    for name in worker_queues():
        container = pods()[name]["spec"]["containers"][0]
        for kind in ("startupProbe", "livenessProbe"):
            python, script, pid, seconds = container[kind]["exec"]["command"]
            assert (python, pid) == ("python", "1")
            assert float(seconds) >= 4 * settings.REPORT_SECONDS * PACE
            patience = re.search(
                r"Timer\((\d+),", of("ConfigMap")["atelier-worker-probe"]["data"]["alive.py"]
            )
            assert patience
            assert int(patience[1]) < container[kind]["timeoutSeconds"]
            folder, _, file = script.rpartition("/")
            assert folder in {mount["mountPath"] for mount in mounts[name]}
            ast.parse(of("ConfigMap")["atelier-worker-probe"]["data"][file])
