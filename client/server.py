"""Where a server is and what it is told with every request, whoever sends it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx

from client import environ
from client.errors import NotAtelier

#: A user waits for the answer. Whoever takes connections does it at once, or is not there.
TIMEOUT = httpx.Timeout(60.0, connect=5.0, pool=60.0)
_LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Server:
    """One server and the key for it."""

    url: str
    # Stays out of logs and tracebacks.
    key: str | None = field(repr=False)
    agent: str

    @classmethod
    def chosen(cls, url: str | None, key: str | None, agent: str = "") -> Self:
        """What is given, else what the environment says. Raises ValueError for what cannot be."""
        where = (url or environ.chosen_url() or environ.DEFAULT_URL).rstrip("/")
        if not is_url(where):
            raise ValueError(f"this is no http: or https: URL: {where!r}")
        return cls(where, _checked(key or environ.chosen_key()), f"{agent} {_own_agent()}".strip())

    def with_key(self, key: str) -> Self:
        """The same server for somebody else. Raises ValueError for what cannot be a key."""
        return replace(self, key=_checked(key))

    def headers(self, *, with_key: bool = True) -> dict[str, str]:
        """Of a request."""
        found = {"User-Agent": self.agent, "Accept": "application/json, */*;q=0.5"}
        return found | {"Authorization": f"Bearer {self.key}"} if with_key and self.key else found

    def at(self, url: str) -> str:
        """A URL that the API told, as it is from here. Raises NotAtelier for what is none."""
        try:
            # A proxy may have put the API below a path of which the API knows nothing.
            return str(httpx.URL(self.url + url if url.startswith("/") else urljoin(f"{self.url}/", url)))
        except (httpx.InvalidURL, ValueError) as error:
            raise NotAtelier(f"the server told a URL that is none: {url[:100]!r}", 200) from error

    def is_at(self, url: str) -> bool:
        """Whether this URL is of the same server."""
        there, here = httpx.URL(url), httpx.URL(self.url)
        return (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)

    def connection(self) -> dict[str, Any]:
        """How httpx is to connect."""
        return {
            "base_url": self.url,
            "timeout": TIMEOUT,
            "limits": _LIMITS,
            # A laptop's proxy cannot reach the laptop.
            "trust_env": urlsplit(self.url).hostname not in _LOOPBACK,
        }


def is_url(text: str) -> bool:
    """Whether a server may be there."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # `http://[::1`, `http://host:port`
        return False


def is_key(text: str) -> bool:
    """Whether it may be a key: it travels in a header, which takes no other characters."""
    return text.isascii() and text.isprintable() and " " not in text


def _checked(key: str | None) -> str | None:
    if key is not None and not is_key(key):
        raise ValueError("this is no API key: one begins with atl_ and has only letters, digits, - and _")
    return key


def _own_agent() -> str:
    try:
        own = version("atelier")
    except PackageNotFoundError:  # the folder alone, copied
        own = "0"
    return f"atelier-python/{own} httpx/{httpx.__version__}"
