# ruff: noqa: E501  a change reads best on one line
"""Entries that are nobody's: one for each way in which providers differ, so that the contract is tried on all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from providers.catalogue import Entry, read_entry

Changes: TypeAlias = Mapping[str, str]  # text of BASE → what stands there instead

BASE = """
name = "shape"
title = "Shape"
protocol = "oauth2"
sector = "other"
issuer = "https://login.shape.example"
authorization_endpoint = "https://login.shape.example/authorize"
token_endpoint = "https://login.shape.example/token"
revocation_endpoint = "https://login.shape.example/revoke"
userinfo_endpoint = "https://api.shape.example/me"
scope_separator = " "
pkce = "required"
revocation_scope = "grant"
code_lifetime_s = 60
default_scopes = ["me", "mail"]
capabilities = ["authorise", "refresh", "revoke", "import_profile"]
verified_on = "2026-11-22"
sources = ["https://shape.example/docs", "https://other.example/shape"]

[token]
authentication = ["client_secret_basic"]

[refresh]
model = "rotating"

[registration]
url = "https://shape.example/apps"

[profile]
subject = "id"
ignored = ["kind"]

[profile.claims]
name = "display_name"
email = "mail"

[scopes.me]
words = "Your name"
imports = ["profile"]

[scopes.mail]
words = "Your address"
imports = ["contact"]
"""
_NO_REVOKE = {
    '"refresh", "revoke", ': '"refresh", ',
    'revocation_endpoint = "https://login.shape.example/revoke"\n': "",
    'revocation_scope = "grant"': 'revocation_scope = "none"',
    "[scopes.me]": '[lacks]\nrevoke = "There is no way."\n\n[scopes.me]',
}

SHAPES: Mapping[str, Changes] = {
    "by the book": {},
    "commas": {'scope_separator = " "': 'scope_separator = ","'},
    "commas there, spaces back": {
        'scope_separator = " "': 'scope_separator = ","',
        "[token]": '[token]\nscope_separator = " "',
    },
    "secret in the body": {"client_secret_basic": "client_secret_post"},
    "a public client": {"client_secret_basic": "none"},
    "JSON to the token endpoint": {"[token]": '[token]\nbody = "json"'},
    "form-encoded answers": {"[token]": '[token]\nanswer = "form"'},
    "either answer": {"[token]": '[token]\nanswer = "json_or_form"'},
    "no PKCE": {'pkce = "required"': 'pkce = "none"'},
    "offline by a parameter": {"[token]": '[authorization.parameters]\naccess_type = "offline"\n\n[token]'},
    "pushed requests": {
        "scope_separator =": 'pushed_authorization_request_endpoint = "https://login.shape.example/par"\nscope_separator ='
    },
    "other names for the client": {
        "scope_separator =": 'client_id_parameter = "client_key"\nclient_secret_parameter = "key"\nscope_separator =',
        "client_secret_basic": "client_secret_post",
    },
    "a nested token": {
        "[refresh]": '[token.fields]\naccess_token = "authed_user.access_token"\nscope = "authed_user.scope"\n\n[refresh]',
        "[token]": '[authorization]\nscope_parameter = "user_scope"\n\n[token]\ntoken_types = ["user", ""]',
        "[scopes.me]": '[errors]\nwith_status_200 = true\nok = "ok"\ngone = ["token_revoked"]\nlater = ["ratelimited"]\n\n[scopes.me]',
    },
    "numbers for errors": {
        "[scopes.me]": '[errors]\npath = "meta.code"\ngone = ["190"]\nlater = ["4", "17"]\nmisconfigured = ["101"]\ndenied = ["200"]\ngone_statuses = [403]\n\n[scopes.me]',
    },
    "a number that is not 0": {
        "[scopes.me]": '[errors]\npath = "errcode"\nok = "errcode"\nwith_status_200 = true\ngone = ["40001"]\nlater = ["-1"]\n\n[scopes.me]',
    },
    "a reusable refresh token at an endpoint of its own": {
        'model = "rotating"': 'model = "reusable"\nendpoint = "https://login.shape.example/refresh"\nneeds_scope = "me"\n\n[refresh.parameters]\nredirect_uri = "{redirect_uri}"',
    },
    "no refresh": {
        '"refresh", "revoke"': '"revoke"',
        'model = "rotating"': 'model = "none"',
        "[scopes.me]": '[lacks]\nrefresh = "Tokens do not expire."\n\n[scopes.me]',
    },
    "no revocation": _NO_REVOKE,
    "DELETE with the client's Basic and the token in JSON": {
        "[scopes.me]": '[revocation]\nmethod = "DELETE"\nbody = "json"\ntoken = "access"\ntoken_parameter = "access_token"\ntoken_type_hint = false\ngone_statuses = [404]\n\n[scopes.me]',
    },
    "revocation by the bearer alone": {
        "[scopes.me]": '[revocation]\nbody = "none"\nauthentication = "bearer"\ntoken_parameter = ""\ntoken = "access"\n\n[scopes.me]',
    },
    "revocation by nobody, one token after the other": {
        "[scopes.me]": '[revocation]\nauthentication = "none"\ntoken = "each"\ntoken_type_hint = false\n\n[scopes.me]',
    },
    "revocation with the client in the body": {
        "[scopes.me]": '[revocation]\nauthentication = "client_in_body"\n\n[scopes.me]',
    },
    "GraphQL": {
        "[profile]": '[profile]\nmethod = "POST"\nquery = "{ viewer { id display_name mail } }"\nroot = "data.viewer"',
        "[scopes.me]": '[profile.headers]\nApi-Version = "2026-01"\nClient-Id = "{client_id}"\n\n[scopes.me]',
    },
    "lists and filters": {
        'name = "display_name"\nemail = "mail"': 'name = "names.0.text"\nemail = "emails.[primary=true].value"\nemail_verified = "emails.[primary=true].ok"\npicture = "photos.1"\nphone_number = "phone"\nlocation = "city"\norganization = "work.name"\njob_title = "work.role"\nbio = "about"\nbirthdate = "born"',
    },
    "a verified address by promise": {'email = "mail"': 'email = "mail"\nemail_verified = true'},
    "an answer in a list": {"[profile]": '[profile]\nroot = "data.0"'},
    "addresses apart": {
        'email = "mail"\n': "",
        "[scopes.me]": '[[profile.also]]\nendpoint = "https://api.shape.example/me/emails"\nroot = "values"\nscope = "mail"\nclaims = { email = "[primary=true].email", email_verified = "[primary=true].confirmed" }\n\n[scopes.me]',
    },
    "another scheme": {"[profile]": '[profile]\nscheme = "OAuth"'},
    "another header": {"[profile]": '[profile]\nscheme = ""\ntoken_header = "X-Access-Token"'},
    "the account in the token answer": {
        'userinfo_endpoint = "https://api.shape.example/me"\n': "",
        ', "import_profile"]': "]",
        "[profile]": '[profile]\nsource = "token"\nroot = "athlete"',
        "[scopes.me]": '[lacks]\nimport_profile = "There is nothing to read."\n\n[scopes.me]',
    },
    "no scopes": {
        'default_scopes = ["me", "mail"]': 'default_scopes = []\nimports_always = ["profile", "contact"]',
        '[scopes.me]\nwords = "Your name"\nimports = ["profile"]\n\n[scopes.mail]\nwords = "Your address"\nimports = ["contact"]\n': "",
    },
    "a reset header": {
        "[scopes.me]": '[limits]\nheaders = ["x-ratelimit-reset"]\nreset_header = "x-ratelimit-reset"\nreset_is = "epoch_s"\n\n[scopes.me]',
    },
    "each customer's host": {
        "login.shape.example": "{domain}.shape.example",
        "api.shape.example": "{domain}.shape.example",
        "[scopes.me]": '[parameters.domain]\nwords = "The first part of the host."\npattern = "[a-z0-9][a-z0-9-]{0,61}"\nexample = "acme"\n\n[scopes.me]',
    },
    "apps that register themselves": {'url = "https://shape.example/apps"': 'url = "https://shape.example/apps"\nendpoint = "https://login.shape.example/register"\nprotocol = "rfc7591"'},
    "apps that register themselves, by Mastodon's form": {'url = "https://shape.example/apps"': 'url = "https://shape.example/apps"\nendpoint = "https://login.shape.example/api/v1/apps"\nprotocol = "mastodon"'},
    "OpenID Connect": {
        'protocol = "oauth2"': 'protocol = "openid"',
        '["me", "mail"]': '["openid", "me", "mail"]',
        '[profile]\nsubject = "id"\nignored = ["kind"]\n\n[profile.claims]\nname = "display_name"\nemail = "mail"\n': "",
        "[scopes.me]": '[scopes.openid]\nwords = "Who you are"\n\n[scopes.me]',
    },
    "OpenID Connect of each customer, secret in the body, offline by a parameter": {
        'protocol = "oauth2"': 'protocol = "openid"',
        '["me", "mail"]': '["openid", "me", "mail"]',
        '[profile]\nsubject = "id"\nignored = ["kind"]\n\n[profile.claims]\nname = "display_name"\nemail = "mail"\n': "",
        "[scopes.me]": '[scopes.openid]\nwords = "Who you are"\n\n[parameters.tenant]\nwords = "The tenant."\npattern = "[a-z0-9][a-z0-9-]{0,61}"\nexample = "acme"\n\n[scopes.me]',
        '"https://login.shape.example': '"https://login.shape.example/{tenant}',
        "client_secret_basic": "client_secret_post",
        "[token]": '[authorization.parameters]\naccess_type = "offline"\n\n[token]',
    },
}  # fmt: skip


def text_of(changes: Changes) -> str:
    """The text of an entry: BASE with these changes, each of which must find its place."""
    text = BASE
    for old, new in changes.items():
        assert old in text, f"{old!r} is not there to be changed"
        text = text.replace(old, new, 1 if old.startswith("[") else -1)
    return text


def shaped(folder: Path, changes: Changes) -> Entry:
    """The entry, written to `folder` and read from there as any other."""
    path = folder / "shape.toml"
    path.write_text(text_of(changes))
    return read_entry(path)
