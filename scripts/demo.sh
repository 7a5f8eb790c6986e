#!/usr/bin/env bash
# From nothing to a painted photograph: installs, starts everything on this machine, submits a job, stops.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh [--photo FILE] [--style NAME|FILE] [--size N] [--keep-running]

Makes .venv, installs what is needed, starts the embedded system on a free port, repaints a photograph in
the strokes of a style picture, writes the result to out/ and stops everything. Python 3.11+ is all it needs.

  --photo FILE      The photograph          (default: assets/photo.jpg, a cat)
  --style NAME|FILE night, autumn, mosaic, woodblock, or any picture   (default: mosaic)
  --size N          Long side of the result in pixels, 64 to 2048      (default: 640)
  --keep-running    Leave the system running for your own jobs
EOF
}

photo="$ROOT/assets/photo.jpg"
style="mosaic"
size=640
keep=""
while [ $# -gt 0 ]; do
    case "$1" in
        --photo | --style | --size)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case "$1" in --photo) photo="$2" ;; --style) style="$2" ;; --size) size="$2" ;; esac
            shift 2
            ;;
        --keep-running) keep=1; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ -f "$style" ] || style="$ROOT/assets/styles/$style.jpg"
[ -f "$style" ] || die "no style picture $style; there are: $(cd "$ROOT/assets/styles" && echo *.jpg)"
[ -f "$photo" ] || die "no photograph $photo"

began=$SECONDS
ensure_environment api embedded gpu
# A demo shows this checkout, not a server that the shell happens to be set up for.
unset ATELIER_URL ATELIER_KEY DATABASE_URL REDIS_URL STORAGE_URL
data="$ROOT/.atelier/demo"
mkdir -p "$data" "$ROOT/out"
atelier=("$VENV/bin/atelier" --data-dir "$data")

started="$SECONDS"
"${atelier[@]}" up --port 0 >"$data/up.log" 2>&1 &
system=$!

job=""
stop() {
    trap '' INT TERM
    if [ -n "$job" ] && kill -TERM "$job" 2>/dev/null; then
        wait "$job" || true # it cancels its job first
    fi
    if [ -z "$keep" ] && kill -0 "$system" 2>/dev/null; then
        kill -TERM "$system"
        wait "$system" || true
    fi
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# It says so in its log when it is ready, or when another demo's system is running already.
until grep -qs -e "is ready at" -e "runs already" "$data/up.log"; do
    if ! kill -0 "$system" 2>/dev/null; then
        cat "$data/up.log" >&2
        keep=1
        die "the system did not start"
    fi
    sleep 0.1
done
say "The system runs after $((SECONDS - started)) s ($data)."

name() { local base="${1##*/}"; printf '%s' "${base%.*}"; }
result="$ROOT/out/$(name "$photo")-$(name "$style").png"
say "Painting $(name "$photo") in the strokes of $(name "$style") at $size pixels ..."
asked="$SECONDS"
# In the background: a trap waits for a command in the foreground.
"${atelier[@]}" run neural_style --content "$photo" --style "$style" --size "$size" --output "$result" &
job=$!
wait "$job"
job=""
say "Painted in $((SECONDS - asked)) s; the whole demo took $((SECONDS - began)) s."
if [ -n "$keep" ]; then
    sed -n '/is ready at/,$p' "$data/up.log" >&2
    say "It keeps running as process $system: kill $system stops it."
    disown "$system"
fi
