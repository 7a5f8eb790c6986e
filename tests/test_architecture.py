"""The import table of the house holds, and the light processes stay light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.measure_code import checkout, unmirrored

ROOT = Path(__file__).parent.parent
OURS = (
    "accept",
    "accounts",
    "api",
    "bot",
    "cli",
    "client",
    "doors",
    "engines",
    "fleet",
    "jobs",
    "queue_config",
    "schedules",
    "scripts",
    "storage",
    "tests",
    "training",
    "web",
    "webhooks",
    "workers",
)

#: Who may import what of ours. A folder may always import itself.
ALLOWED = {
    "jobs": set(),
    "doors": set(),
    "storage": set(),
    # Anybody's program imports it, and httpx with it.
    "client": set(),
    "queue_config": set(),
    "engines": {"doors"},  # what comes in by which door, and how a picture's file is opened: see below
    # What is said of jobs' owners, of the machines, of listeners and of times. None of it knows of another.
    "accounts": {"jobs"},
    "fleet": {"jobs"},
    "schedules": {"jobs"},
    "webhooks": {"jobs"},
    "accept": {"accounts", "fleet", "schedules", "webhooks", "jobs", "doors", "engines", "storage"},
    "api": {
        "accept",
        "accounts",
        "fleet",
        "schedules",
        "webhooks",
        "jobs",
        "doors",
        "engines",
        "storage",
        "queue_config",
    },
    "workers": {
        "accept",
        "accounts",
        "fleet",
        "schedules",
        "webhooks",
        "jobs",
        "doors",
        "engines",
        "storage",
        "queue_config",
    },
    # The command line starts everything, so it may know everything but the workers' insides.
    "cli": {"accounts", "api", "client", "engines", "fleet", "jobs", "queue_config", "storage", "webhooks"},
    # A client of the API, as anybody's could be (docs/adr/0012).
    "bot": {"client"},
    # How networks are made. Nothing that serves jobs imports it.
    "training": {"doors", "engines"},
    # At the top: benchmarks and chaos look at everything, with the servers that the tests start.
    "scripts": set(OURS),
}
#: Of the engines, the light side: what the API, `accept` and the command line may import.
LIGHT = ("base", "weights", "secrets", "providers", "words", "install_weights")
HEAVY = {"torch", "torchvision", "safetensors", "numpy"}
#: Modules of so many lines have a test file of their name,
MIRRORED_LINES = 40
#: but for these.
NOT_MIRRORED = {
    "client.async_client": "as sync_client, the awaited twin",
    "client.sync_client": "a line a method over client/calls; test_clients.py holds the twins alike, and "
    "test_live.py and test_faults.py run over both",
    "jobs.models.fleet": "two tables and no logic; tests/fleet/test_store.py and test_migrations.py use them",
    "jobs.rows.fleet": "protocols alone; test_rows.py holds them to the tables",
}


def sources(folder: str) -> list[Path]:
    path = ROOT / folder
    return [ROOT / f"{folder}.py"] if not path.is_dir() else sorted(path.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("folder", ALLOWED)
def test_the_import_table_holds(folder):
    for path in sources(folder):
        used = {top(module) for module in imports(path)} & set(OURS) - {folder}
        assert used <= ALLOWED[folder], f"{path.relative_to(ROOT)} imports {used - ALLOWED[folder]}"


@pytest.mark.parametrize("folder", ["engines", "training"])
def test_engines_know_of_doors_only_the_types_and_how_pictures_are_opened(folder):
    for path in sources(folder):
        used = {module for module in imports(path) if top(module) == "doors"}
        known = ("doors.image_", "doors.media_types")
        assert all(module.startswith(known) for module in used), f"{path}: {used}"


def test_a_stranger_s_sound_is_read_in_a_child_alone():
    """FFmpeg is no part of a process that holds keys; engines write films with it."""
    users = {
        str(path.relative_to(ROOT))
        for folder in ALLOWED
        for path in sources(folder)
        if "av" in {top(module) for module in imports(path)}
    }
    assert users - {"doors/audio_child.py"} == {"engines/films/mp4.py"}
    child = {
        module for path in sources("doors") for module in imports(path) if module.endswith("audio_child")
    }
    assert not child


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_picture_is_opened_with_the_readers_that_are_meant(folder):
    """Without `formats` Pillow tries its forty readers on a file that the door took for something else."""
    for path in sources(folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PIL"):
                names = {alias.name for alias in node.names}
                assert "open" not in names, f"{path.relative_to(ROOT)} hides Pillow's open"
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Image.open"):
                given = {word.arg for word in node.keywords}
                assert "formats" in given, f"{path}:{node.lineno} opens a picture as anything"


@pytest.mark.parametrize("folder", ["accept", "api", "cli"])
def test_the_light_side_never_imports_an_engine_s_heavy_half(folder):
    for path in sources(folder):
        for module in imports(path):
            heavy = module.startswith("engines.") and module.split(".")[:2][-1] not in LIGHT
            names = module in {"engines.names", "engines.spec", "engines.load"}
            assert not heavy or names, f"{path.relative_to(ROOT)} imports {module}"
            assert module != "engines.load", f"{path.relative_to(ROOT)} loads an engine"


@pytest.mark.parametrize("folder", sorted(set(ALLOWED) - {"engines", "scripts", "training"}))
def test_torch_stays_behind_the_one_door(folder):
    for path in sources(folder):
        assert not {top(m) for m in imports(path)} & HEAVY, f"{path.relative_to(ROOT)} imports torch or numpy"


def test_a_spec_is_light_and_knows_only_the_contract():
    for path in (ROOT / "engines").glob("*/spec.py"):
        for module in imports(path):
            assert top(module) not in HEAVY, f"{path.parent.name}/spec.py imports {module}"
            if top(module) == "engines":
                # Of its own folder, what is as light: the API loads all of it without torch (below).
                own = f"engines.{path.parent.name}"
                light = (
                    "engines.base",
                    "engines.ui",
                    "engines.worlds",
                    "engines.notation",
                    "engines.shipped_networks",
                    f"{own}.",
                )
                assert module == own or module.startswith(light), f"{own}: its spec imports {module}"


def test_an_engine_imports_no_other_engine():
    """But for one that is part of another's work and says so: `stylegan_import` belongs to `stylegan`."""
    kinds = {path.parent.name for path in (ROOT / "engines").glob("*/spec.py")}
    for kind in kinds:
        for path in (ROOT / "engines" / kind).rglob("*.py"):
            others = {m.split(".")[1] for m in imports(path) if m.startswith("engines.")} & kinds - {kind}
            others -= {other for other in others if kind.startswith(f"{other}_")}
            assert not others, f"engines/{kind} imports {others}"


def test_the_bot_knows_no_engine_by_name():
    """But for its shortcuts, which are made by hand: a new engine's folder is all it needs."""
    kinds = {path.parent.name for path in (ROOT / "engines").glob("*/spec.py")}
    for path in sources("bot"):
        if path.name == "shortcuts.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named = str(node.value) if isinstance(node, ast.Constant) else getattr(node, "id", "")
            named = getattr(node, "attr", "") or getattr(node, "name", "") or named
            found = kinds & set(re.findall(r"[a-z_]+", str(named)))
            if not isinstance(node, ast.Constant):
                found -= {"pipeline"}  # what redis-py calls several commands in one
            assert not found, f"{path.relative_to(ROOT)}:{node.lineno} names {found}"
    for path in (ROOT / "bot" / "catalogues").glob("*.toml"):
        keys = set(re.findall(r"[a-z_]+", " ".join(_keys(tomllib.loads(path.read_text("utf-8"))))))
        assert kinds & keys <= {"stylegan"}, path.name  # the command


def _keys(table: dict[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        yield name
        if isinstance(value, dict):
            yield from _keys(value)


def test_there_is_no_import_cycle_between_our_modules():
    graph: dict[str, set[str]] = {}
    for folder in ALLOWED:
        for path in sources(folder):
            relative = path.relative_to(ROOT).with_suffix("")
            name = ".".join(relative.parts).removesuffix(".__init__")
            graph[name] = {module for module in imports(path) if top(module) in OURS}
    for name, used in graph.items():
        known = {module for module in used if module in graph and module != name}
        # `from api import views` needs api.views; that it also names the package says nothing.
        graph[name] = {m for m in known if not any(other.startswith(f"{m}.") for other in known)}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, "cycle: " + " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for used in graph[name]:
                visit(used, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_api_and_every_spec_load_without_what_they_never_or_rarely_use(tmp_path):
    """In a fresh process, with everything the API imports and every engine's spec."""
    program = """
import sys
import api.wsgi, engines
for name in engines.names():
    engines.spec(name).params.model_json_schema()
heavy = {"torch", "torchvision", "numpy", "av"} & set(sys.modules)
assert not heavy, heavy
unused = {"rich", "pygments", "yaml", "pillow_heif", "jsonschema_rs"} & set(sys.modules)
assert not unused, unused
import rich.console, yaml  # whoever wants one still gets it
"""
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": f"sqlite:///{tmp_path}/a.db",
            "STORAGE_URL": "memory://",
            "HOME": str(tmp_path),
        },
    )


def test_a_job_is_made_without_flask_and_without_torch():
    """Schedules and parts of jobs make jobs in processes that serve nobody."""
    program = """
import sys
import accept, engines
for name in engines.names():
    accept.Request("usr_1", name, dict(engines.spec(name).example))
others = {"flask", "werkzeug", "celery", "torch", "numpy", "api", "queue_config"} & set(sys.modules)
assert not others, others
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, env={"PATH": "/usr/bin:/bin"})


def test_lazy_imports_are_four():
    """Engines, storages, readers of HEIC and of schemas are imported when asked for; nothing else is."""
    users = set()
    for folder in ALLOWED:
        for path in sources(folder):
            tree = ast.parse(path.read_text())
            functions = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
            inside = [
                n for f in functions for n in ast.walk(f) if isinstance(n, (ast.Import, ast.ImportFrom))
            ]
            if inside or "importlib" in imports(path):
                users.add(str(path.relative_to(ROOT)))
    assert users == {
        "engines/__init__.py",
        "storage/__init__.py",
        "doors/image_files.py",
        "engines/prompts/fitting.py",
    }


def test_a_module_has_its_test_file_or_a_reason_for_none():
    """So that who changes one finds what holds it, and what nothing holds is seen."""
    product = checkout(ROOT)[0]
    large = [module for module in product.modules if module.lines >= MIRRORED_LINES]
    without = {module.name for module in unmirrored(large, product.tests)}
    assert without - NOT_MIRRORED.keys() == set(), "write a test_<name>.py, or say here why there is none"
    assert NOT_MIRRORED.keys() - without == set(), "they have one, or are gone, or are small: strike them out"
