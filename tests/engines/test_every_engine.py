"""What holds for every engine; a new folder under `engines/` is tested the moment it exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

import engines
from engines import providers, secrets
from engines.base import ANY_ENGINE, FileParam, Params
from engines.ui import ROLES
from engines.weights import WEIGHTS
from engines.words import choices_of
from queue_config import QUEUES
from tests.engines.recording import RecordingContext, run_whole

NAMES = engines.names()

#: What no rule can derive: the smallest sensible value of parameters whose size is in another unit.
TINY: dict[str, dict[str, Any]] = {}

#: Words in the names of parameters that make a job small when they are at their minimum.
SIZES = ("size", "width", "height", "seconds", "frames", "count", "steps", "fps", "duration", "resolution")


def fields(name: str) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = engines.spec(name).params.model_json_schema()["properties"]
    return properties


def branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema itself, or the alternatives of an anyOf or oneOf."""
    found: list[dict[str, Any]] = schema.get("anyOf", schema.get("oneOf", [schema]))
    return found


def minimum(schema: dict[str, Any]) -> Any:
    """The smallest value of a numeric field, or None where it has none."""
    for branch in branches(schema):
        if branch.get("type") in ("integer", "number") and "minimum" in branch:
            return branch["minimum"]
    return None


def tiny(name: str) -> dict[str, Any]:
    """The spec's example with everything that costs time at its minimum (but no duration of zero)."""
    params = dict(engines.spec(name).example)
    for field, schema in fields(name).items():
        smallest = minimum(schema)
        if smallest is not None and any(word in field.split("_") for word in SIZES):
            params[field] = smallest
        if "draft" in schema.get("enum", ()):
            params[field] = "draft"
    return {**params, **TINY.get(name, {}), "seed": 7}


def choices(name: str) -> dict[str, list[Any]]:
    """The values of each field that has but a few: of an enumeration, yes or no, none at all."""
    found: dict[str, list[Any]] = {}
    for field, schema in fields(name).items():
        of_field: list[Any] = []
        for branch in branches(schema):
            of_field += branch.get("enum", [branch["const"]] if "const" in branch else [])
            of_field += {"boolean": [True, False], "null": [None]}.get(branch.get("type", ""), [])
        found[field] = of_field
    return found


def chosen(name: str) -> Iterator[Params]:
    """The example, and what it becomes with one or two of its fields chosen otherwise."""
    spec = engines.spec(name)
    single = [{field: value} for field, values in choices(name).items() for value in values]
    for changes in [{}, *single, *(one | other for one, other in combinations(single, 2))]:
        # what contradicts the rest is no choice
        with suppress(ValidationError):
            yield spec.params.model_validate({**spec.example, **changes})


def test_names_are_the_folders() -> None:
    root = Path(engines.__file__).parent
    assert set(NAMES) == {child.parent.name for child in root.glob("*/spec.py")}


@pytest.mark.parametrize("name", NAMES)
def test_the_folder_is_complete(name: str) -> None:
    folder = Path(engines.__file__).parent / name
    missing = [
        file for file in ("__init__.py", "spec.py", "engine.py", "README.md") if not (folder / file).is_file()
    ]
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_the_spec_is_sane(name: str) -> None:
    spec = engines.spec(name)
    assert spec.name == name
    assert spec.title
    assert spec.description.endswith(".")
    assert spec.produces
    assert all("/" in media_type for media_type in spec.produces)
    assert spec.queue in QUEUES
    assert 0 < spec.time_limit <= 24 * 3600
    assert issubclass(spec.params, Params)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_described_and_bounded(name: str) -> None:
    spec = engines.spec(name)
    required = set(spec.params.model_json_schema().get("required", ()))
    for field, schema in fields(name).items():
        assert len(schema.get("description", "")) > 10, f"{field} has no description"
        assert field in required or "default" in schema, f"{field} is neither required nor has a default"
        for branch in branches(schema):
            kind = branch.get("type")
            if kind in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & set(branch), f"{field} has no lower bound"
                assert {"maximum", "exclusiveMaximum"} & set(branch), f"{field} has no upper bound"
            elif kind == "array":
                assert "maxItems" in branch, f"{field} has no limit of length"
            elif kind == "string" and "enum" not in branch and "const" not in branch:
                assert {"maxLength", "pattern", "format"} & set(branch), f"{field} has no limit of length"


@pytest.mark.parametrize("name", NAMES)
def test_every_field_says_how_a_form_asks_for_it(name: str) -> None:
    whole = engines.spec(name).params.model_json_schema()
    required = set(whole.get("required", ()))
    known = {"group", "order", "with", "role", "advanced", "ends", "choices"}
    for field, schema in whole["properties"].items():
        hints = schema["x-ui"]
        assert hints.keys() <= known, field
        assert hints["group"], f"{field} is in no group"
        assert hints.get("role", ROLES[0]) in ROLES, f"{field} has a role that nobody knows"
        assert not (hints.get("advanced") and field in required), f"{field} has to be asked for"
        if "with" in hints:
            other = whole["properties"].get(hints["with"])
            assert other is not None, f"{field} needs a field that there is not"
            assert not other.get("default"), f"{field} needs a field that is always set"
            assert "with" not in other["x-ui"], f"{field} needs a field that needs another"
            assert field not in required
        if "ends" in hints:
            assert minimum(schema) is not None, f"{field} has no ends"
            assert all(isinstance(end, str) and end for end in hints["ends"])
            assert len(hints["ends"]) == 2
        assert hints.get("choices", {}).keys() <= set(choices_of(schema, whole)), (
            f"{field} has no such choice"
        )
        # What a client has to read out of prose, it reads wrongly in some language.
        assert not re.match(r"With `\w+`", schema["description"]), field


@pytest.mark.parametrize("name", NAMES)
def test_a_role_is_one_field_s(name: str) -> None:
    roles = [schema["x-ui"]["role"] for schema in fields(name).values() if "role" in schema["x-ui"]]
    assert len(roles) == len(set(roles))
    assert fields(name)["seed"]["x-ui"]["role"] == "seed"


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_survives_json(name: str) -> None:
    schema = engines.spec(name).params.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_valid_and_survives_json(name: str) -> None:
    spec = engines.spec(name)
    params = spec.params.model_validate(dict(spec.example))
    assert spec.params.model_validate_json(params.model_dump_json()) == params


@pytest.mark.parametrize("name", NAMES)
def test_what_its_jobs_need_is_declared(name: str) -> None:
    spec = engines.spec(name)
    known = {*WEIGHTS, *(secrets.PREFIX + name for name in secrets.SECRETS)}
    known |= {providers.PREFIX + name for name in providers.PROVIDERS}
    assert all(needs and needs <= known for needs in spec.needs)
    # whatever is chosen, alone and two at a time, needs what is declared; and no more is declared than that
    asked = {frozenset(spec.weights_for(params)) for params in chosen(name)}
    assert asked - {frozenset()} == set(spec.needs)


def test_no_engine_asks_for_one_that_asks_for_it() -> None:
    asks = {name: set(engines.spec(name).may_ask) for name in NAMES}
    assert all(asked - {ANY_ENGINE} <= set(NAMES) for asked in asks.values())
    left = {name: asked - {ANY_ENGINE} for name, asked in asks.items()}
    while ready := [name for name, asked in left.items() if not asked & left.keys()]:
        for name in ready:
            del left[name]
    assert not left


@pytest.mark.parametrize("name", NAMES)
def test_only_who_asks_others_may_give_something_else_for_the_same_seed(name: str) -> None:
    spec = engines.spec(name)
    assert spec.deterministic == (
        not any(n.startswith(providers.PREFIX) for needs in spec.needs for n in needs)
    )


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_refused(name: str) -> None:
    spec = engines.spec(name)
    with pytest.raises(ValueError, match="no_such_parameter"):
        spec.params.model_validate({**spec.example, "no_such_parameter": 1})


@pytest.mark.parametrize("name", NAMES)
def test_shipped_networks_are_described_and_fit_the_example(name: str) -> None:
    spec = engines.spec(name)
    shipped = {one for param in spec.network_params.values() for one in param.shipped}
    assert {one.name for one in spec.shipped_networks()} == shipped
    facts = {one.name: one.facts for one in spec.shipped_networks()}
    assert all(facts.values())
    params = spec.params.model_validate(spec.example)
    assert spec.check(params, facts) == params


def test_specs_import_no_torch() -> None:
    """One subprocess for all: this one has torch loaded already."""
    code = (
        "import sys, engines\n"
        "for name in engines.names(): engines.spec(name).params.model_json_schema()\n"
        "heavy = {'torch', 'numpy', 'PIL', 'cv2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(engines.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_job_runs(
    name: str, make_context: Callable[..., RecordingContext], photo: Callable[[str, int], Image.Image]
) -> None:
    # given: the example, made small, with a small picture behind every file parameter
    spec = engines.spec(name)
    params = spec.params.model_validate(tiny(name))
    if missing := spec.weights_for(params):
        pytest.skip(f"the example needs weights that tests do not fetch: {missing}")
    if not all(_takes_pictures(param) for param in spec.file_params.values()):
        pytest.skip("a file parameter takes no picture; the engine's own tests run it")
    if not all(param.shipped for param in spec.network_params.values()):
        pytest.skip("no network comes with the engine; its own tests run it with theirs")
    context = make_context({ref: photo("chelsea", 48) for ref in _refs(spec.file_params, params)})
    # when
    outputs = run_whole(name, params, context)
    # then
    assert outputs
    for output in outputs:
        assert output.media_type in spec.produces
        assert output.data if isinstance(output.data, bytes) else output.data.stat().st_size > 0
        assert json.loads(json.dumps(dict(output.meta)))["seed"] == 7
    assert all(0 <= report.fraction <= 1 for report in context.reports)


def _takes_pictures(param: FileParam) -> bool:
    return "image/png" in param.accept


def _refs(file_params: dict[str, FileParam], params: Params) -> list[str]:
    refs: list[str] = []
    for name, param in file_params.items():
        value = getattr(params, name)
        if value is not None:
            refs += value if param.multiple else [value]
    return refs
