"""The engine: up to sixteen jobs wait for their answers together, each with its own stop and its own end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence

import httpx

from engines import providers, secrets
from engines.base import Away, BatchItem, Context, EngineError, Interrupted, Output
from engines.prompts.asking import Asking
from engines.prompts.chat import Chat
from engines.prompts.spec import PromptsParams


class Engine:
    """Computes nothing; asks."""

    device = "cpu"

    def setup(self) -> None:
        """Read the certificates once."""
        self._tls: ssl.SSLContext = httpx.create_ssl_context(trust_env=False)

    def run(self, params: PromptsParams, context: Context) -> Iterator[Output]:
        """Ask, and yield the answer."""
        yield asyncio.run(self._ask(params, context))

    def run_batch(self, items: Sequence[BatchItem]) -> Iterator[tuple[int, Output | EngineError]]:
        """Ask for all of them at once, and yield answers as they come."""
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            waiting = {
                loop.create_task(self._ask(params, context)): index
                for index, (params, context) in enumerate(items)
            }
            while waiting:
                done, _ = runner.run(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))
                for task in done:
                    index = waiting.pop(task)
                    match error := task.exception():
                        case None:
                            yield index, task.result()
                        case EngineError():
                            yield index, error
                        case Interrupted():
                            pass
                        case _:
                            raise error

    async def _ask(self, params: PromptsParams, context: Context) -> Output:
        provider = providers.chat()
        if provider is None:
            raise Away("The service chat is not set up on this machine any more.")
        try:
            key = secrets.read("chat")
        except secrets.SecretMissing as error:
            raise Away(str(error)) from error
        circuit = providers.circuit(provider.name)
        return await Asking(params, context, provider, Chat(provider, key, self._tls), circuit).output()
