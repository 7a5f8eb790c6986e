"""Fetching a job's URL inputs: the one place where a stranger's URL makes a worker open a connection.

The host name is resolved, the addresses are checked and one of them is connected to in a single step
(`_Guard.connect_tcp`), for the first request as for every redirect. So there is no second look-up that a
hostile name server could answer differently, and no spelling of an address that the check and the connection
could read differently. TLS still verifies the certificate for the name in the URL.
"""

from __future__ import annotations

import ipaddress
import os
import queue
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import httpcore
import httpx

#: Host name and port to numeric addresses; raises OSError when there are none.
Resolver = Callable[[str, int], list[str]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_REDIRECTS = 5
_CONNECT_TIMEOUT = 10.0  # seconds for one address; the next one may answer
_CHUNK = 64 * 1024
_MAX_URL = 8192

#: The public internet, less what `is_global` leaves in it or what Python's versions disagree about.
_FORBIDDEN = [
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, and Alibaba's metadata service
        "168.63.129.16/32",  # Azure's metadata and DNS, on a public address
        "192.0.0.0/24",  # protocol assignments, and Oracle's metadata service
        "192.88.99.0/24",  # 6to4 relays
    )
]
_IPV6_PUBLIC = ipaddress.ip_network("2000::/3")
#: IPv6 ranges that stand for IPv4 addresses, private ones included, or that are no place to fetch from.
_IPV6_FORBIDDEN = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
]


class FetchRefused(Exception):
    """This URL will not be fetched, now or later. The message is a sentence for its sender."""


class FetchFailed(Exception):
    """The URL could not be fetched this time; a later attempt may succeed."""


def is_public(address: str) -> bool:
    """Whether a numeric address belongs to the public internet, unambiguously."""
    try:
        ip: _Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # Mapped, NAT64 and other embedded IPv4 addresses all lie outside 2000::/3, or are listed.
        return ip.scope_id is None and ip in _IPV6_PUBLIC and not any(ip in n for n in _IPV6_FORBIDDEN)
    return not any(ip in network for network in _FORBIDDEN)


def fetch(
    url: str,
    destination: Path,
    *,
    max_bytes: int,
    timeout: float,
    allow_private: bool = False,
    allow_http: bool = False,
    resolver: Resolver | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Write what `url` answers to `destination`, which appears whole or not at all.

    `max_bytes` bounds the body and `timeout` is seconds for everything together, redirects included. Only
    https is fetched (and http, with `allow_http`), and only from public addresses, unless `allow_private`
    says that the fleet's own network may be reached.

    Raises FetchRefused (permanent), FetchFailed (passing), and OSError when `destination` cannot be written.
    """
    deadline = time.monotonic() + timeout
    guard = _Guard(resolver or _resolve, allow_private, deadline)
    temporary = destination.with_name(f"{destination.name}.{uuid.uuid4().hex}.part")
    try:
        # trust_env=False: a proxy would resolve the name itself, out of our sight. httpcore, the layer below
        # httpx, follows no redirect, keeps no cookie, reads no environment and decodes no body.
        context = ssl_context or httpx.create_ssl_context(trust_env=False)
        with httpcore.ConnectionPool(ssl_context=context, network_backend=guard, retries=0) as pool:
            for _ in range(_MAX_REDIRECTS + 1):
                location = _request(
                    pool, _check_url(url, allow_http, allow_private), temporary, max_bytes, deadline
                )
                if location is None:
                    os.replace(temporary, destination)
                    return
                try:
                    url = str(httpx.URL(url).join(location))
                except (httpx.InvalidURL, UnicodeError, ValueError) as error:
                    raise FetchRefused("This URL redirects to something that is no URL.") from error
        raise FetchRefused(f"This URL redirects more than {_MAX_REDIRECTS} times.")
    finally:
        temporary.unlink(missing_ok=True)


def _check_url(url: str, allow_http: bool, allow_private: bool) -> httpcore.URL:
    """The URL in parts, once everything but its addresses was found to be in order."""
    try:
        if len(url) > _MAX_URL:
            raise FetchRefused("This URL is too long.")
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchRefused("This is not a valid URL.") from error
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allow_http):
        raise FetchRefused("Only https: URLs are fetched.")
    if parts.userinfo:
        raise FetchRefused("A URL with a user name or password in it is not fetched.")
    if not host or re.search(r"[^A-Za-z0-9._:-]", host):
        raise FetchRefused("This URL has no valid host name.")
    last = host.rstrip(".").rsplit(".", 1)[-1]
    if ":" not in host and re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", last):
        # 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to some resolver. Nobody honest writes them.
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise FetchRefused("This URL has an address in an unusual spelling.") from error
    port = {"https": 443, "http": 80}[parts.scheme] if parts.port is None else parts.port
    if not 0 < port < 65536:
        raise FetchRefused("This URL has no valid port.")
    if port < 1024 and port not in (80, 443) and not allow_private:
        raise FetchRefused("This URL names a port that is not a web server's.")  # mail, SSH, ...
    return httpcore.URL(scheme=parts.raw_scheme, host=parts.raw_host, port=port, target=parts.raw_path)


def _request(
    pool: httpcore.ConnectionPool, url: httpcore.URL, temporary: Path, max_bytes: int, deadline: float
) -> str | None:
    """One GET, its body into `temporary`; returns where it redirects to, if it does."""
    default = {b"https": 443, b"http": 80}[url.scheme]
    name = b"[" + url.host + b"]" if b":" in url.host else url.host
    headers: dict[bytes | str, bytes | str] = {
        "Host": name if url.port in (None, default) else b"%b:%d" % (name, url.port),
        "Accept": "image/*, */*;q=0.5",
        "Accept-Encoding": "identity",  # compressed bytes have no honest size
        "User-Agent": "atelier",
        "Connection": "close",
    }
    left = max(deadline - time.monotonic(), 0.001)
    timeouts = {"connect": left, "read": left, "write": left, "pool": left}
    try:
        with pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as response:
            fields = {key.lower(): value.decode("latin-1") for key, value in response.headers}
            if response.status in (301, 302, 303, 307, 308) and b"location" in fields:
                return fields[b"location"]
            _check_answer(response.status, fields, max_bytes)
            _save(response.iter_stream(), temporary, max_bytes)
    except httpcore.ConnectError as error:
        raise FetchFailed("The server could not be reached.") from error
    except httpcore.TimeoutException as error:
        raise FetchFailed("The server took too long.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise FetchFailed("The server broke off, or did not speak HTTP.") from error
    except httpcore.UnsupportedProtocol as error:
        raise FetchRefused("This URL cannot be fetched.") from error
    return None


def _check_answer(status: int, fields: dict[bytes, str], max_bytes: int) -> None:
    """Raise unless the answer's head promises a body that we want."""
    if status >= 500 or status in (408, 425, 429):  # the server asks for patience
        raise FetchFailed(f"The server answered {status}.")
    if status != 200:
        raise FetchRefused(f"The server answered {status}. Check the URL, and that it needs no login.")
    if fields.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise FetchRefused("The server sent compressed data although it was asked not to.")
    length = fields.get(b"content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        _too_large(max_bytes)


def _save(chunks: Iterable[bytes], temporary: Path, max_bytes: int) -> None:
    size = 0
    with temporary.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                _too_large(max_bytes)
            file.write(chunk)


def _too_large(max_bytes: int) -> NoReturn:
    raise FetchRefused(f"The file is larger than {max_bytes / 1e6:g} MB.")


def _resolve(host: str, port: int) -> list[str]:
    """The system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Guard(httpcore.NetworkBackend):
    """Connects to checked addresses only, and to nothing after the deadline."""

    def __init__(self, resolver: Resolver, allow_private: bool, deadline: float) -> None:
        self._resolver = resolver
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
        raise FetchRefused("This URL cannot be fetched.")

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
