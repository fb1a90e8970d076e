from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.egress.rules import Refused, Rules, Target, as_literal, is_public

PRODUCTION = Rules()
DEVELOPMENT = Rules(development=True)

INSIDE = [
    "127.0.0.1", "127.8.9.10", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.8", "192.0.0.9", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.7", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:7f00:1", "5f00::1", "8000::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:4860::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_plainly_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(Refused, match="address_refused"):
        PRODUCTION.check(Target("https", "provider.example.com", 443), ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8", "fe80::1"])
def test_development_opens_loopback_and_nothing_else_by_http(address: str) -> None:
    with pytest.raises(Refused):
        DEVELOPMENT.check(Target("http", "localhost", 8080), ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_a_public_address_may_be_reached(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    PRODUCTION.check(Target("https", "provider.example.com", 443), ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_address_that_python_calls_private_is_public_here(address: ipaddress.IPv4Address) -> None:
    assert not (is_public(address) and not address.is_global)


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_hides_in_a_mapped_translated_or_tunnelled_one(inner: ipaddress.IPv4Address) -> None:
    value = int(inner)
    carriers = [
        (0xFFFF << 32) | value,
        value,
        (0x64FF9B << 96) | value,
        (0x2002 << 112) | (value << 80),
        (0x2606470000000000 << 64) | (0x5EFE << 32) | value,
    ]
    for carrier in carriers:
        assert not is_public(ipaddress.IPv6Address(carrier))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://provider.example.com/", "scheme_refused"),
        ("ftp://provider.example.com/", "scheme_refused"),
        ("gopher://provider.example.com/", "scheme_refused"),
        ("file:///etc/passwd", "scheme_refused"),
        ("//provider.example.com/", "scheme_refused"),
        ("https://ok@evil.example.com/", "userinfo_refused"),
        ("https://ok:pw@evil.example.com/", "userinfo_refused"),
        ("https://@evil.example.com/", "userinfo_refused"),
        ("https://ok.example.com#@evil.example.com/", "fragment_refused"),
        ("https://ok.example.com/#", "fragment_refused"),
        ("https://ok.example.com\\@evil.example.com/", "url_unsafe"),
        ("https://ok.example.com/ x", "url_unsafe"),
        ("https://ok.example.com/\r\nHost: evil", "url_unsafe"),
        ("https://ok.example.com/\x00", "url_unsafe"),
        ("https://\u24dbocalhost/", "url_unsafe"),
        ("https://ok.example\u3002com/", "url_unsafe"),
        ("https://ok.example.com/" + "a" * 9000, "url_unsafe"),
        ("https://ok.example.com:99999/", "url_unreadable"),
        ("https://[::1/", "url_unreadable"),
        ("https://ok.example.com:22/", "port_refused"),
        ("https://ok.example.com:80/", "port_refused"),
        ("https://ok.example.com:0/", "port_refused"),
        ("https://0/", "host_numeric"),
        ("https://127.1/", "host_numeric"),
        ("https://0x7f.1/", "host_numeric"),
        ("https://0x7f000001/", "host_numeric"),
        ("https://2130706433/", "host_numeric"),
        ("https://0177.0.0.1/", "host_numeric"),
        ("https://localhost/", "host_inside"),
        ("https://metadata/", "host_inside"),
        ("https://metadata.google.internal/", "host_inside"),
        ("https://printer.local/", "host_inside"),
        ("https://app.localhost/", "host_inside"),
        ("https://localhost./", "host_unreadable"),
        ("https://ok.example.com./", "host_unreadable"),
        ("https://[fe80::1%25eth0]/", "host_unreadable"),
        ("https:///nowhere", "host_unreadable"),
        ("https://%6c%6f/", "host_unreadable"),
    ],
)
def test_a_url_that_hides_where_it_leads_is_refused(url: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        PRODUCTION.target(url)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://provider.example.com/x?y=1", Target("https", "provider.example.com", 443)),
        ("https://Provider.Example.com:8443/", Target("https", "provider.example.com", 8443)),
        ("https://8.8.8.8/", Target("https", "8.8.8.8", 443)),
        ("https://[2606:4700::1]/", Target("https", "2606:4700::1", 443)),
        ("https://xn--bcher-kva.example/", Target("https", "xn--bcher-kva.example", 443)),
    ],
)
def test_a_plain_https_url_is_taken(url: str, target: Target) -> None:
    assert PRODUCTION.target(url) == target


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost:1234/x", "https://[::1]:9/"])
def test_loopback_on_any_port_is_for_development(url: str) -> None:
    assert DEVELOPMENT.target(url).port in {8080, 1234, 9}
    if "[" not in url:
        with pytest.raises(Refused):
            PRODUCTION.target(url)


def test_development_still_refuses_http_to_others() -> None:
    with pytest.raises(Refused, match="scheme_refused"):
        DEVELOPMENT.target("http://provider.example.com/")
    with pytest.raises(Refused, match="port_refused"):
        DEVELOPMENT.target("https://provider.example.com:8080/")


@given(st.text(max_size=60))
def test_no_text_makes_the_rules_stumble(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}.example.com/"):
        try:
            target = PRODUCTION.target(url)
        except Refused:
            continue
        assert target.scheme == "https"
        assert target.port in {443, 8443}
        assert as_literal(target.host) or "." in target.host
