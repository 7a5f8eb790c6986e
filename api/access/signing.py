"""URLs that carry their own permission: `?expires=<unix time>&signature=<HMAC-SHA256>`.

A page shows a picture and a bot passes one on without a key. The secret is in the database, so every API
process accepts what another one signed.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable
from urllib.parse import urlencode

from jobs.errors import Forbidden

#: Seconds a URL works at least.
LIFETIME = 3600
#: Expiry times are multiples of this, so that polling gives the same URL and browsers use their cache: a URL
#: works for up to so many seconds more.
_STEP = 600


class Signer:
    """Makes and checks signatures. The secret is read at the first use."""

    def __init__(self, read_secret: Callable[[], str]) -> None:
        self._read_secret = read_secret
        self._secret: bytes | None = None

    def sign(self, path: str, **query: str) -> str:
        """`path` with a signature that lasts at least LIFETIME seconds; `query` is added, not signed."""
        expires = str((int(time.time()) // _STEP + 1) * _STEP + LIFETIME)
        return (
            f"{path}?{urlencode({**query, 'expires': expires, 'signature': self.signature(path, expires)})}"
        )

    def check(self, path: str, expires: str, signature: str) -> None:
        """Raises Forbidden for a signature that is wrong or has expired."""
        if not hmac.compare_digest(signature.encode(), self.signature(path, expires).encode()):
            raise Forbidden("This URL's signature is not valid.", code="bad_signature")
        if int(expires) < time.time():
            raise Forbidden("This URL has expired; ask for the file again.", code="url_expired")

    def signature(self, path: str, expires: str) -> str:
        """What `check` takes for this path until then (seconds since 1970)."""
        if self._secret is None:
            self._secret = self._read_secret().encode()
        made = hmac.digest(self._secret, f"{path}\n{expires}".encode(), "sha256")
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
