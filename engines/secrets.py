"""The secrets that engines may need, such as the key of a service elsewhere. No torch here.

Owner of ATELIER_SECRET_<NAME>, a secret's value (ATELIER_SECRET_CHAT), and of ATELIER_SECRET_<NAME>_FILE, a
file that holds it (ATELIER_SECRET_CHAT_FILE), which is read each time, so that a new one needs no restart.

A value goes into the request that it is for and nowhere else: what is said of a secret is its name.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import SecretStr

#: Name -> what it is for.
SECRETS = {"chat": "the key of the chat service that the engine `prompts` asks"}

#: How a need (`engines.base.EngineSpec.needs`) names one.
PREFIX = "secret:"

#: What a header can hold, in one word. Any other text would be an error that shows it.
_USABLE = re.compile(r"[\x21-\x7e]{1,4096}")
#: Characters of a file that are read.
_MOST = 8192


class SecretMissing(Exception):
    """This machine has not that secret, or it is no text that can be one."""


def present(name: str) -> bool:
    """Whether it is here and usable. Raises KeyError for one that nothing needs."""
    return _value(name) is not None


def read(name: str) -> SecretStr:
    """Its value, which shows itself to nobody who prints it. Raises SecretMissing; KeyError as `present`."""
    value = _value(name)
    if value is None:
        raise SecretMissing(f"The secret {name} is not set here, or is no single word of plain characters.")
    return SecretStr(value)


def needs_met() -> tuple[str, ...]:
    """Those that are here, as needs name them."""
    return tuple(PREFIX + name for name in SECRETS if present(name))


def _value(name: str) -> str | None:
    if name not in SECRETS:
        raise KeyError(name)
    variable = f"ATELIER_SECRET_{name.upper()}"
    value = (os.environ.get(variable) or _content(os.environ.get(f"{variable}_FILE") or "")).strip()
    return value if _USABLE.fullmatch(value) else None


def _content(file: str) -> str:
    try:
        with Path(file).open(encoding="ascii") as stream:
            return stream.read(_MOST)
    except (OSError, UnicodeDecodeError):
        return ""
