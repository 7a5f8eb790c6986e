"""URLs by which a web page opens a job's event stream: an EventSource cannot send a key.

Signed as those of files are (`api.access.signing`), but for one key, and over with it: who opens such a
stream is that key's owner, in all that follows.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import urlencode

from api.access.keyring import Caller
from api.services import Services
from jobs.errors import Unauthorized

#: Seconds in which it may be opened, and opened again by a browser whose connection broke.
LIFETIME = 600


def sign(found: Services, caller: Caller, job_id: str) -> tuple[str, datetime]:
    """The URL of this job's events for this caller, and until when it works."""
    until = int(time.time()) + LIFETIME
    path = _path(job_id)
    signature = found.signer.signature(_signed(path, caller.key_id), str(until))
    query = urlencode({"key": caller.key_id, "expires": until, "signature": signature})
    return f"{found.settings.public_url}{path}?{query}", datetime.fromtimestamp(until, UTC)


def reader(found: Services, job_id: str, key_id: str, expires: str, signature: str) -> Caller:
    """Whose URL this is. Raises Forbidden, and Unauthorized once the key was revoked."""
    found.signer.check(_signed(_path(job_id), key_id), expires, signature)
    caller = found.keyring.by_id(key_id)
    if caller is None:
        raise Unauthorized("The key for which this URL was made was revoked.")
    return caller


def _path(job_id: str) -> str:
    return f"/v1/jobs/{job_id}/events"


def _signed(path: str, key_id: str) -> str:
    return f"{path}?key={key_id}"
