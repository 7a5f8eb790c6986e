"""What lives in the server's loop: the world, who polls, and the webhook."""

from __future__ import annotations

from tests.telegram.polling import Polling
from tests.telegram.webhook import Webhook
from tests.telegram.world import World


class Session:
    """One running server."""

    def __init__(self, world: World, webhook_backoff: float, https_only: bool) -> None:
        self.world = world
        self.polling = Polling(world.updates)
        self.webhook: Webhook | None = None
        #: Scales the pauses between tries of a webhook.
        self.webhook_backoff = webhook_backoff
        #: As Telegram's own servers; a local Bot API server takes http as well.
        self.https_only = https_only

    async def close(self) -> None:
        if self.webhook:
            await self.webhook.close()
            self.webhook = None
