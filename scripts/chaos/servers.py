"""PostgreSQL, Redis and the object store: real servers that can be stopped, frozen and started again."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import psutil
import redis
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from scripts.chaos.processes import Process
from tests.ports import own_port
from tests.services import PostgresServer, RedisServer

_BUCKET = "atelier"
#: What the object store lets in; moto lets in everybody.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "chaos", "AWS_SECRET_ACCESS_KEY": "chaos"}
_START_SECONDS = 60.0


class Postgres(PostgresServer):
    """A cluster of its own, as durable as in production: an immediate stop must lose no commit."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, durable=True)

    def shut_down(self) -> None:
        """`pg_ctl stop -m fast`: transactions are rolled back, connections cut, then it ends in order."""
        os.kill(self.pid, signal.SIGINT)
        psutil.Process(self.pid).wait(30)
        self.stop()

    @contextmanager
    def away(self, seconds: float, *, immediate: bool) -> Iterator[None]:
        """Stopped for a while, and back."""
        if immediate:
            self.stop()
        else:
            self.shut_down()
        try:
            time.sleep(seconds)
            yield
        finally:
            self.start()


class Redis(RedisServer):
    """Without persistence, as in production: nothing in it matters."""

    def shut_down(self) -> None:
        """End it in order."""
        os.kill(self.pid, signal.SIGTERM)
        psutil.Process(self.pid).wait(30)
        self.stop()

    def flush(self) -> None:
        """FLUSHALL."""
        with redis.Redis(port=self.port) as client:
            client.flushall()


class Objects(Process):
    """The S3-speaking server."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        port = own_port()
        command = [sys.executable, "-m", "scripts.chaos.object_server", str(port)]
        super().__init__("objects", command, environment, logs)
        self._endpoint = f"http://127.0.0.1:{port}"
        self.url = f"s3://{_BUCKET}?endpoint={self._endpoint}&region=us-east-1&presign=no"

    def make_bucket(self) -> None:
        """Wait until it answers, and make the bucket."""
        client = boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        ).client("s3", endpoint_url=self._endpoint, region_name="us-east-1", config=Config(connect_timeout=2))
        give_up = time.monotonic() + _START_SECONDS
        while True:
            try:
                client.create_bucket(Bucket=_BUCKET)
                return
            except BotoCoreError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)
