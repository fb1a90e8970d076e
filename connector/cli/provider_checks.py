"""What the doctor asks of each integration's provider: that it answers, speaks what it should, and knows the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from connector.cli.checks import PROBE_S, Check, Patient
from connector.clients import Integration, integrations_of, registration_of
from connector.clients import tenants as every_tenant
from connector.egress import WORTH_TELLING_S, Egress, skew_s
from connector.model.errors import ConnectorError
from providers import catalogue
from providers.entries.addresses import fill
from providers.errors import ProviderError
from providers.exchange import Exchange, NetworkFailure, Request, Response


def providers(patient: Patient) -> Iterator[Check]:
    """Every integration's provider can be reached, by the same door as in earnest."""
    if not patient.usable:
        return
    with patient.store.read() as tx:
        found = [one for tenant in every_tenant(tx) for one in integrations_of(tx, patient.vault, tenant.id)]
    if not found:
        yield Check("providers", "ok", "there is no integration yet.")
    egress = Egress(patient.clock, deadline_s=PROBE_S, max_bytes=1 << 20, development=patient.settings.is_development)
    for integration in found:
        yield from _provider(patient, egress, integration)
    egress.close()


def _provider(patient: Patient, egress: Egress, integration: Integration) -> Iterator[Check]:
    entry, name = catalogue.entry(integration.provider), f"provider {integration.name}"
    if entry.development_only and not patient.settings.is_development:
        mend = f"Remove it: connector integrations remove {integration.id}"
        yield Check(name, "fail", f"{entry.title} is refused in production.", mend)
        return
    issuer = registration_of(integration, patient.settings).issuer
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration" if issuer else entry.token_endpoint
    address = fill(address, {key: integration.settings.get(key, one.default) for key, one in entry.parameters.items()})
    try:
        answer = egress.drive(_probe(address), provider=integration.id)
    except (ConnectorError, ProviderError, NetworkFailure) as error:
        why = error.code.replace("_", " ")
        mend = "Mend the network, the proxy or the issuer; sign-ups and refreshes there fail until then."
        yield Check(name, "fail", f"{entry.title} cannot be reached ({why}).", mend)
        return
    if issuer and answer.status != 200:  # noqa: PLR2004  discovery answers 200 (OpenID Connect Discovery section 4.2)
        mend = "Mend the integration's issuer; it must serve OpenID Connect discovery."
        yield Check(name, "fail", f"its discovery answers {answer.status}.", mend)
        return
    skew = skew_s(answer, patient.clock.now()) or 0.0
    if abs(skew) > WORTH_TELLING_S:
        yield Check(name, "warn", f"its clock is {skew:+.0f} s from this machine's.", "Keep this machine's by NTP.")
        return
    age = (date.today() - date.fromisoformat(entry.verified_on)).days  # noqa: DTZ011  whole days are enough
    yield Check(name, "ok", f"{entry.title} answers; its facts were verified {max(age, 0)} days ago.")


def _probe(address: str) -> Exchange[Response]:
    """Any answer will do: what counts is that name, route and certificate are right."""
    response = yield Request("GET", address, {"Accept": "application/json"}, about_person=False, max_bytes=1 << 20)
    return response
