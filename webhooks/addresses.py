"""Which addresses a webhook may have.

Owner of ATELIER_WEBHOOKS_ALLOW_PRIVATE (yes: webhooks may go to private addresses, to any port and over plain
http, as on a laptop; default: no). The API asks when an address is given, the dispatcher when it connects.
"""

from __future__ import annotations

import ipaddress
import os
import re

from jobs.errors import BadURL
from jobs.urls import UnfitURL, is_public, target

MAX_URL = 2048


def allow_private() -> bool:
    """Whether the operator lets webhooks into private networks, and over plain http."""
    return os.environ.get("ATELIER_WEBHOOKS_ALLOW_PRIVATE", "").strip().lower() in ("1", "true", "yes", "on")


def check_url(url: str) -> None:
    """Raise BadURL for an address that would never be connected to.

    Names are not looked up: what they lead to now says nothing of later. The connection checks that.
    """
    if len(url) > MAX_URL or not re.fullmatch(r"[!-~]+", url) or "#" in url:
        raise BadURL(
            f"A webhook's URL has at most {MAX_URL} visible ASCII characters and no fragment; "
            "write others percent-encoded, and an international host name as `xn--`."
        )
    private = allow_private()
    try:
        found = target(url, allow_http=private, allow_private=private)
    except UnfitURL as error:
        raise BadURL(str(error)) from error
    if not private and (_is_private_address(found.host) or _is_local_name(found.host)):
        raise BadURL("This URL leads into a private network.")


def _is_private_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


def _is_local_name(host: str) -> bool:
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))
