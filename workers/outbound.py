"""Connections to strangers' servers: every URL a user sent, an input's or a webhook's, goes through here.

The host name is resolved, the addresses are checked and one of them is connected to in a single step
(`Guard.connect_tcp`), for the first request as for every redirect. So there is no second look-up that a
hostile name server could answer differently, and no spelling of an address that the check and the connection
could read differently. TLS still verifies the certificate for the name in the URL.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from jobs.urls import DEFAULT_PORTS, Target, UnfitURL, is_public, target

#: Host name and port to numeric addresses; raises OSError when there are none.
Resolver = Callable[[str, int], list[str]]

_CONNECT_TIMEOUT = 10.0  # seconds for one address; the next one may answer


class FetchRefused(Exception):
    """We do not talk to this URL, now or later. The message is a sentence for its sender."""


class FetchFailed(Exception):
    """The server could not be talked to this time; a later attempt may succeed."""


def ssl_context() -> ssl.SSLContext:
    """What certificates are checked against. Costs some milliseconds: one for many connections."""
    # trust_env=False: a variable must not lead us to other certificates, as none leads us to a proxy.
    return httpx.create_ssl_context(trust_env=False)


def checked(url: str, *, allow_http: bool, allow_private: bool) -> Target:
    """The URL in parts. Raises FetchRefused."""
    try:
        return target(url, allow_http=allow_http, allow_private=allow_private)
    except UnfitURL as error:
        raise FetchRefused(str(error)) from error


def redirected(url: str, location: str) -> str:
    """Where `location`, in an answer of `url`, leads. Raises FetchRefused."""
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchRefused("This URL redirects to something that is no URL.") from error


@contextmanager
def pool(guard: Guard, context: ssl.SSLContext | None) -> Iterator[httpcore.ConnectionPool]:
    """Connections made by `guard`. httpcore, the layer below httpx, follows no redirect, keeps no cookie,
    reads no environment (a proxy would resolve the name itself, out of our sight) and decodes no body."""
    with httpcore.ConnectionPool(
        ssl_context=context or ssl_context(), network_backend=guard, retries=0
    ) as made:
        yield made


@contextmanager
def request(
    pool: httpcore.ConnectionPool,
    method: str,
    to: Target,
    headers: dict[str, str],
    deadline: float,
    content: bytes | None = None,
) -> Iterator[tuple[int, dict[bytes, str], Iterable[bytes]]]:
    """One request: status, header fields (names in lower case) and body of the answer.

    Raises FetchFailed and FetchRefused, also while the body is read.
    """
    name = f"[{to.host}]" if ":" in to.host else to.host
    left = max(deadline - time.monotonic(), 0.001)
    url = httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=to.path)
    fields = {
        "Host": name if to.port == DEFAULT_PORTS[to.scheme] else f"{name}:{to.port}",
        "User-Agent": "atelier",
        "Connection": "close",
        **headers,
    }
    try:
        with pool.stream(
            method,
            url,
            headers=list(fields.items()),
            content=content,
            extensions={"timeout": {"connect": left, "read": left, "write": left, "pool": left}},
        ) as answer:
            found = {key.lower(): value.decode("latin-1") for key, value in answer.headers}
            yield answer.status, found, answer.iter_stream()
    except httpcore.ConnectError as error:
        raise FetchFailed("The server could not be reached.") from error
    except httpcore.TimeoutException as error:
        raise FetchFailed("The server took too long.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise FetchFailed("The server broke off, or did not speak HTTP.") from error
    except httpcore.UnsupportedProtocol as error:
        raise FetchRefused("This URL cannot be used.") from error


def resolve(host: str, port: int) -> list[str]:
    """The system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard(httpcore.NetworkBackend):
    """Connects to checked addresses only, and to nothing after the deadline."""

    def __init__(self, allow_private: bool, deadline: float, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or resolve
        self._allow_private = allow_private
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline rules
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._look_up(host, port)
        # Any private one refuses all: who answers with a mixture is probing, or is misconfigured.
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise FetchRefused("This URL leads into a private network.")
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            patience = min(_left(self._deadline, httpcore.ConnectTimeout), _CONNECT_TIMEOUT)
            try:
                stream = self._backend.connect_tcp(address, port, patience, local_address, socket_options)
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:  # noqa: ARG002  never called
        raise FetchRefused("This URL cannot be used.")

    def _look_up(self, host: str, port: int) -> list[str]:
        """Numeric addresses of `host`: in a thread of its own, for getaddrinfo knows no time limit."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            pass  # a name
        answer: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answer.put(self._resolver(host, port))
            except (OSError, UnicodeError) as error:  # UnicodeError: a label too long for DNS
                answer.put(error)

        threading.Thread(target=look_up, daemon=True).start()
        try:
            found = answer.get(timeout=_left(self._deadline, httpcore.ConnectTimeout))
        except queue.Empty:
            raise FetchFailed("The host name could not be looked up in time.") from None
        if isinstance(found, UnicodeError):
            raise FetchRefused("This URL has no valid host name.") from found
        if isinstance(found, OSError) or not found:
            raise FetchFailed("The host name of this URL could not be found.")
        return found


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline: a byte a second is not progress."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  as above
        return self._stream.read(max_bytes, _left(self._deadline, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  as above
        self._stream.write(buffer, _left(self._deadline, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  as above
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, httpcore.ConnectTimeout)
        try:
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)
        except httpcore.ConnectError as error:
            # Told apart here: the pool above drops the cause.
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise FetchRefused("The server's certificate is not valid for this URL.") from error
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, late: type[httpcore.TimeoutException]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late
    return left
