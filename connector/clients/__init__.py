"""Tenants, their clients, integrations and access tokens: who may ask, and for what.

Owns the rows of tenants, clients, client_secrets, client_assertions, access_tokens, integrations, signing_keys and
idempotency_keys, and every row seal over them. Nobody else writes those tables or decides whether a credential is good.
What a caller may do with a connection or a value is decided elsewhere: here ends "who are you, and which scopes do you
have". Secrets of clients and tokens are kept as SHA-256 hashes of 256 random bits; secrets of integrations and private
signing keys are sealed by the vault.
"""

from connector.clients.access_tokens import (
    Caller,
    access_token_of,
    access_tokens_of_user,
    caller_of,
    issue_access_token,
    revoke_access_token,
    revoke_access_tokens_from,
    revoke_access_tokens_of_user,
)
from connector.clients.assertions import ASSERTION_TYPE, SIGNING_ALGORITHMS
from connector.clients.authentication import Presented, authenticate
from connector.clients.clients import (
    Client,
    add_client,
    client_called,
    clients_of,
    find_client,
    remove_client,
)
from connector.clients.idempotency import (
    Kept,
    answers_about,
    begin_request,
    forget_answers,
    forget_request,
    keep_answer,
)
from connector.clients.integration_rules import NewIntegration, checked
from connector.clients.integrations import (
    Integration,
    add_integration,
    find_integration,
    integration_with_id,
    integrations_of,
    registration_of,
    remove_integration,
    set_integration_secret,
)
from connector.clients.registration import NewClient
from connector.clients.rotation import rotate_secret
from connector.clients.signing_keys import (
    SigningKey,
    SigningKeys,
    create_signing_keys,
    generate_signing_keys,
    published_keys,
    signing_key,
)
from connector.clients.sweep import sweep
from connector.clients.tenants import Tenant, add_tenant, find_tenant, tenant_named, tenants
from connector.clients.words import API_SCOPES, CLIENT_TYPES, PERSON_SCOPES, SCOPES, WEB_SCOPES, WORKER_SCOPES

__all__ = [
    "API_SCOPES",
    "ASSERTION_TYPE",
    "CLIENT_TYPES",
    "PERSON_SCOPES",
    "SCOPES",
    "SIGNING_ALGORITHMS",
    "WEB_SCOPES",
    "WORKER_SCOPES",
    "Caller",
    "Client",
    "Integration",
    "Kept",
    "NewClient",
    "NewIntegration",
    "Presented",
    "SigningKey",
    "SigningKeys",
    "Tenant",
    "access_token_of",
    "access_tokens_of_user",
    "add_client",
    "add_integration",
    "add_tenant",
    "answers_about",
    "authenticate",
    "begin_request",
    "caller_of",
    "checked",
    "client_called",
    "clients_of",
    "create_signing_keys",
    "find_client",
    "find_integration",
    "find_tenant",
    "forget_answers",
    "forget_request",
    "generate_signing_keys",
    "integration_with_id",
    "integrations_of",
    "issue_access_token",
    "keep_answer",
    "published_keys",
    "registration_of",
    "remove_client",
    "remove_integration",
    "revoke_access_token",
    "revoke_access_tokens_from",
    "revoke_access_tokens_of_user",
    "rotate_secret",
    "set_integration_secret",
    "signing_key",
    "sweep",
    "tenant_named",
    "tenants",
]
