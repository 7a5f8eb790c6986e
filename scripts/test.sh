#!/usr/bin/env bash
# Everything a change has to pass: lint, format, types, tests. Arguments go to pytest.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

ensure_environment api bot embedded gpu dev

# nginx and promtool check their own configuration; a drive through nginx; RabbitMQ as the broker. A laptop without
# them skips those tests.
if [ "${CI:-}" = "true" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
    ! { [ -x /usr/sbin/nginx ] && command -v promtool >/dev/null 2>&1 && [ -x /usr/sbin/rabbitmq-server ]; }; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends nginx prometheus rabbitmq-server; } >/dev/null ||
        say "nginx, prometheus and rabbitmq-server could not be installed"
fi

export PATH="$VENV/bin:$PATH"
# The tests start hundreds of processes of ours: each would compile all it imports.
unset PYTHONDONTWRITEBYTECODE
python -m ruff check .
python -m ruff format --check .
python -m mypy
# Last, so that pytest's summary is the last line. One file stays on one process: its servers are started once.
# Three: much of a test is waiting for a server. (`python scripts/crews.py` runs the same as two crews.)
exec python -m pytest -n 3 --dist loadfile --no-loadscope-reorder "$@"
