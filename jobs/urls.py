"""Strangers' URLs: which of them we would connect to at all, before any name is looked up.

For jobs whose inputs are URLs, and for webhooks. What a name leads to,
`workers.outbound` checks as it connects.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_URL = 8192

_NAMES_A_USER = re.compile(r"[^/?#]*//[^/?#]*@")

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
#: IPv6 ranges that stand for IPv4 addresses, private ones included, or that are no place to talk to.
_IPV6_FORBIDDEN = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
]


class UnfitURL(ValueError):
    """This URL is not one to connect to. The message is a sentence for its sender."""


@dataclass(frozen=True)
class Target:
    """A URL in parts, as a request needs them."""

    scheme: str
    #: Lower case, and in ASCII; without the brackets of an IPv6 address.
    host: str
    port: int
    #: Path and query.
    path: bytes


def is_public(address: str) -> bool:
    """Whether a numeric address belongs to the public internet, unambiguously."""
    try:
        ip: Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        # Mapped, NAT64 and other embedded IPv4 addresses all lie outside 2000::/3, or are listed.
        return ip.scope_id is None and ip in _IPV6_PUBLIC and not any(ip in n for n in _IPV6_FORBIDDEN)
    return not any(ip in network for network in _FORBIDDEN)


def target(url: str, *, allow_http: bool = False, allow_private: bool = False) -> Target:
    """The URL in parts, once everything but its addresses was found to be in order. Raises UnfitURL."""
    if len(url) > MAX_URL:
        raise UnfitURL("This URL is too long.")
    try:
        parts = httpx.URL(url)
        host = parts.raw_host.decode("ascii")
        path = parts.raw_path
    except (httpx.InvalidURL, ValueError) as error:
        raise UnfitURL("This is not a valid URL.") from error
    if parts.scheme not in DEFAULT_PORTS or (parts.scheme == "http" and not allow_http):
        raise UnfitURL("Only https: URLs are allowed.")
    # An empty one, as in https://@host, is dropped before it could be seen in the parts.
    if parts.userinfo or _NAMES_A_USER.match(url):
        raise UnfitURL("A URL with a user name or password in it is not allowed.")
    _check_host(host)
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    if not 0 < port < 65536:
        raise UnfitURL("This URL has no valid port.")
    if port < 1024 and port not in DEFAULT_PORTS.values() and not allow_private:
        raise UnfitURL("This URL names a port that is not a web server's.")  # mail, SSH, ...
    return Target(parts.scheme, host, port, path)


def _check_host(host: str) -> None:
    if not host or re.search(r"[^A-Za-z0-9._:-]", host):
        raise UnfitURL("This URL has no valid host name.")
    last = host.rstrip(".").rsplit(".", 1)[-1]
    if ":" not in host and re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", last):
        # 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to some resolver. Nobody honest writes them.
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise UnfitURL("This URL has an address in an unusual spelling.") from error
