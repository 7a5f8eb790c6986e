"""Structured logs: one JSON object a line, with the job's and the request's id, in every process.

Owner of ATELIER_LOG_LEVEL (default: info).
"""

from __future__ import annotations

import logging
import os
import sys

import structlog

_SHARED: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(process: str) -> None:
    """Send everything, the libraries' lines too, to standard error as JSON; `process` is in each line."""
    level = os.environ.get("ATELIER_LOG_LEVEL", "info").upper()

    def name_process(
        _logger: object, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event["process"] = process
        return event

    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # billiard's lines about the pool's processes.
    pool = logging.getLogger("multiprocessing")
    pool.handlers[:] = [handler]
    pool.propagate = False
    # One line a published or received doorbell says nothing.
    for noisy in (
        "celery.worker.strategy",
        "celery.app.trace",
        "httpx",
        "httpcore",  # all headers of an answer, in which a service may say back a key
        "botocore",
        "boto3",
        "s3transfer",
        "PIL",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
