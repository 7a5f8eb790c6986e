"""Strangers' URLs: which addresses are public, and which URLs are plain."""

from __future__ import annotations

import ipaddress

import pytest

from jobs.urls import MAX_URL, Target, UnfitURL, is_public, target

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "0.1.2.3",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "5f00::1", "3fff::1", "::ffff:0:127.0.0.1",
    "fe80::1%1", "2606:4700::1%1", "not an address", "", "127.1", "0x7f.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("family", [ipaddress.IPv4Network, ipaddress.IPv6Network])
def test_no_private_network_is_public_anywhere_in_it(family: type) -> None:
    networks = {
        ipaddress.IPv4Network: [
            "10.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "100.64.0.0/10",
            "224.0.0.0/4",
        ],
        ipaddress.IPv6Network: ["::/8", "64:ff9b::/96", "fc00::/7", "fe80::/10", "ff00::/8", "2002::/16"],
    }[family]
    for text in networks:
        network = family(text)
        assert not is_public(str(network[0]))
        assert not is_public(str(network[-1]))
        assert not is_public(str(network[network.num_addresses // 3]))


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Example.COM", Target("https", "example.com", 443, b"/")),
        ("https://example.com:8443/a%20b?c=d", Target("https", "example.com", 8443, b"/a%20b?c=d")),
        ("https://example.com/a#b", Target("https", "example.com", 443, b"/a")),
        ("https://[2606:4700::1]:443/", Target("https", "2606:4700::1", 443, b"/")),
        ("https://ex\u00e4mple.com/", Target("https", "xn--exmple-cua.com", 443, b"/")),
        ("https://example.com:80/", Target("https", "example.com", 80, b"/")),
    ],
    ids=["name", "port", "fragment", "ipv6", "idna", "web-port"],
)
def test_a_url_in_parts(url: str, found: Target) -> None:
    assert target(url) == found


def test_what_an_operator_may_allow_is_refused_otherwise() -> None:
    with pytest.raises(UnfitURL, match="https"):
        target("http://example.com/")
    assert target("http://example.com/", allow_http=True).port == 80
    with pytest.raises(UnfitURL, match="port"):
        target("https://example.com:81/", allow_http=True)
    assert target("https://example.com:81/", allow_private=True).port == 81


@pytest.mark.parametrize(
    "url", ["https://@example.com/", "https://:@example.com/", "https://a@b@example.com/"]
)
def test_no_user_is_in_it_not_even_an_empty_one(url: str) -> None:
    with pytest.raises(UnfitURL, match="user name"):
        target(url, allow_private=True)


def test_it_has_an_end() -> None:
    start = "https://example.com/"
    assert target(start + "a" * (MAX_URL - len(start)))
    with pytest.raises(UnfitURL, match="too long"):
        target(start + "a" * (MAX_URL - len(start) + 1))


@pytest.mark.parametrize("host", ["a_b.example", "example.com."])
def test_a_host_is_as_it_is_written(host: str) -> None:
    assert target(f"https://{host}/").host == host
