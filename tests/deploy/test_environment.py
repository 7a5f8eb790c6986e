"""deploy/env.example names every environment variable, with the one file that reads it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from api.settings import Settings
from bot.settings import Settings as BotSettings
from engines.secrets import SECRETS

ROOT = Path(__file__).parents[2]
CODE = (
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
    "queue_config.py",
    "storage",
    "webhooks",
    "workers",
)

#: Owned by something that is not a Python file of ours.
ELSEWHERE = {
    "boto3": {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
    "deploy/compose.yaml": {
        *("POSTGRES_PASSWORD", "ATELIER_PORT"),
        *("PYTHON_IMAGE", "CUDA_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE", "OBJECTS_IMAGE"),
    },
}

#: Fields of the bot's settings whose variables are not the bot's alone.
BOT_SHARES = {"url", "public_url", "key", "redis_url", "log_level"}


def documented() -> dict[str, str]:
    """Variable -> owner, from the comments above it."""
    found, owner = {}, ""
    for line in (ROOT / "deploy" / "env.example").read_text().splitlines():
        if match := re.match(r"# owner: ([^;]+); default: .+", line):
            owner = match[1]
        elif match := re.match(r"#?([A-Z][A-Z0-9_]+)=", line):
            assert owner, f"{match[1]} has no `# owner: ...; default: ...` line"
            assert match[1] not in found, f"{match[1]} stands there twice"
            found[match[1]] = owner
        elif not line:
            owner = ""
    return found


def sources() -> list[Path]:
    paths = [ROOT / name for name in CODE]
    return [p for path in paths for p in ([path] if path.is_file() else sorted(path.rglob("*.py")))]


def is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.environ", "environ", "os.environb")


def name_of(node: ast.expr, constants: dict[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return constants.get(ast.unparse(node), f"<{ast.unparse(node)}>")


def reads(path: Path) -> set[str]:
    """The variables a file reads (writing one for a child process is no reading)."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("os.getenv", "getenv") or (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in ("get", "pop", "setdefault")
                and is_environ(node.func.value)
            ):
                found.add(name_of(node.args[0], constants))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and is_environ(node.value):
            found.add(name_of(node.slice, constants))
        elif isinstance(node, ast.Compare) and any(is_environ(other) for other in node.comparators):
            found.add(name_of(node.left, constants))
    if path == ROOT / "api" / "settings.py":  # it maps its fields' names
        found |= {f"ATELIER_{name.upper()}" for name in Settings.model_fields}
    if path == ROOT / "bot" / "settings.py":  # likewise; what it shares with others has its owner there
        found |= {
            f"ATELIER_TELEGRAM_{name.upper()}" for name in BotSettings.model_fields if name not in BOT_SHARES
        }
    if path == ROOT / "engines" / "secrets.py":  # one for each name, and its file
        names = {f"ATELIER_SECRET_{name.upper()}" for name in SECRETS}
        found = names | {f"{name}_FILE" for name in names}
    return found


def test_every_variable_is_documented_with_the_file_that_reads_it():
    known = documented()
    for path in sources():
        for name in reads(path):
            relative = str(path.relative_to(ROOT))
            assert name in known, f"{relative} reads {name}, which deploy/env.example does not name"
            assert known[name] == relative, f"{relative} reads {name}, whose owner is {known[name]}"


def test_every_documented_variable_is_read():
    read = {name: str(path.relative_to(ROOT)) for path in sources() for name in reads(path)}
    for name, owner in documented().items():
        if owner in ELSEWHERE:
            assert name in ELSEWHERE[owner]
        else:
            assert (ROOT / owner).is_file(), owner
            assert name in read, f"nothing reads {name}"


def test_the_bot_s_defaults_are_the_ones_documented():
    text = (ROOT / "deploy" / "env.example").read_text()
    shown = dict(re.findall(r"^#(ATELIER_TELEGRAM_\w+)=(.+)$", text, re.MULTILINE))
    assert len(shown) > 5

    read = BotSettings.from_env(shown | {"ATELIER_TELEGRAM_TOKEN": "1:a"})

    assert read == BotSettings(token="1:a")


def test_the_owner_says_so():
    for name, owner in documented().items():
        # prometheus_client's own variable: set by us for our own processes, never by an operator.
        if owner not in ELSEWHERE and name != "PROMETHEUS_MULTIPROC_DIR":
            text = ast.get_docstring(ast.parse((ROOT / owner).read_text())) or ""
            assert name in text, f"{owner} does not name {name} in its docstring"
