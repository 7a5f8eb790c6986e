"""requirements/: every release by its hash, the same in every file, and all that pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Chosen on each machine (scripts/lib.sh); Dockerfile.gpu takes it from torch-cuda.txt.
UNLOCKED = {"torch"}


def entries(path: Path) -> list[tuple[Requirement, list[str]]]:
    """(requirement, its hashes), in the order of the file."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        wanted, *hashes = re.split(r"\s+--hash=", line)
        found.append((Requirement(wanted), hashes))
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_release_is_pinned_by_hash_and_no_address_is_named(path):
    found = entries(path)

    assert found
    for wanted, hashes in found:
        assert re.fullmatch(r"==[^*,]+", str(wanted.specifier)), wanted
        assert hashes, f"{wanted} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes)
    assert "://" not in path.read_text()


def test_there_is_one_lock_for_each_extra():
    assert {path.stem for path in LOCKS} == {*EXTRAS, "torch-cuda", "uv"}
    (named,) = re.findall(r"^EXTRAS=\((.+)\)$", (ROOT / "scripts" / "lib.sh").read_text(), re.MULTILINE)
    assert set(named.split()) == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_lock_answers_what_the_project_asks_for(extra):
    """Renewed by `bash scripts/lock.sh` after every change of pyproject.toml."""
    locked: dict[str, list[Requirement]] = {}
    for wanted, _ in entries(ROOT / "requirements" / f"{extra}.txt"):
        locked.setdefault(canonicalize_name(wanted.name), []).append(wanted)
    for text in (*PROJECT["dependencies"], *EXTRAS[extra]):
        asked = Requirement(text)
        if asked.name in UNLOCKED:
            continue
        chosen = locked.get(canonicalize_name(asked.name), [])
        assert chosen, f"{asked} is not in requirements/{extra}.txt: bash scripts/lock.sh"
        for one in chosen:
            (release,) = one.specifier
            assert asked.specifier.contains(release.version, prereleases=True), f"{one} against {asked}"


def test_locks_that_are_installed_together_agree():
    """On each Python that the project supports: one release of each package in all files."""
    for python in ("3.11", "3.12", "3.13", "3.14"):
        machine = {
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": "linux",
            "platform_machine": "x86_64",
            "platform_system": "Linux",
            "platform_python_implementation": "CPython",
            "implementation_name": "cpython",
            "os_name": "posix",
        }
        chosen: dict[str, str] = {}
        for extra in EXTRAS:
            for wanted, _ in entries(ROOT / "requirements" / f"{extra}.txt"):
                if wanted.marker is None or Marker(str(wanted.marker)).evaluate(machine):
                    name = canonicalize_name(wanted.name)
                    assert chosen.setdefault(name, str(wanted.specifier)) == str(wanted.specifier)


def test_images_and_scripts_install_from_the_locks_alone():
    for image in ("Dockerfile.api", "Dockerfile.gpu"):
        for line in re.findall(r"pip install (.+)", (ROOT / image).read_text()):
            assert line.startswith(("--require-hashes -r ", "--no-deps --no-build-isolation .")), line
    library = (ROOT / "scripts" / "lib.sh").read_text()
    installs = re.findall(r"^\s*pip_install (.+)", library, re.MULTILINE)
    # torch is the machine's own choice, at one release.
    assert installs == [
        '"torch==$TORCH_VERSION"',
        '--require-hashes "${arguments[@]}"',
        '--no-deps --no-build-isolation --editable "$ROOT"',
    ]
    version = re.findall(r'^TORCH_VERSION="(.+)"', library, re.MULTILINE)
    cuda = {wanted.name: str(wanted.specifier) for wanted, _ in entries(ROOT / "requirements/torch-cuda.txt")}
    assert [cuda["torch"]] == [f"=={one}" for one in version]
