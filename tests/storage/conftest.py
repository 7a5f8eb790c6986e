"""The stores under test: a real folder, a real S3 over HTTP (moto's server in this process), and memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from storage import open_storage
from storage.base import Storage

BUCKET = "atelier-test"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Iterator[Any]:
    """A client that looks at the bucket past our code."""
    client = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test").client(
        "s3", endpoint_url=s3_endpoint, region_name="us-east-1"
    )
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()


@pytest.fixture
def s3_prefix() -> str:
    """A prefix of the test's own, as the tests share a bucket."""
    return f"{uuid.uuid4().hex}/prefix"


@pytest.fixture
def s3_url(s3_endpoint: str, s3_client: Any, s3_prefix: str, aws_credentials: None) -> str:  # noqa: ARG001  pytest's way to order fixtures
    return f"s3://{BUCKET}/{s3_prefix}?endpoint={s3_endpoint}&region=us-east-1"


@pytest.fixture(params=["file", "s3", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return open_storage(request.getfixturevalue("s3_url"))
    if request.param == "file":
        return open_storage((tmp_path / "objects").as_uri())
    return open_storage("memory://")
