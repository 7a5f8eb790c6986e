"""One request to a chat service, within bounds of time and size, whatever it sends."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
from pydantic import SecretStr

from engines.base import Away, EngineError
from engines.prompts.answers import Answer, ProviderMisconfigured, WrongAnswer, answer, failure
from engines.providers import Provider

#: Bytes of an answer: several times the longest that can be asked for.
MOST_BYTES = 2 * 2**20
CONNECT_SECONDS = 10.0
_HIDDEN = "***"


class Chat:
    """A service, and the key for it."""

    def __init__(self, provider: Provider, key: SecretStr, context: ssl.SSLContext) -> None:
        self._provider = provider
        self._key = key
        self._context = context

    async def ask(self, body: Mapping[str, Any]) -> Answer:
        """Raises Away, WrongAnswer and the other errors of `engines.prompts.answers`."""
        sent = json.dumps(body).encode()
        try:
            async with asyncio.timeout(self._provider.seconds):
                status, headers, received = await self._post(sent)
        except TimeoutError as error:
            raise Away(
                f"The service chat did not answer within {self._provider.seconds:g} seconds."
            ) from error
        except httpx.InvalidURL as error:
            raise ProviderMisconfigured("The service chat has no usable address here.") from error
        except httpx.HTTPError as error:
            raise Away(f"The service chat cannot be reached ({type(error).__name__}).") from error
        try:
            if status != 200:
                raise failure(status, headers, received)
            told = answer(received, len(sent))
        except EngineError as error:
            # Whoever was given the key may say it.
            error.args = tuple(self._without_key(str(word)) for word in error.args)
            raise
        return replace(told, text=self._without_key(told.text), refusal=self._without_key(told.refusal))

    async def _post(self, sent: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of what comes back."""
        headers = {
            "authorization": f"Bearer {self._key.get_secret_value()}",
            "content-type": "application/json",
            "accept": "application/json",
            # Nothing that unfolds to more than was counted.
            "accept-encoding": "identity",
        }
        times = httpx.Timeout(self._provider.seconds, connect=min(CONNECT_SECONDS, self._provider.seconds))
        async with (
            httpx.AsyncClient(
                verify=self._context, timeout=times, follow_redirects=False, trust_env=False
            ) as client,
            client.stream(
                "POST", f"{self._provider.url}/chat/completions", content=sent, headers=headers
            ) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise WrongAnswer("The service chat sent packed what was to be sent plain.")
            received = bytearray()
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > MOST_BYTES:
                    raise WrongAnswer(f"The service chat answered with more than {MOST_BYTES} bytes.")
            return response.status_code, response.headers, bytes(received)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key.get_secret_value(), _HIDDEN)
