"""The addresses of an entry: https, whole, and with no part that a customer's own value could bend.

An endpoint may hold `{parameter}`, such as the first label of each customer's host. The value comes from outside, so
what may stand there is as narrow as the entry's pattern, and the pattern itself is tried with values that would break
out of their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from providers.entries.reading import Complaint
from providers.entries.values import Entry, Parameter

MAX_VALUE = 253  # characters; the longest host name, RFC 1035 section 3.1

_PLACE = re.compile(r"\{([a-z_]+)\}")
_BREAKS_OUT = (  # what no customer's own part of an address may be
    "", " ", "a b", "a/b", "a\\b", "a:1", "a@b", "a?b", "a#b", "a%2eb", "a%", "..", "a..b", ".a", "a.", "a\nb", "a\n",
    "a{b}", "ä", "a;b", "a&b", "[::1]",
)  # fmt: skip
_SHARED_HOSTS: Mapping[str, int] = {  # hosts of many owners: how many path segments name one
    "github.com": 1,
    "raw.githubusercontent.com": 1,
    "gist.github.com": 1,
    "gitlab.com": 1,
    "bitbucket.org": 1,
    "pkg.go.dev": 3,
    "docs.rs": 1,
}
_SHARED_DOMAINS = frozenset({"github.io", "gitlab.io", "readthedocs.io", "gitbook.io", "readme.io", "blogspot.com"})
_SHORT = 2
_OWNED = 2  # labels of a domain that somebody owns: zendesk and com


def check_endpoint(entry: Entry, path: tuple[str, ...], address: str) -> None:
    """An endpoint as an entry may name it; "" is none. Raises Complaint."""
    if not address:
        return
    allowed = {*entry.parameters, *({"client_id"} if path == ("revocation_endpoint",) else ())}
    for name in places(address):
        if name not in allowed:
            raise Complaint(path, f"{{{name}}} is no parameter; add a table [parameters.{name}].")
    filled = fill(address, {name: one.example for name, one in entry.parameters.items()} | {"client_id": "id"})
    check_web_address(path, filled)
    if "?" in address or "#" in address:
        raise Complaint(path, "must have neither query nor fragment; constant parameters have tables of their own.")


def check_web_address(path: tuple[str, ...], address: str) -> None:
    """An https address with a public name; "" is none. Raises Complaint."""
    if not address:
        return
    parts = urlsplit(address)
    usable = (
        parts.scheme == "https" and "." in (parts.hostname or "") and "@" not in parts.netloc and "{" not in address
    )
    if not usable or not address.isascii() or not address.isprintable() or " " in address:
        raise Complaint(path, "must be an https address, or empty.")


def check_parameters(entry: Entry) -> None:
    """Every parameter is used, and its pattern lets nothing break out of its place. Raises Complaint."""
    endpoints = (
        entry.issuer,
        entry.authorization_endpoint,
        entry.token_endpoint,
        entry.revocation_endpoint,
        entry.userinfo_endpoint,
        entry.pushed_authorization_request_endpoint,
        entry.introspection_endpoint,
    )
    used = {name for endpoint in endpoints for name in places(endpoint)}
    for name, one in entry.parameters.items():
        if name not in used:
            raise Complaint(("parameters", name), "is used in no address.")
        in_host = any(f"{{{name}}}" in (urlsplit(endpoint).netloc or "") for endpoint in endpoints)
        _check_pattern(("parameters", name), one, in_host=in_host)
        _check_issuer(entry, name)
        _check_owner(("parameters", name), one, endpoints)


def _check_issuer(entry: Entry, name: str) -> None:
    """Where each customer has a host, each has accounts of its own: number 1 of one is not number 1 of another."""
    answering = (entry.token_endpoint, entry.userinfo_endpoint)
    if any(name in places(urlsplit(address).netloc) for address in answering) and name not in places(entry.issuer):
        raise Complaint(("issuer",), f"must hold {{{name}}}: accounts of two hosts would be taken for one another's.")


def _check_owner(path: tuple[str, ...], one: Parameter, endpoints: Iterable[str]) -> None:
    """A label stands below a domain that is the provider's; what is registered by anybody is chosen from a list."""
    place, chosen = "{" + path[-1] + "}", re.fullmatch(r"\(?[a-z.]+(\|[a-z.]+)*\)?", one.pattern)
    for endpoint in endpoints:
        host = urlsplit(endpoint).netloc
        fixed = host.rpartition(place)[2].strip(".").split(".") if place in host else []
        if place in host and one.kind == "label" and len(fixed) < _OWNED and not chosen:
            raise Complaint(
                (*path, "pattern"), "lets anybody's domain stand there; list the possible values: (com|eu)."
            )


def _check_pattern(path: tuple[str, ...], one: Parameter, *, in_host: bool) -> None:
    try:
        pattern = re.compile(one.pattern)
    except re.error:
        raise Complaint((*path, "pattern"), "is no regular expression.") from None
    for key, value in (("example", one.example), ("default", one.default)):
        if (value or key == "example") and not pattern.fullmatch(value):
            raise Complaint((*path, key), "does not match the pattern.")
    bad = [*_BREAKS_OUT, *(["a.b", "example.org"] if one.kind == "label" else []), *(["ACME"] if in_host else [])]
    for value in bad:
        if pattern.fullmatch(value):
            raise Complaint((*path, "pattern"), f"takes {value!r}, which would lead somewhere else. Make it narrower.")


def places(address: str) -> tuple[str, ...]:
    """The names in braces."""
    return tuple(_PLACE.findall(address))


def fill(address: str, values: Mapping[str, str]) -> str:
    """The address with its places filled; one without a value stays as it is."""
    return _PLACE.sub(lambda found: values.get(found.group(1), found.group(0)), address)


def fits(one: Parameter, value: str) -> bool:
    """Whether a value may stand in its place. A host is a name: an address in numbers is nobody's to be named by."""
    if len(value) > MAX_VALUE or re.fullmatch(one.pattern, value) is None:
        return False
    return one.kind == "label" or not re.search(r"(^|\.)(0x)?[0-9]+$", value)


def independent(sources: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Who speaks in these addresses: domains, or owners where a host has many.

    A domain is the last two labels of a host, or three under a short public suffix such as co.uk.
    """
    found = set()
    for address in sources:
        parts = urlsplit(address)
        labels = (parts.hostname or "").split(".")
        if ".".join(labels) in _SHARED_HOSTS:
            owner = parts.path.lower().strip("/").split("/")[: _SHARED_HOSTS[".".join(labels)]]
        elif ".".join(labels[-2:]) in _SHARED_DOMAINS:
            labels, owner = labels[-3:], []
        else:
            short = len(labels) > _SHORT and len(labels[-2]) <= _SHORT and len(labels[-1]) == _SHORT
            labels, owner = labels[-3:] if short else labels[-2:], []
        found.add((".".join(labels), *owner))
    return frozenset(found)
