#!/usr/bin/env bash
# Renews requirements/: every release that the project installs, with the hashes of its files.
#
#   bash scripts/lock.sh                      # what pyproject.toml changed, and nothing else
#   bash scripts/lock.sh --upgrade            # the newest of everything that pyproject.toml allows
#   bash scripts/lock.sh --upgrade-package pillow
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

usage() { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

case "${1:-}" in
    -h | --help) usage; exit 0 ;;
esac

"$VENV/bin/python" -m pip --version >/dev/null 2>&1 || die "there is no .venv yet: bash scripts/test.sh makes it"
pip_install_locked uv
use_pip_s_index

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
compile() {
    "$VENV/bin/uv" pip compile --quiet --generate-hashes --no-annotate \
        --custom-compile-command "bash scripts/lock.sh" "$@"
}
# One answer for every machine and every Python that pyproject.toml allows; what differs stands behind a marker.
anywhere=(--universal --python-version 3.11)

# torch is each machine's own choice (scripts/lib.sh), and comes before the rest. What its CPU build needs is locked
# here; a CUDA build brings gigabytes more, which only Dockerfile.gpu takes, from torch-cuda.txt.
printf 'torch ; python_version < "3"\n' >"$work/without-torch"
printf 'setuptools>=77\n' >"$work/build"
printf 'filelock\nfsspec\njinja2\nnetworkx\nsympy\ntyping-extensions\n' >"$work/torch-needs"

# First everything at once, so that the files below agree with each other.
everything=()
for extra in "${EXTRAS[@]}"; do everything+=(--extra "$extra"); done
cat requirements/*.txt 2>/dev/null | grep -E '^[a-z0-9]' | sed 's/ *\\$//' | sort -u >"$work/before" || true
cp "$work/before" "$work/all"
compile "${anywhere[@]}" pyproject.toml "$work/build" "$work/torch-needs" "${everything[@]}" \
    --override "$work/without-torch" --output-file "$work/all" "$@"
sed -n 's/^\([a-z0-9][^\\]*[^ \\]\) *\\*$/\1/p' "$work/all" >"$work/chosen"

printf 'uv\n' >"$work/uv"
compile "${anywhere[@]}" "$work/uv" --output-file requirements/uv.txt "$@"
for extra in "${EXTRAS[@]}"; do
    more=("$work/build")
    [ "$extra" != gpu ] || more+=("$work/torch-needs")
    compile "${anywhere[@]}" pyproject.toml "${more[@]}" --extra "$extra" --override "$work/without-torch" \
        --constraint "$work/chosen" --output-file "requirements/$extra.txt"
done
# The image's own Python and platform (Dockerfile.gpu): CUDA's packages are for no other.
printf 'torch==%s\ntorchvision\n' "$TORCH_VERSION" >"$work/cuda"
compile "$work/cuda" --constraint "$work/chosen" --python-version 3.12 --python-platform x86_64-manylinux_2_39 \
    --output-file requirements/torch-cuda.txt
say "requirements/ is up to date; look at the difference, run the tests, commit."
