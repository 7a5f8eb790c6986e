"""The baseline of scripts/bench/service.py: a no-op Celery task on the same broker with the same settings.

It notes in Redis when each task started; nothing else.
"""

import time

import redis
from celery import shared_task

import queue_config

app = queue_config.worker_app()
_client: redis.Redis | None = None


@shared_task(name="bench.noop", ignore_result=True)
def noop(sent: float) -> None:
    """Note the seconds from being sent to being started, and the time."""
    global _client
    began = time.time()
    if _client is None:
        _client = redis.Redis.from_url(queue_config.redis_url())
    _client.rpush("bench", f"{began - sent} {began}")


@shared_task(name="bench.empty", ignore_result=True)
def empty() -> None:
    """Nothing at all: for the rate."""


@shared_task(name="bench.mark", ignore_result=True)
def mark(name: str) -> None:
    """Note the time: the first and the last task of a run."""
    redis.Redis.from_url(queue_config.redis_url()).set(name, time.time())
