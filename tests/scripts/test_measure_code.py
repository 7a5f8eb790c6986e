"""What the measurements of the code count, on a checkout of a few lines."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from scripts.measure_code import (
    Module,
    anys,
    checkout,
    circles,
    comments,
    documented,
    functions,
    handlers,
    inner_imports,
    mirrored,
    read,
    reads_environment,
    spread,
    table,
    unmirrored,
)


def module(text: str, name: str = "shop.till") -> Module:
    return Module(Path(f"{name.replace('.', '/')}.py"), name, dedent(text))


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))


def test_a_spread_is_median_95_of_a_hundred_and_largest():
    assert spread(list(range(1, 101))) == "50.5 / 95 / 100"
    assert spread([7]) == "7 / 7 / 7"
    assert spread([]) == "-"


def test_functions_are_counted_with_those_inside():
    found = module(
        """
        def outer():
            def inner():
                return 1
            return inner

        class A:
            async def method(self): ...
        """
    )
    assert sorted(functions([found])) == [1, 2, 4]


def test_an_except_is_broad_that_catches_everything():
    found = module(
        """
        try:
            pass
        except (OSError, ValueError):
            pass
        except (KeyError, Exception):
            pass
        except BaseException:
            pass
        except:
            pass
        """
    )
    assert handlers([found]) == (3, 4)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("import os\nx = os.environ['X']", True),
        ("import os\nx = os.getenv('X')", True),
        ("from os import environ", True),
        ("import os\nx = os.getcwd()", False),
    ],
    ids=["environ", "getenv", "imported", "no"],
)
def test_what_reads_the_environment(text, reads):
    assert reads_environment(module(text)) is reads


def test_imports_and_any_and_comments():
    found = module(
        """
        from typing import Any
        x: Any = 1  # type: ignore[misc]
        y = "# noqa"
        def f(z: list[Any]) -> None:
            def g():
                import os
        """
    )
    assert anys([found]) == 2
    assert inner_imports(found) == 1
    assert (comments([found], "type: ignore"), comments([found], "noqa")) == (1, 0)


def test_what_is_public_has_a_docstring():
    found = module(
        '''
        def told():
            """It says what."""

        def untold():
            def inner(): ...

        def _private(): ...

        class A:
            """And this."""

            def method(self): ...
        '''
    )
    assert list(documented(found)) == [True, False, True, False]


def test_circles_are_of_imports_that_run_at_once():
    a = module("import shop.b\n", "shop.a")
    b = module("from shop import c\n", "shop.b")
    back = "from shop.a import x\n"
    for text, count in [
        (back, 1),
        (f"if TYPE_CHECKING:\n    {back}", 0),
        (f"def f():\n    {back}", 0),
        (f"try:\n    {back}except ImportError:\n    pass\n", 1),
        ("import shop\n", 0),
    ]:
        assert circles([a, b, module(text, "shop.c"), module("", "shop")]) == count


def test_a_mirror_has_the_name_of_its_module_or_begins_with_it(tmp_path):
    write(
        tmp_path,
        dict.fromkeys(
            [
                "shop/__init__.py",
                "shop/till.py",
                "shop/spec.py",
                "shop/alone.py",
                "shop/__main__.py",
                "shop/versions/0001_first.py",
                "tests/shop/test_till_at_night.py",
                "tests/shop/test_shop_spec.py",
                "tests/shop/test_main.py",
                "tests/shop/helpers.py",
            ],
            "",
        ),
    )
    modules, tests = read(tmp_path, tmp_path / "shop"), read(tmp_path, tmp_path / "tests")
    assert mirrored(modules, tests) == (3, 4)
    assert [one.name for one in unmirrored(modules, tests)] == ["shop.alone"]


def test_a_checkout_is_one_column_or_two(tmp_path):
    # given: a package and its test, and a script and its
    write(
        tmp_path,
        {
            "shop/__init__.py": '"""A shop."""\n',
            "shop/till.py": '"""Its till."""\n\n\ndef ring(): ...\n',
            "tests/shop/test_till.py": "def test(): ...\n",
            "tests/scripts/test_tool.py": "",
            "scripts/tool.py": "",
        },
    )
    # when
    product, whole = checkout(tmp_path)
    # then
    assert [one.name for one in product.modules] == ["shop", "shop.till"]
    assert [one.name for one in whole.modules] == ["shop", "shop.till", "scripts.tool"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table([product]).splitlines()]
    shown = {row[0]: row[1] for row in rows}
    assert shown["files / lines"] == "2 / 5"
    assert shown["modules mirrored by a test"] == "100 % (1/1)"
    assert shown["docstrings, public"] == "0 % (0/1)"
