"""What the code is like, in numbers: one column a checkout, or two, without `scripts/` and with it.

    python scripts/measure_code.py                    this one
    python scripts/measure_code.py ../before .        this one beside another

Read from the syntax trees of the files that lie there. What each line of the table counts is said where it is
counted.
"""

from __future__ import annotations

import argparse
import ast
import io
import math
import statistics
import tokenize
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Folders that are no part of what somebody wrote.
SKIPPED = {"tests", "scripts", "node_modules", "build", "dist"}
LONG_FILE, LONG_FUNCTION = 400, 40
BROAD = {"Exception", "BaseException"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Module:
    """A file, read."""

    path: Path
    #: `jobs.store.line`; a package goes by its own name.
    name: str
    text: str = field(repr=False)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def comments(self) -> list[str]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [token.string for token in tokens if token.type == tokenize.COMMENT]


@dataclass(frozen=True)
class Code:
    """Some packages of a checkout, and their tests."""

    title: str
    modules: Sequence[Module]
    tests: Sequence[Module]

    @property
    def lines(self) -> int:
        return sum(module.lines for module in self.modules)

    @cached_property
    def parts(self) -> dict[str, list[Module]]:
        """The modules of each package at the top."""
        found: dict[str, list[Module]] = {}
        for module in self.modules:
            found.setdefault(module.name.partition(".")[0], []).append(module)
        return {part: found[part] for part in sorted(found)}


def read(root: Path, folder: Path) -> list[Module]:
    """All modules in a folder, or the one that it is."""
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    found = []
    for path in paths:
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(path, name, path.read_text(encoding="utf-8")))
    return found


def checkout(root: Path) -> list[Code]:
    """What is installed; and, where there are scripts, the same with them."""
    tops = [path for path in sorted(root.iterdir()) if not path.name.startswith((".", "setup.", "conftest."))]
    product = [
        module
        for path in tops
        if path.suffix == ".py" or (path.is_dir() and path.name not in SKIPPED and any(path.glob("**/*.py")))
        for module in read(root, path)
        if "site-packages" not in module.path.parts
    ]
    tests = read(root, root / "tests") if (root / "tests").is_dir() else []
    of_scripts = [module for module in tests if module.name.startswith("tests.scripts")]
    found = [Code(root.resolve().name, product, [module for module in tests if module not in of_scripts])]
    if (root / "scripts").is_dir():
        scripts = read(root, root / "scripts")
        found.append(Code(f"{root.resolve().name} with scripts", [*product, *scripts], tests))
    return found


# --- what a file is ---------------------------------------------------------------------------------


def functions(modules: Iterable[Module]) -> list[int]:
    """The lines of every function and method, from `def` to its end, inner ones as well."""
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in module.nodes
        if isinstance(node, FUNCTIONS)
    ]


def handlers(modules: Iterable[Module]) -> tuple[int, int]:
    """(those that catch everything, all)."""
    found = [node for module in modules for node in module.nodes if isinstance(node, ast.ExceptHandler)]
    return sum(_is_broad(handler.type) for handler in found), len(found)


def _is_broad(kind: ast.expr | None) -> bool:
    caught = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or (isinstance(one, ast.Name) and one.id in BROAD) for one in caught)


def reads_environment(module: Module) -> bool:
    """By `os.environ` or `os.getenv`; one that only hands the whole of it to a process reads it too."""
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            return any(alias.name in ("environ", "getenv") for alias in node.names)
    return False


def inner_imports(module: Module) -> int:
    """Import statements inside functions."""
    found = {
        inner
        for node in module.nodes
        if isinstance(node, FUNCTIONS)
        for inner in ast.walk(node)
        if isinstance(inner, IMPORTS)
    }
    return len(found)


def anys(modules: Iterable[Module]) -> int:
    """Uses of the name `Any`; its imports are none."""
    return sum(
        (isinstance(node, ast.Name) and node.id == "Any")
        or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for module in modules
        for node in module.nodes
    )


def comments(modules: Iterable[Module], what: str) -> int:
    """Comments with such a mark."""
    return sum(what in comment for module in modules for comment in module.comments)


def documented(module: Module) -> Iterator[bool]:
    """Whether there is a docstring, for each public class, function and method of public classes."""
    yield from _documented(module.tree.body)


def _documented(body: Iterable[ast.stmt]) -> Iterator[bool]:
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield ast.get_docstring(node) is not None
            if isinstance(node, ast.ClassDef):
                yield from _documented(node.body)


# --- what files are to each other -------------------------------------------------------------------


def circles(modules: Sequence[Module]) -> int:
    """Groups of modules that import each other, by the imports that run when a module is first imported."""
    names = {module.name for module in modules}
    graph = {module.name: set(_imported(module.tree.body, names)) - {module.name} for module in modules}
    return sum(len(group) > 1 for group in _groups(graph))


def _imported(body: Iterable[ast.stmt], names: Collection[str]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inner if name in names)
            if node.module in names and not all(name in names for name in inner):
                yield node.module
        elif not isinstance(node, FUNCTIONS) and not _is_for_types(node):
            for block in ("body", "orelse", "finalbody"):
                yield from _imported(getattr(node, block, ()), names)
            for handler in getattr(node, "handlers", ()):
                yield from _imported(handler.body, names)


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _groups(graph: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected components: those that reach each other."""
    reached = {name: _reached(graph, name) for name in graph}
    left, found = set(graph), []
    while left:
        name = left.pop()
        group = {name} | {other for other in reached[name] & left if name in reached[other]}
        left -= group
        found.append(group)
    return found


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    coming = [start]
    while coming:
        for name in graph[coming.pop()] - seen:
            seen.add(name)
            coming.append(name)
    return seen


def mirrored(modules: Iterable[Module], tests: Iterable[Module]) -> tuple[int, int]:
    """(those that have their test file; all), of those that are to have one."""
    own = _to_mirror(modules)
    return len(own) - len(unmirrored(own, tests)), len(own)


def unmirrored(modules: Iterable[Module], tests: Iterable[Module]) -> list[Module]:
    """Those without a `test_*.py` whose name is or begins with theirs, or with their folder's and theirs."""
    names = [test.path.stem.removeprefix("test_") for test in tests if test.path.stem.startswith("test_")]
    return [module for module in _to_mirror(modules) if not any(_mirrors(name, module) for name in names)]


def _to_mirror(modules: Iterable[Module]) -> list[Module]:
    """Without the packages' own files, and migrations, which are tested all at once."""
    return [one for one in modules if one.path.stem != "__init__" and one.path.parent.name != "versions"]


def _mirrors(test: str, module: Module) -> bool:
    own = module.path.stem.strip("_")  # `test_main.py` is that of `__main__.py`
    return test.startswith((own, f"{module.path.parent.name}_{own}"))


# --- the table --------------------------------------------------------------------------------------


def spread(values: Sequence[int]) -> str:
    """Median, 95 of a hundred, largest."""
    if not values:
        return "-"
    ordered = sorted(values)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return f"{statistics.median(ordered):g} / {p95} / {ordered[-1]}"


def share(part: int, whole: int) -> str:
    """`48 % (120/250)`."""
    return f"{100 * part / whole:.0f} % ({part}/{whole})" if whole else "-"


def a_thousand(count: int, lines: int) -> str:
    """How many in a thousand lines."""
    return f"{1000 * count / lines:.1f}" if lines else "-"


def _documented_share(code: Code) -> str:
    found = [one for module in code.modules for one in documented(module)]
    return share(sum(found), len(found))


def _module_docstrings(code: Code) -> str:
    told = [ast.get_docstring(module.tree) is not None for module in code.modules if module.text.strip()]
    return share(sum(told), len(told))


def _of_parts(code: Code, value: Callable[[list[Module]], str]) -> str:
    return ", ".join(f"{part} {value(modules)}" for part, modules in code.parts.items())


def _anys_of_parts(code: Code) -> str:
    return _of_parts(code, lambda found: a_thousand(anys(found), sum(one.lines for one in found)))


def _mirrored_of_parts(code: Code) -> str:
    """By tests of the same part: elsewhere a test of that name may be of something else."""

    def value(modules: list[Module]) -> str:
        part = modules[0].name.partition(".")[0]
        own = [test for test in code.tests if test.name.startswith((f"tests.{part}.", f"tests.test_{part}"))]
        some, of_all = mirrored(modules, own)
        return f"{100 * some / of_all:.0f} %" if of_all else "-"

    return _of_parts(code, value)


def _long(values: Sequence[int], most: int) -> str:
    over = sum(value > most for value in values)
    return f"{over} ({100 * over / len(values):.1f} %)" if values else "-"


LINES: dict[str, Callable[[Code], str]] = {
    "files / lines": lambda code: f"{len(code.modules)} / {code.lines:,}",
    "file: median / p95 / max": lambda code: spread([module.lines for module in code.modules]),
    f"files over {LONG_FILE} lines": lambda code: str(sum(m.lines > LONG_FILE for m in code.modules)),
    "functions: median / p95 / max": lambda code: spread(functions(code.modules)),
    f"functions over {LONG_FUNCTION} lines": lambda code: _long(functions(code.modules), LONG_FUNCTION),
    "import cycles (runtime)": lambda code: str(circles(code.modules)),
    "tests / source lines": lambda code: f"{sum(t.lines for t in code.tests) / max(code.lines, 1):.2f}",
    "modules mirrored by a test": lambda code: share(*mirrored(code.modules, code.tests)),
    "... by part": _mirrored_of_parts,
    "broad excepts / all": lambda code: "{} / {}".format(*handlers(code.modules)),
    "files reading the environment": lambda code: str(sum(map(reads_environment, code.modules))),
    "imports inside functions": lambda code: str(sum(map(inner_imports, code.modules))),
    "`Any` a thousand lines": lambda code: a_thousand(anys(code.modules), code.lines),
    "... in each part": _anys_of_parts,
    "`type: ignore` / `noqa`": lambda code: (
        f"{comments(code.modules, 'type: ignore')} / {comments(code.modules, 'noqa')}"
    ),
    "docstrings, public": _documented_share,
    "module docstrings": _module_docstrings,
}


def table(columns: Sequence[Code]) -> str:
    """The measurements as Markdown."""
    rows = [["", *(code.title for code in columns)], ["---"] * (len(columns) + 1)]
    rows += [[title, *(measure(code) for code in columns)] for title, measure in LINES.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT], metavar="CHECKOUT")
    print(table([code for root in parser.parse_args().checkouts for code in checkout(root)]))


if __name__ == "__main__":
    main()
