"""What can be made. One folder per kind; the folder's name is the kind's name.

`names` and `spec` are light and safe for the API; `load` is the only door to an engine's heavy half.
"""

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from engines.base import Engine, EngineSpec


@cache
def names() -> tuple[str, ...]:
    """The kinds of engine there are, in alphabetical order: the folders with a spec."""
    folders = {module.name for module in pkgutil.iter_modules(__path__) if module.ispkg}
    places = [Path(place) for place in __path__]
    return tuple(sorted(n for n in folders if any((place / n / "spec.py").is_file() for place in places)))


@cache
def spec(name: str) -> EngineSpec:
    """The light half of an engine. Raises KeyError for an unknown kind."""
    if name not in names():
        raise KeyError(name)
    found: EngineSpec = importlib.import_module(f"engines.{name}.spec").SPEC
    return found


def load(name: str) -> Engine:
    """Import the heavy half, build it and run its `setup`. Raises KeyError for an unknown kind."""
    if name not in names():
        raise KeyError(name)
    engine: Engine = importlib.import_module(f"engines.{name}.engine").Engine()
    engine.setup()
    return engine
