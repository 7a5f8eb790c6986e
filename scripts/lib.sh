# Shared by demo.sh and test.sh: makes .venv and puts into it what is needed. Sourced, not run.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
# The release the project is tested with; a bare "torch" would change under a demo.
TORCH_VERSION="2.13.0"
# The extras of pyproject.toml, each with its file in requirements/.
# shellcheck disable=SC2034  # lock.sh reads it
EXTRAS=(api bot dev embedded gpu train)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

# The first Python on the PATH that is new enough.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or later is needed and was not found."
}

has_nvidia_gpu() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

# Whether the index's plain torch, here, drags CUDA libraries along (several gigabytes).
plain_torch_is_cuda() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --dry-run --no-deps --ignore-installed \
        --report - "torch==$TORCH_VERSION" 2>/dev/null |
        "$VENV/bin/python" -c '
import json, sys
from pip._vendor.packaging.requirements import Requirement
needs = [Requirement(text) for item in json.load(sys.stdin)["install"]
         for text in item["metadata"].get("requires_dist", [])]
here = [need.name.lower() for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
sys.exit(not any(name.startswith(("nvidia", "triton", "cuda")) for name in here))'
}

# uv does not read pip's settings; without this a mirror that pip uses would be passed by.
use_pip_s_index() {
    if [ -n "${PIP_INDEX_URL:-}" ] && [ -z "${UV_DEFAULT_INDEX:-}" ]; then
        export UV_DEFAULT_INDEX="$PIP_INDEX_URL"
    fi
}

install_torch() {
    if "$VENV/bin/python" -c 'import torch' >/dev/null 2>&1; then
        return # the operator's own choice of build stays
    fi
    if ! has_nvidia_gpu && plain_torch_is_cuda; then
        # pip cannot ask for "the CPU build"; uv knows where each kind of build lives.
        say "No NVIDIA GPU here: installing the CPU build of torch ..."
        pip_install_locked uv
        use_pip_s_index
        if "$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --torch-backend=cpu \
            "torch==$TORCH_VERSION"; then
            return
        fi
        say "The CPU build could not be had; installing the ordinary one (larger, works as well) ..."
    fi
    pip_install "torch==$TORCH_VERSION"
}

pip_install() { "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

# pip_install_locked NAME...: what requirements/NAME.txt says, and no file with another hash.
pip_install_locked() {
    local name arguments=()
    for name in "$@"; do arguments+=(--requirement "$ROOT/requirements/$name.txt"); done
    pip_install --require-hashes "${arguments[@]}"
}

hash_of() {
    cat "$ROOT/pyproject.toml" "$ROOT/scripts/lib.sh" "$ROOT"/requirements/*.txt |
        "$VENV/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# ensure_environment EXTRA...: .venv with the project and these extras, in the releases of requirements/. A second
# call does nothing until pyproject.toml, a lock or this file changes.
ensure_environment() {
    local found stamp extra python wanted missing=""
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        python="$(find_python)"
        say "Making .venv with $("$python" --version) ..."
        "$python" -m venv --clear "$VENV" ||
            die "the venv module does not work; on Debian and Ubuntu: apt-get install python3-venv"
    fi
    found="$(hash_of)"
    stamp="$VENV/.atelier-extras"
    if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$found" ]; then
        for extra in "$@"; do
            grep -qx "$extra" "$stamp" || missing=1
        done
        [ -n "$missing" ] || return 0
    fi
    # What is there already stays.
    wanted="$({ printf '%s\n' "$@" && { tail -n +2 "$stamp" 2>/dev/null || true; }; } | sort -u)"
    say "Installing $(printf '%s' "$wanted" | tr '\n' ' ') (some minutes, the first time) ..."
    # shellcheck disable=SC2086  # one name a line
    pip_install_locked $wanted
    if printf '%s\n' "$wanted" | grep -qx gpu; then
        install_torch # what it needs besides CUDA is locked and there by now
    fi
    # By what was just installed: pip would fetch a setuptools of its own, of any release.
    pip_install --no-deps --no-build-isolation --editable "$ROOT"
    printf '%s\n%s\n' "$found" "$wanted" >"$stamp"
}
