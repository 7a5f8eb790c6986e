#!/usr/bin/env bash
# From nothing to a painted photograph: installs, starts everything on this machine, submits a job, stops.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
    cat <<'EOF'
Usage: scripts/demo.sh [--photo FILE] [--style NAME|FILE] [--size N] [--keep-running]
                       [--data-dir DIR] [--out DIR] [--no-install]

Makes .venv, installs what is needed, starts the embedded system on a free port, repaints a photograph in
the strokes of a style picture, writes the result to out/ and stops everything. Python 3.11+ is all it needs.

  --photo FILE      The photograph          (default: assets/photo.jpg, a cat)
  --style NAME|FILE night, autumn, mosaic, woodblock, or any picture   (default: mosaic)
  --size N          Long side of the result in pixels, 64 to 2048      (default: 640)
  --keep-running    Leave the system running for your own jobs
  --data-dir DIR    Where the system keeps everything     (default: .atelier/demo)
  --out DIR         Where the result goes                 (default: out)
  --no-install      Use .venv as it is
EOF
}

photo="$ROOT/assets/photo.jpg"
style="mosaic"
size=640
keep=""
install=1
data="$ROOT/.atelier/demo"
out="$ROOT/out"
while [ $# -gt 0 ]; do
    case "$1" in
        --photo | --style | --size | --data-dir | --out)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            case "$1" in
                --photo) photo="$2" ;;
                --style) style="$2" ;;
                --size) size="$2" ;;
                --data-dir) data="$2" ;;
                --out) out="$2" ;;
            esac
            shift 2
            ;;
        --keep-running) keep=1; shift ;;
        --no-install) install=""; shift ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
[ -f "$style" ] || style="$ROOT/assets/styles/$style.jpg"
[ -f "$style" ] || die "no style picture $style; there are: $(cd "$ROOT/assets/styles" && echo *.jpg)"
[ -f "$photo" ] || die "no photograph $photo"

began=$SECONDS
if [ -n "$install" ]; then
    ensure_environment api bot embedded gpu
fi
# A demo shows this checkout, not a server that the shell happens to be set up for.
unset ATELIER_URL ATELIER_PUBLIC_URL ATELIER_KEY ATELIER_TELEGRAM_TOKEN DATABASE_URL REDIS_URL STORAGE_URL
mkdir -p "$data" "$out"
data="$(cd "$data" && pwd)" # the commands below are for any folder
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
result="$out/$(name "$photo")-$(name "$style").png"
say "Painting $(name "$photo") in the strokes of $(name "$style") at $size pixels ..."
asked="$SECONDS"
# In the background: a trap waits for a command in the foreground.
"${atelier[@]}" run neural_style --content "$photo" --style "$style" --size "$size" --output "$result" &
job=$!
wait "$job"
job=""
say "Painted in $((SECONDS - asked)) s; the whole demo took $((SECONDS - began)) s."
if [ -n "$keep" ]; then
    # From the file and not from above: an earlier demo's system may be the one that runs.
    read -r url pid < <("$VENV/bin/python" -c \
        'import json, sys; known = json.load(open(sys.argv[1])); print(known["url"], known["pid"])' \
        "$data/server.json")
    command="$(printf '%q ' "${atelier[@]}")"
    say "It keeps running at $url, as process $pid. Try:"
    say "  ${command}run echo --text hello"
    say "  curl -H \"Authorization: Bearer \$(cat $(printf '%q' "$data/key"))\" $url/v1/engines"
    say "  kill $pid   # stops it"
    disown "$system" 2>/dev/null || true # it has ended where an earlier one runs
fi
