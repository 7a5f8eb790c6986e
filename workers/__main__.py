"""`python -m workers`: one worker process (a parent that listens and one child that works)."""

from __future__ import annotations

import argparse

from jobs.ids import new_id
from queue_config import QUEUES
from workers import settings
from workers.parent import CHILD_MODULE, app


def main() -> None:
    """Parse the command line and run until told to stop (SIGTERM or Ctrl-C give the running job back)."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument(
        "--queues",
        default=",".join(settings.queues()),
        help=f"comma-separated, of: {', '.join(QUEUES)} (default: %(default)s)",
    )
    parser.add_argument(
        "--pool",
        default="prefork",
        choices=["prefork", "solo"],
        help="solo runs jobs in the listening process: for debugging only (default: %(default)s)",
    )
    arguments = parser.parse_args()
    queues = tuple(part.strip() for part in arguments.queues.split(",") if part.strip())
    unknown = set(queues) - set(QUEUES)
    if unknown or not queues:
        parser.error(f"unknown queue: {', '.join(sorted(unknown)) or '(none given)'}")
    worker_id = new_id("wrk")
    settings.hand_down(worker_id, queues)

    app.worker_main(
        [
            "worker",
            f"--queues={','.join(queues)}",
            f"--hostname={worker_id}@%h",
            f"--pool={arguments.pool}",
            "--concurrency=1",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            *(["--include", CHILD_MODULE] if arguments.pool == "solo" else []),
        ]
    )


if __name__ == "__main__":
    main()
