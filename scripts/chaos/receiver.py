"""Hears the webhooks: a real HTTP server that checks every signature with the `standardwebhooks` package."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from standardwebhooks import Webhook, WebhookVerificationError

from tests.receivers import Answer, Message, receiver

#: Every so many messages, the first try is refused.
_REFUSE_EVERY = 20


@dataclass(frozen=True)
class Heard:
    """What a message told, once its signature was right."""

    job_id: str
    version: int
    type: str
    #: Which address it came to: an owner's name, or that and `/all`.
    path: str


@dataclass
class Hearing:
    """What was heard so far."""

    #: Path -> the secret that its messages are signed with.
    secrets: Mapping[str, str]
    url: str
    heard: set[Heard] = field(default_factory=set)
    #: Messages with a signature that does not fit.
    forged: list[str] = field(default_factory=list)
    tries: int = 0
    refused: int = 0
    _refused_ids: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, message: Message) -> Answer:
        """What the sender gets."""
        path = message.path.removeprefix("/hook/")
        with self._lock:
            self.tries += 1
            secret = self.secrets.get(path)
            try:
                if secret is None:
                    raise WebhookVerificationError(f"nobody asked for messages to {path}")
                Webhook(secret).verify(message.body, message.headers)
            except WebhookVerificationError as error:
                self.forged.append(f"{message.headers.get('webhook-id')}: {error}")
                return 400, {}
            if self.tries % _REFUSE_EVERY == 0 and message.id not in self._refused_ids:
                self._refused_ids.add(message.id)
                self.refused += 1
                return 500, {}
            said = json.loads(message.body)
            self.heard.add(Heard(said["data"]["id"], said["data"]["version"], said["type"], path))
            return 204, {}


@contextmanager
def hearing(secrets: Mapping[str, str]) -> Iterator[Hearing]:
    """A running receiver. `secrets` may be filled while it runs."""
    with receiver() as server:
        heard = Hearing(secrets, server.url)
        server.answer = heard.answer
        yield heard
