"""Where this installation keeps its things, and where its server is.

Owner of ATELIER_DATA_DIR; ATELIER_URL and ATELIER_KEY are `client.environ`'s.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.errors import CommandError
from client import environ
from client.server import is_key, is_url

DEFAULT_DATA_DIR = "~/.local/share/atelier"


@dataclass(frozen=True)
class Running:
    """What `atelier up` writes into its data folder while it runs."""

    url: str
    pid: int
    redis_url: str = ""


def data_dir(chosen: Path | None = None) -> Path:
    """`chosen`, else ATELIER_DATA_DIR, else ~/.local/share/atelier; absolute."""
    folder = chosen or Path(os.environ.get("ATELIER_DATA_DIR") or DEFAULT_DATA_DIR)
    return folder.expanduser().absolute()


def key_file(folder: Path) -> Path:
    """The file of the local user's API key."""
    return folder / "key"


def server_file(folder: Path) -> Path:
    """The file that says where the embedded system listens."""
    return folder / "server.json"


def running(folder: Path) -> Running | None:
    """What the embedded system of this data folder wrote when it became ready; None where nothing runs."""
    try:
        known = json.loads(server_file(folder).read_text())
        return Running(**known)
    except (OSError, ValueError, TypeError):
        return None


def write_running(folder: Path, state: Running) -> None:
    """Say where the embedded system listens; readers see the old file or the whole new one."""
    # The broker's URL holds its password.
    fresh = server_file(folder).with_suffix(".new")
    write_private(fresh, json.dumps(asdict(state)) + "\n")
    fresh.replace(server_file(folder))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from the moment it exists."""
    path.unlink(missing_ok=True)  # the mode below counts for a new file only
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)


def server_url(folder: Path) -> str:
    """ATELIER_URL, else where the data folder's embedded system listens, else the usual port.

    Raises CommandError when ATELIER_URL is no URL.
    """
    if own := environ.chosen_url():
        if not is_url(own):
            raise CommandError(f"ATELIER_URL is no URL: {own!r}; it looks like {environ.DEFAULT_URL}")
        return own
    here = running(folder)
    return here.url if here else environ.DEFAULT_URL


def api_key(folder: Path) -> str | None:
    """ATELIER_KEY, else the data folder's key file, else None.

    Raises CommandError for what cannot be a key.
    """
    if own := environ.chosen_key():
        return _key(own, "ATELIER_KEY")
    try:
        found = key_file(folder).read_text(errors="replace").strip()
    except OSError:
        return None
    return _key(found, str(key_file(folder))) if found else None


def _key(text: str, where: str) -> str:
    if not is_key(text):
        raise CommandError(
            f"{where} holds no API key: one begins with atl_ and has only letters, digits, - and _."
        )
    return text


def environment(folder: Path) -> dict[str, str]:
    """This process's environment, completed so that every part of the house uses this data folder.

    What the caller has set stays: `DATABASE_URL=postgresql://... atelier up` uses that database.
    """
    made = dict(os.environ)
    made["ATELIER_DATA_DIR"] = str(folder)
    made.setdefault("DATABASE_URL", f"sqlite:///{folder / 'atelier.db'}")
    made.setdefault("STORAGE_URL", (folder / "objects").as_uri())
    made.setdefault("ATELIER_WEIGHTS_DIR", str(folder / "weights"))
    made.setdefault("ATELIER_NETWORKS_DIR", str(folder / "networks"))
    return made


def use(folder: Path) -> None:
    """Let the rest of this very process use the data folder as well."""
    os.environ.update(environment(folder))
