"""One message to one address, signed as Standard Webhooks 1.0 asks for (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from jobs.pace import paced
from webhooks.deliveries import Due
from workers.outbound import FetchRefused, Guard, Resolver, checked, pool, redirected, request

#: Seconds for everything together: look-up, connection, redirects, answer.
TIMEOUT_SECONDS = paced(15.0)
_MAX_REDIRECTS = 3
#: Those that keep the method and the body; the others would turn a message into a look at a page.
_REDIRECTS = (307, 308)


@dataclass(frozen=True)
class Answer:
    """What a receiver answered. Its body is not read: nothing in it could matter."""

    status: int
    #: Seconds it asked to be left alone for.
    retry_after: float | None = None


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(due: Due, timestamp: int) -> dict[str, str]:
    """What goes with the body. The id is the same at every try, the timestamp is the try's own."""
    body = due.body.encode()
    return {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "webhook-id": due.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(due.secret, due.id, timestamp, body),
    }


def send(
    due: Due,
    *,
    allow_private: bool,
    timeout: float = TIMEOUT_SECONDS,
    resolver: Resolver | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> Answer:
    """POST the message. `allow_private` lets it into private networks and over plain http.

    Raises FetchRefused and FetchFailed.
    """
    deadline = time.monotonic() + timeout
    fields, body, url = headers(due, int(time.time())), due.body.encode(), due.url
    with pool(Guard(allow_private, deadline, resolver), ssl_context) as connections:
        for _ in range(_MAX_REDIRECTS + 1):
            to = checked(url, allow_http=allow_private, allow_private=allow_private)
            with request(connections, "POST", to, fields, deadline, body) as (status, found, _chunks):
                if status not in _REDIRECTS or b"location" not in found:
                    return Answer(status, _seconds(found.get(b"retry-after", "")))
                url = redirected(url, found[b"location"])
    raise FetchRefused(f"This URL redirects more than {_MAX_REDIRECTS} times.")


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header, seconds or a date, as seconds from now."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
