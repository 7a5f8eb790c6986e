"""A chat service, set up as an operator would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engines import providers
from engines.prompts.engine import Engine
from engines.prompts.spec import PromptsParams
from tests.chat import KEY, MODEL, ChatServer, chat_server
from tests.engines.recording import RecordingContext


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with chat_server() as running:
        for name, value in {"CHAT_URL": running.url, "CHAT_MODEL": MODEL, "SECRET_CHAT": KEY}.items():
            monkeypatch.setenv(f"ATELIER_{name}", value)
        providers.circuit.cache_clear()
        yield running
    providers.circuit.cache_clear()


@pytest.fixture(scope="session")
def engine() -> Engine:
    made = Engine()
    made.setup()
    return made


@pytest.fixture
def context(tmp_path: Path) -> RecordingContext:
    return RecordingContext(scratch=tmp_path)


@pytest.fixture
def params() -> Callable[..., PromptsParams]:
    """Params with a seed, as an engine gets them."""
    return lambda **given: PromptsParams.model_validate({"instruction": "Say hello.", "seed": 7} | given)
