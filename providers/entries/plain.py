"""What an entry must say when no Python stands behind it: the generic adapter knows nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from providers.entries.reading import Complaint
from providers.entries.values import Entry, Profile

SPOKEN = ("client_secret_basic", "client_secret_post", "none")  # what the generic adapter can do at token endpoints
CAN = ("authorise", "refresh", "revoke", "import_profile")
REFRESHABLE = ("reusable", "rotating", "fixed", "unknown")

_PATH = re.compile(r"(?:[^.\[\]]+|\[[^\]=]+=[^\]]+\])(?:\.(?:[^.\[\]]+|\[[^\]=]+=[^\]]+\]))*")
_OURS = frozenset(
    {"response_type", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method", "scope"}
    | {"code", "code_verifier", "grant_type", "refresh_token", "client_secret", "token", "access_token"}
)
_OUR_HEADERS = frozenset({"authorization", "content-type", "content-length", "host", "cookie", "accept-encoding"})
_MAX_ALSO = 2


def check_plain(entry: Entry) -> None:
    """Every rule for an entry without an adapter. Raises Complaint."""
    for word in entry.capabilities:
        if word not in CAN:
            raise Complaint(("capabilities",), f"{word} needs an adapter in Python; without one it must be left out.")
    for key in ("issuer", "authorization_endpoint", "token_endpoint"):
        if not getattr(entry, key):
            raise Complaint((key,), "must be said where there is no adapter.")
    _check_token(entry)
    _check_refresh(entry)
    _check_revocation(entry)
    _check_constants(entry)
    _check_errors(entry)
    (_check_openid if entry.protocol == "openid" else _check_oauth2)(entry)


def _check_token(entry: Entry) -> None:
    if entry.token.authentication and not set(entry.token.authentication) & set(SPOKEN):
        raise Complaint(("token", "authentication"), f"the generic adapter speaks {', '.join(SPOKEN)} only.")
    if entry.protocol == "oauth2" and not entry.token.authentication:
        raise Complaint(("token", "authentication"), "missing. Say how the client authenticates.")
    for name, path in entry.token.fields.items():
        _check_path(("token", "fields", name), path)
    for word in entry.token.token_types:
        if word != word.lower():
            raise Complaint(("token", "token_types"), "write them in lower case.")


def _check_refresh(entry: Entry) -> None:
    can = "refresh" in entry.capabilities
    if can and entry.refresh.model not in REFRESHABLE:
        raise Complaint(("refresh", "model"), f"{entry.refresh.model!r} cannot be refreshed without an adapter.")
    if not can and entry.refresh.model in {"reusable", "rotating", "fixed"}:
        raise Complaint(("capabilities",), f"refresh is missing, though its model is {entry.refresh.model}.")


def _check_revocation(entry: Entry) -> None:
    can, way = "revoke" in entry.capabilities, entry.revocation
    if can != bool(entry.revocation_endpoint):
        raise Complaint(("revocation_endpoint",), "belongs to the capability revoke, and that needs it.")
    if can == (entry.revocation_scope == "none"):
        raise Complaint(("revocation_scope",), "is none where, and only where, nothing can be revoked.")
    if (way.token_parameter == "" or way.body == "none") and way.authentication != "bearer":
        raise Complaint(("revocation", "authentication"), "a request that names no token must carry it as bearer.")
    if way.body == "none" and way.token_parameter:
        raise Complaint(("revocation", "token_parameter"), "a request without a body names no token; set it empty.")
    if way.method == "GET" and way.body != "none":
        raise Complaint(("revocation", "body"), "GET has none. A token in the URL is refused here.")


def _check_constants(entry: Entry) -> None:
    profile = entry.profile
    tables: Iterable[tuple[tuple[str, ...], Mapping[str, str]]] = (
        (("authorization", "parameters"), entry.authorization.parameters),
        (("token", "parameters"), entry.token.parameters),
        (("refresh", "parameters"), entry.refresh.parameters),
        (("revocation", "parameters"), entry.revocation.parameters),
        (("profile", "parameters"), profile.parameters if profile else {}),
    )
    for path, table in tables:
        for name, value in table.items():
            if name in _OURS and not (path[0] == "refresh" and value == "{redirect_uri}"):
                raise Complaint((*path, name), "is ours to say.")
            _check_value((*path, name), value)
    headers = (
        (("token", "headers"), entry.token.headers),
        (("profile", "headers"), profile.headers if profile else {}),
    )
    for path, table in headers:
        for name, value in table.items():
            if name.lower() in _OUR_HEADERS:
                raise Complaint((*path, name), "is ours to say.")
            _check_value((*path, name), value)


def _check_value(path: tuple[str, ...], value: str) -> None:
    if not value.isprintable():
        raise Complaint(path, "must be printable.")
    for name in re.findall(r"\{(\w+)\}", value):
        if name not in {"client_id", "redirect_uri"}:
            raise Complaint(path, f"{{{name}}} cannot be filled in; there are client_id and redirect_uri.")


def _check_errors(entry: Entry) -> None:
    errors = entry.errors
    _check_path(("errors", "path"), errors.path)
    if errors.ok:
        _check_path(("errors", "ok"), errors.ok)
    seen: set[str] = set()
    for name in ("gone", "later", "misconfigured", "denied"):
        for code in getattr(errors, name):
            if code in seen:
                raise Complaint(("errors", name), f"{code!r} is listed twice; it can mean one thing only.")
            seen.add(code)


def _check_openid(entry: Entry) -> None:
    if "openid" not in entry.default_scopes:
        raise Complaint(("default_scopes",), "OpenID Connect needs the scope openid.")
    if entry.profile is not None:
        raise Complaint(("profile",), "OpenID Connect says it by its standard claims; remove the table.")
    if entry.scope_separator != " ":
        raise Complaint(("scope_separator",), "OpenID Connect parts scopes by a space.")
    if entry.token.authentication and not set(entry.token.authentication) & set(SPOKEN[:2]):
        raise Complaint(("token", "authentication"), f"with OpenID Connect we speak {' and '.join(SPOKEN[:2])}.")


def _check_oauth2(entry: Entry) -> None:
    profile = entry.profile
    if profile is None:
        raise Complaint(
            ("profile",), "missing. Say where the account's identifier is, or nobody knows whose grant it is."
        )
    if profile.source == "userinfo" and not entry.userinfo_endpoint:
        raise Complaint(("userinfo_endpoint",), "missing, though the account is said there.")
    if "import_profile" in entry.capabilities:
        if profile.source != "userinfo":
            raise Complaint(("capabilities",), "import_profile needs an address to read it from, not the token answer.")
        if not profile.claims:
            raise Complaint(("profile", "claims"), "missing. import_profile needs something to import.")
    _check_profile(entry, profile)


def _check_profile(entry: Entry, profile: Profile) -> None:
    for path, text in ((("profile", "root"), profile.root), (("profile", "subject"), profile.subject)):
        if text or path[-1] == "subject":
            _check_path(path, text)
    _check_claims(("profile", "claims"), profile.claims)
    read = {first_name(path) for path in (profile.subject, *profile.claims.values()) if isinstance(path, str)}
    if both := sorted(read & set(profile.ignored)):
        raise Complaint(("profile", "ignored"), f"{both[0]!r} is read by a path, so it is not ignored.")
    if profile.query and profile.method != "POST":
        raise Complaint(("profile", "method"), "GraphQL is sent with POST.")
    if len(profile.also) > _MAX_ALSO:
        raise Complaint(("profile", "also"), f"at most {_MAX_ALSO}; more needs an adapter.")
    for number, also in enumerate(profile.also):
        _check_claims(("profile", "also", str(number), "claims"), also.claims)
        if also.scope and also.scope not in entry.scopes:
            raise Complaint(("profile", "also", str(number), "scope"), f"{also.scope!r} is no scope of this entry.")


def _check_claims(path: tuple[str, ...], claims: Mapping[str, str | bool]) -> None:
    for claim, where in claims.items():
        if isinstance(where, str):
            _check_path((*path, claim), where)
        elif claim != "email_verified":
            raise Complaint((*path, claim), "must be a path in the answer.")


def first_name(path: str) -> str:
    """The first step of a path where it is a name: what its value stands under in the answer."""
    return "" if path.startswith("[") else path.split(".", 1)[0]


def _check_path(path: tuple[str, ...], text: str) -> None:
    if not _PATH.fullmatch(text):
        raise Complaint(path, "is no path: names parted by dots, numbers, or [key=value].")
