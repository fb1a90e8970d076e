from __future__ import annotations

import pytest

from connector.connections import Landed, NewConnection
from providers.secret import Secret
from vault import FileKeySource, Owner, Vault

TENANT = "ten_a"


@pytest.fixture
def vault(store, clock, tmp_path):
    vault = Vault(FileKeySource.create(tmp_path / "kek.json"), now=clock.now)
    with store.transaction() as tx:
        vault.create_tenant(tx, TENANT)
        vault.create_key(tx, Owner(TENANT, "tenant", TENANT))
    return vault


@pytest.fixture
def new():
    def make(connection_id: str = "con_a", *, sub: str = "usr_a", identity: str = "idn_a") -> NewConnection:
        return NewConnection(
            id=connection_id,
            tenant_id=TENANT,
            sub=sub,
            pseudonym="p",
            identity_id=identity,
            integration_id="int_a",
            provider="rehearsal",
            issuer="https://rehearsal.test",
        )

    return make


@pytest.fixture
def landed(clock):
    def make(*, access: str = "access-1", refresh: str | None = "refresh-1", lifetime_s: int | None = 3600) -> Landed:
        now = clock.now()
        expires_at = None if lifetime_s is None else now + lifetime_s * 1000
        return Landed(
            access=Secret(access),
            refresh=None if refresh is None else Secret(refresh),
            token_type="Bearer",
            expires_at=expires_at,
            lifetime_s=lifetime_s,
            granted_scopes=("openid", "contacts"),
            declined_scopes=(),
            can_refresh=refresh is not None,
            refresh_at=None if expires_at is None or refresh is None else expires_at - 600_000,
            refresh_expires_at=None,
            reauth_by=None,
        )

    return make
