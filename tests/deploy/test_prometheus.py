"""deploy/prometheus and deploy/grafana: every query asks for what a real /metrics has.

Each query is parsed, and its labels are followed through selectors, aggregations and matches, so that a label
that is not there, or two sides that can never match, fail here and not at three in the morning.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from fleet.store import FleetStore
from jobs.states import State
from jobs.store import JobStore
from queue_config import QUEUES, Doorbell
from storage.memory import MemoryStorage
from tests.api.helpers import Api, claim
from tests.conftest import missing

FOLDER = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((FOLDER / "grafana" / "atelier.json").read_text())
RULES = [
    r
    for g in yaml.safe_load((FOLDER / "prometheus" / "rules.yaml").read_text())["groups"]
    for r in g["rules"]
]
SCRAPE = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text())
#: What Prometheus adds to everything it scrapes.
SCRAPED = {"job", "instance"}

#: Metric -> the labels it has.
Metrics = dict[str, set[str]]


@pytest.fixture
def exposed(sqlite_database, monkeypatch) -> Metrics:
    """What /metrics answers when there is something of every kind to tell."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    store = JobStore(sqlite_database)
    app = create_app(store, MemoryStorage(), Doorbell(), Settings(rate_per_minute=0))
    api = Api(app, AccountStore(sqlite_database).create_key("ada")[0])
    for _ in range(4):
        api.job_id()
    for end in (lambda row: store.succeed(row.id, row.attempt, []), lambda row: fail(store, row)):
        end(claim(store))
    claim(store)
    FleetStore(sqlite_database).report(
        "wrk_1", hostname="h", pid=1, queues=QUEUES, engines=["echo"], weights=[], device=None
    )
    text = api.get("/metrics").text
    found: Metrics = {"up": set(SCRAPED)}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set(SCRAPED)).update(sample.labels)
    return found


def fail(store: JobStore, row: Any) -> None:
    store.fail(row.id, row.attempt, code="bad_input", detail="")


# --- PromQL -------------------------------------------------------------------------------------------


def parse(query: str) -> Any:
    """The syntax tree of a query."""
    try:
        import promql_parser  # noqa: PLC0415  # a laptop may lack it
    except ImportError:
        missing("a parser of PromQL (the wheel promql-parser)")
    return promql_parser.parse(query)


def labels(tree: Any, metrics: Metrics) -> set[str] | None:
    """The labels of what a query answers; None for a number. Fails for what it can never answer."""
    match type(tree).__name__:
        case "NumberLiteral" | "StringLiteral":
            return None
        case "VectorSelector":
            assert tree.name in metrics, f"/metrics has no {tree.name}"
            asked = {matcher.name for matcher in tree.matchers.matchers}
            assert asked <= metrics[tree.name], f"{tree.name} has no {asked - metrics[tree.name]}"
            return set(metrics[tree.name])
        case "MatrixSelector":
            return labels(tree.vector_selector, metrics)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            return labels(tree.expr, metrics)
        case "Call":
            inner = [labels(argument, metrics) for argument in tree.args]
            if tree.func.name == "vector":
                return set()
            (found,) = [part for part in inner if part is not None]
            if tree.func.name == "histogram_quantile":
                assert "le" in found
                return found - {"le"}
            return found
        case "AggregateExpr":
            return aggregated(tree, metrics)
        case "BinaryExpr":
            return combined(tree, metrics)
        case other:
            pytest.fail(f"what is {other}?")


def aggregated(tree: Any, metrics: Metrics) -> set[str]:
    inner = labels(tree.expr, metrics)
    assert inner is not None
    if tree.modifier is None:
        return set()
    named = set(tree.modifier.labels)
    assert named <= inner, f"{tree} groups by {named - inner}, which is not there"
    return named if "By" in str(tree.modifier.type) else inner - named


def combined(tree: Any, metrics: Metrics) -> set[str] | None:
    left, right = labels(tree.lhs, metrics), labels(tree.rhs, metrics)
    if left is None or right is None:
        return right if left is None else left
    operator = str(tree.op)
    if operator == "or":
        return left | right
    matching = tree.modifier.matching if tree.modifier else None
    if matching is None:
        assert left == right, f"{tree}: {left} never match {right}"
        return left
    on = set(matching.labels)
    assert "Include" in str(matching.type), "on(...), not ignoring(...): a new label must not break a rule"
    assert on <= left & right, f"{tree} matches on {on}"
    return left if operator in ("and", "unless") else on


def matchers(tree: Any) -> Iterator[Any]:
    """Every matcher of every selector in a query."""
    kind = type(tree).__name__
    if kind == "VectorSelector":
        yield from tree.matchers.matchers
    elif kind == "MatrixSelector":
        yield from tree.vector_selector.matchers.matchers
    elif kind == "Call":
        yield from itertools.chain.from_iterable(map(matchers, tree.args))
    elif kind == "BinaryExpr":
        yield from itertools.chain(matchers(tree.lhs), matchers(tree.rhs))
    elif hasattr(tree, "expr"):
        yield from matchers(tree.expr)


def test_a_query_that_can_never_answer_is_found(exposed):
    for wrong in (
        "atelier_nothing",
        'atelier_jobs{color="red"}',
        "sum by (color) (atelier_jobs)",
        "atelier_jobs / atelier_queue_depth",
        "max by (queue) (atelier_queue_depth) unless on (engine) max by (queue) (atelier_workers)",
        "histogram_quantile(0.9, sum by (route) (rate(atelier_http_request_seconds_bucket[5m])))",
    ):
        with pytest.raises(AssertionError):
            labels(parse(wrong), exposed)
    for broken in ("sum(", "rate(atelier_jobs)", "atelier_jobs{"):
        with pytest.raises(ValueError, match=r"\S"):
            labels(parse(broken), exposed)


# --- rules ----------------------------------------------------------------------------------------------


def recorded(exposed: Metrics) -> Metrics:
    """What /metrics has and what the rules record of it, in their order."""
    known = dict(exposed)
    for rule in RULES:
        if "record" in rule:
            found = labels(parse(rule["expr"]), known)
            assert found is not None
            known[rule["record"]] = found
    return known


def test_every_rule_asks_for_what_there_is(exposed):
    known = recorded(exposed)
    for rule in RULES:
        found = labels(parse(rule["expr"]), known)
        texts = " ".join([*rule.get("annotations", {}).values(), *rule.get("labels", {}).values()])
        told = set(re.findall(r"\$labels\.(\w+)", texts))
        assert found is not None
        assert told <= found, f"{rule} tells of {told - found}"


def test_alerts_are_complete():
    names = [rule["alert"] for rule in RULES if "alert" in rule]
    assert len(names) == len(set(names)) >= 6
    for rule in RULES:
        if "alert" in rule:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert set(rule["annotations"]) == {"summary", "description"}
        else:
            assert set(rule) == {"record", "expr"}
            assert re.fullmatch(r"atelier:[a-z_]+:[a-z0-9_]+", rule["record"])


def queries() -> list[str]:
    return [rule["expr"] for rule in RULES] + [expression for _, expression in targets()]


def test_labels_are_compared_with_values_they_can_have():
    (job,) = [config["job_name"] for config in SCRAPE["scrape_configs"]]
    allowed = {"job": {job}, "state": {state.value for state in State}}
    for query in queries():
        for matcher in matchers(parse(query)):
            if matcher.name in allowed:
                assert set(matcher.value.split("|")) <= allowed[matcher.name], query


def test_what_every_pod_tells_is_never_summed(exposed):
    """Each API pod exposes the whole database: a sum over them would count each job once a pod."""
    shared = {name for name in exposed if not name.startswith("atelier_http_")} - {"up"}
    for query in queries():
        for name in shared:
            for match in re.finditer(rf"\b(\w+)( by \([^)]*\))? \({name}\b", query):
                assert match[1] == "max", query
            assert not re.search(rf"\b(sum|avg|count)( by \([^)]*\))? ?\({name}\b", query), query


def test_the_scrape_finds_the_pods():
    deployment = next(yaml.safe_load_all((FOLDER / "kubernetes" / "api.yaml").read_text()))
    template = deployment["spec"]["template"]
    (job,) = SCRAPE["scrape_configs"]
    (keep,) = [r for r in job["relabel_configs"] if r.get("action") == "keep"]
    component, port = keep["regex"].split(";")
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == component
    assert template["spec"]["containers"][0]["ports"][0]["name"] == port
    assert SCRAPE["rule_files"] == ["rules.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "rules.yaml"), ("test", "rules", "rules.test.yaml"), ("check", "config", "c.yaml")],
)
def test_prometheus_itself_takes_them(arguments, tmp_path):
    """The real promtool (Debian: prometheus); the checks above hold everywhere."""
    promtool = shutil.which("promtool", path=os.environ["PATH"])
    if promtool is None:
        missing("promtool (the Debian package prometheus)")
    shutil.copytree(FOLDER / "prometheus", tmp_path, dirs_exist_ok=True)
    # Debian's is built without Kubernetes.
    (job,) = SCRAPE["scrape_configs"]
    plain = {k: v for k, v in job.items() if k != "kubernetes_sd_configs"}
    plain["static_configs"] = [{"targets": ["127.0.0.1:8080"]}]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(SCRAPE | {"scrape_configs": [plain]}))

    found = subprocess.run([promtool, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_has_a_test_in_which_it_fires():
    tests = yaml.safe_load((FOLDER / "prometheus" / "rules.test.yaml").read_text())["tests"]
    fired = {a["alertname"] for t in tests for a in t["alert_rule_test"] if a.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES if "alert" in rule}


# --- the dashboard ----------------------------------------------------------------------------------------


def targets() -> list[tuple[str, str]]:
    """(panel, query with the variables filled in) of the whole dashboard."""
    filled = {"$__rate_interval": "5m", "$queue": ".*", "$engine": ".*"}
    found = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in filled.items():
                query = query.replace(name, value)
            found.append((panel["title"], query))
    return found


@pytest.mark.parametrize("target", [pytest.param(t, id=f"{n}-{t[0]}") for n, t in enumerate(targets())])
def test_every_panel_asks_for_what_there_is(target, exposed):
    _, query = target
    assert "$" not in query
    assert labels(parse(query), exposed) is not None


def test_legends_name_labels_that_are_left(exposed):
    filled = iter(targets())
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            found = labels(parse(next(filled)[1]), exposed)
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) == found


def test_variables_ask_for_labels_there_are(exposed):
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert set(variables) == {"datasource", "queue", "engine"}
    for name in ("queue", "engine"):
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables[name]["definition"]).groups()
        assert label == name
        assert label in exposed[metric]
        assert variables[name]["query"]["query"] == variables[name]["definition"]


def test_the_dashboard_is_one_grafana_can_draw():
    assert DASHBOARD["uid"] == "atelier"
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {panel["type"] for panel in panels} == {"row", "stat", "timeseries"}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            )
        )
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["fieldConfig"]["defaults"]["unit"] in {"none", "short", "s", "reqps", "percentunit"}
            references = [target["refId"] for target in panel["targets"]]
            assert references
            assert len(references) == len(set(references))
