"""Reading an authorization request: who asks, where the answer goes, and what for. No I/O but the reads it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from connector import connections, people
from connector.authorizations import AuthorizationRequest, Kind
from connector.clients import PERSON_SCOPES, SCOPES, Client, Integration, find_client, find_integration, integrations_of
from connector.connections import Connection
from connector.flows.signup_link.problems import SentBack, ShownOnly
from connector.model.errors import NotFound
from connector.model.tags import Account
from connector.storage import Transaction
from providers import catalogue
from providers.capabilities import FIELD_GROUPS
from vault import Vault

PUSHED_ONLY = ("link_user", "connection", "provider_scope", "import", "offer_push")
IMPORTS = ("profile", "contacts")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MAX_LENGTH = 2048
MAX_AGE_S = 10 * 365 * 24 * 3600
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_LOCALES = re.compile(r"[A-Za-z0-9 -]{0,200}")


@dataclass(frozen=True, slots=True)
class Parameters:
    """A request's parameters. A name that came twice is in `repeated` and is refused (RFC 6749 section 3.1)."""

    values: Mapping[str, str]
    repeated: frozenset[str]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Parameters:
        """From pairs as they came; an empty value is as if it were absent (RFC 6749 section 3.1)."""
        values: dict[str, str] = {}
        repeated = set()
        for name, value in pairs:
            if name in values:
                repeated.add(name)
            elif value or name == "import":  # an empty `import` asks for nothing to be imported
                values[name] = value
        return cls(values, frozenset(repeated))

    def get(self, name: str) -> str | None:
        """The value, or None."""
        return self.values.get(name)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was checked."""

    client: Client
    request: AuthorizationRequest
    kind: Kind
    integration: Integration | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """Where a refusal may go: this client's own redirect URI."""

    redirect_uri: str
    state: str | None

    def refuse(self, error: str, hint: str, *, code: str = "") -> NoReturn:
        raise SentBack(error, hint, redirect_uri=self.redirect_uri, state=self.state, code=code)

    def invalid(self, hint: str, *, code: str = "") -> NoReturn:
        self.refuse("invalid_request", hint, code=code)


def client_of(tx: Transaction, vault: Vault, parameters: Parameters) -> Client:
    """The client that a browser's request names. Raises ShownOnly: an error before that has nowhere to go."""
    client_id = parameters.get("client_id") or ""
    if "client_id" in parameters.repeated or not client_id:
        raise ShownOnly("client_id_missing", "The link does not name one app. Go back to the app and try again.")
    try:
        return find_client(tx, vault, client_id)
    except NotFound:
        raise ShownOnly("unknown_client", "No app of this name is registered here. Go back to the app.") from None


def read(tx: Transaction, vault: Vault, client: Client, parameters: Parameters, *, pushed: bool) -> Asked:
    """The request, checked whole.

    Raises:
        ShownOnly: the redirect URI is not registered for this client.
        SentBack: anything else; the client's redirect URI is known.
    """
    answer = _where_to(client, parameters)
    _check_protocol(answer, parameters, pushed=pushed)
    link_user, connection = _who_is_meant(tx, vault, client, answer, parameters)
    request = AuthorizationRequest(
        redirect_uri=answer.redirect_uri,
        scopes=_scopes(client, answer, parameters),
        code_challenge=_challenge(answer, parameters),
        state=answer.state,
        nonce=parameters.get("nonce"),
        prompt=_prompt(answer, parameters),
        max_age=_max_age(answer, parameters),
        ui_locales=_locales(answer, parameters),
        link_user=link_user,
        connection_id=None if connection is None else connection.id,
        imports=_imports(answer, parameters),
        offer_push=_push_groups(answer, parameters),
        provider_scopes=_words(parameters.get("provider_scope")),
    )
    integration = _integration(tx, vault, client, answer, parameters, connection=connection)
    _check_provider_scopes(answer, request, integration)
    kind = Kind.REAUTHORIZE if connection else Kind.LINK if link_user else Kind.SIGN_IN
    return Asked(client, request, kind, integration)


def choices(tx: Transaction, vault: Vault, client: Client) -> list[Integration]:
    """The integrations that people of this client may choose from, by name."""
    return [each for each in integrations_of(tx, vault, client.tenant_id) if client.may_use(each.id)]


def _where_to(client: Client, parameters: Parameters) -> _Answer:
    redirect_uri = parameters.get("redirect_uri") or ""
    if "redirect_uri" in parameters.repeated or redirect_uri not in client.redirect_uris:
        raise ShownOnly(
            "redirect_uri_unregistered",
            "The app asked to be answered at an address that it has not registered. "
            "The app's makers add it with: connector clients add --redirect-uri.",
        )
    state = None if "state" in parameters.repeated else parameters.get("state")
    return _Answer(redirect_uri, None if state is not None and len(state) > MAX_LENGTH else state)


def _check_protocol(answer: _Answer, parameters: Parameters, *, pushed: bool) -> None:
    if parameters.repeated:
        answer.invalid(f"Send each parameter once; repeated: {_shown(min(parameters.repeated))}.")
    if any(len(value) > MAX_LENGTH for value in parameters.values.values()):
        answer.invalid(f"A parameter is longer than {MAX_LENGTH} characters.")
    _check_forms(answer, parameters, pushed=pushed)
    if parameters.get("response_type") != "code":
        error = "invalid_request" if parameters.get("response_type") is None else "unsupported_response_type"
        answer.refuse(error, "response_type must be code.")
    if parameters.get("response_mode") not in {None, "query"}:
        answer.invalid("response_mode must be query, or be left out.")


def _check_forms(answer: _Answer, parameters: Parameters, *, pushed: bool) -> None:
    for name, error in (("request", "request_not_supported"), ("registration", "registration_not_supported")):
        if parameters.get(name) is not None:
            answer.refuse(error, f"The parameter {name} is not supported.")
    if parameters.get("request_uri") is not None:
        answer.invalid("A pushed request names no request_uri of its own, and no other kind is supported.")
    if not pushed:
        for name in PUSHED_ONLY:
            if parameters.get(name) is not None:
                answer.invalid(f"{name} must be pushed (RFC 9126): send the request to the PAR endpoint first.")


def _who_is_meant(
    tx: Transaction, vault: Vault, client: Client, answer: _Answer, parameters: Parameters
) -> tuple[str | None, Connection | None]:
    link_user = parameters.get("link_user")
    if link_user is not None:
        user = people.find_user(tx, vault, client.tenant_id, link_user)
        if user is None or user.account is not Account.OPEN:
            answer.invalid("link_user names no user of this app.", code="unknown_user")
    connection_id = parameters.get("connection")
    if connection_id is None:
        return link_user, None
    connection = connections.find(tx, vault, client.tenant_id, connection_id)
    if connection is None or not client.may_use(connection.integration_id):
        answer.invalid("connection names no connection of this app.", code="unknown_connection")
    if connection.ended:
        answer.invalid("This connection has ended and cannot be renewed; connect the account anew.", code="revoked")
    if link_user not in {None, connection.sub}:
        answer.invalid("connection and link_user belong to different users.", code="wrong_user")
    return link_user, connection


def _integration(
    tx: Transaction,
    vault: Vault,
    client: Client,
    answer: _Answer,
    parameters: Parameters,
    *,
    connection: Connection | None,
) -> Integration | None:
    word = parameters.get("integration")
    if word is None and connection is not None:
        word = connection.integration_id
    if word is None:
        known = choices(tx, vault, client)
        if not known:
            answer.invalid("This app has no integration yet; its operator adds one.", code="no_integration")
        return known[0] if len(known) == 1 else None
    try:
        found = find_integration(tx, vault, client.tenant_id, word)
    except NotFound:
        answer.invalid("integration names none of this app's integrations.", code="unknown_integration")
    if not client.may_use(found.id):
        answer.invalid("integration names none of this app's integrations.", code="unknown_integration")
    if connection is not None and found.id != connection.integration_id:
        answer.invalid("The connection belongs to another integration.", code="wrong_integration")
    return found


def _scopes(client: Client, answer: _Answer, parameters: Parameters) -> tuple[str, ...]:
    asked = _words(parameters.get("scope"))
    if "openid" not in asked:
        answer.refuse("invalid_scope", "scope must contain openid.")
    known = [scope for scope in asked if scope in SCOPES]  # what nobody knows is ignored (OpenID Connect Core 3.1.2.1)
    if any(scope not in PERSON_SCOPES or scope not in client.scopes for scope in known):
        answer.refuse("invalid_scope", f"This app may ask for: {' '.join(_of_people(client))}.")
    return tuple(dict.fromkeys(known))


def _of_people(client: Client) -> list[str]:
    return [scope for scope in PERSON_SCOPES if scope in client.scopes]


def _challenge(answer: _Answer, parameters: Parameters) -> str:
    challenge = parameters.get("code_challenge")
    if challenge is None or parameters.get("code_challenge_method") != "S256":
        answer.invalid("PKCE is required: send code_challenge with code_challenge_method=S256 (RFC 7636).")
    if not _CHALLENGE.fullmatch(challenge):
        answer.invalid("code_challenge must be 43 characters of base64url (RFC 7636).")
    return challenge


def _prompt(answer: _Answer, parameters: Parameters) -> tuple[str, ...]:
    prompts = _words(parameters.get("prompt"))
    if not PROMPTS.issuperset(prompts) or ("none" in prompts and len(prompts) > 1):
        answer.invalid("prompt may be none, or some of: login consent select_account.")
    return prompts


def _max_age(answer: _Answer, parameters: Parameters) -> int | None:
    text = parameters.get("max_age")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_AGE_S))):
        answer.invalid("max_age is a whole number of seconds.")
    return min(int(text), MAX_AGE_S)


def _locales(answer: _Answer, parameters: Parameters) -> str:
    text = parameters.get("ui_locales") or ""
    if not _LOCALES.fullmatch(text):
        answer.invalid("ui_locales is a list of language tags (RFC 5646).")
    return text


def _imports(answer: _Answer, parameters: Parameters) -> tuple[str, ...] | None:
    text = parameters.get("import")
    if text is None:
        return None
    if strangers := [word for word in _words(text) if word not in IMPORTS]:
        answer.invalid(f"import knows {' '.join(IMPORTS)}; it does not know {_shown(strangers[0])}.")
    return _words(text)


def _push_groups(answer: _Answer, parameters: Parameters) -> tuple[str, ...]:
    groups = _words(parameters.get("offer_push"))
    if strangers := [group for group in groups if group not in FIELD_GROUPS]:
        answer.invalid(f"offer_push knows {' '.join(FIELD_GROUPS)}; it does not know {_shown(strangers[0])}.")
    return groups


def _check_provider_scopes(answer: _Answer, request: AuthorizationRequest, integration: Integration | None) -> None:
    if not request.provider_scopes:
        return
    if request.connection_id is None or integration is None:
        answer.invalid("provider_scope widens a connection; name it with connection.")
    known = catalogue.entry(integration.provider).scopes
    if strangers := [scope for scope in request.provider_scopes if scope not in known]:
        answer.invalid(
            f"The provider has no scope {_shown(strangers[0])} in our catalogue; see: connector providers show."
        )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text or "").split()))


def _shown(word: str) -> str:
    """A word of the caller's in our sentence: short and plain."""
    return repr("".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in word[:40]))
