"""A record of consent as JSON-LD in the words of the Data Privacy Vocabulary, by its profile for ISO/IEC TS 27560.

The names of the vocabularies are given by reference (`@context`); what stands beside them is ours. Source:
w3id.org/dpv/guides/consent-27560 (mandatory fields of records and of receipts).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTEXT: Mapping[str, str] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "dct": "http://purl.org/dc/terms/",
    "schema": "https://schema.org/",
    "gateway": "urn:account-connector-gateway:",
}
PROFILE = "https://w3id.org/dpv/schema/dpv-27560#record"
PURPOSES: Mapping[str, str] = {
    "account": "dpv:AccountManagement",
    "service": "dpv:RequestedServiceProvision",
    "sync": "dpv:RequestedServiceProvision",
}
PERSONAL_DATA: Mapping[str, tuple[str, ...]] = {
    "profile": ("pd:Name", "pd:Picture", "pd:BirthDate"),
    "contact": ("pd:EmailAddress", "pd:TelephoneNumber", "pd:PhysicalAddress"),
    "people": ("pd:SocialNetwork",),
}
SOURCES: Mapping[str, str] = {"given": "dpv:DataSubjectDataSource", "imported": "dpv:ThirdPartyDataSource"}
ROLES: Mapping[str, str] = {"controller": "dpv:DataController", "third_party": "dpv:ThirdParty"}
ACTIONS: Mapping[str, str] = {"collect": "dpv:Collect", "push": "dpv:DiscloseByTransmission"}


def as_jsonld(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, its events included. What a record does not say is left out, never made up."""
    parties = [_party(each) for each in record.get("parties", ())]
    notice = record.get("notice") or {}
    return {
        "@context": dict(CONTEXT),
        "@id": f"gateway:consent:{record['id']}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": PROFILE,
        "dct:identifier": record["id"],
        "dpv:hasDataSubject": {"@id": f"gateway:person:{record.get('subject', '')}", "@type": "dpv:DataSubject"},
        "dpv:hasNotice": {
            "@type": "dpv:ConsentNotice",
            "dct:language": notice.get("lang"),
            "dct:hasVersion": notice.get("policy_version"),
            "gateway:sha256": notice.get("text_sha256"),
        },
        "dpv:hasProcess": [_process(each) for each in record.get("process", ())],
        "dpv:hasDataController": [one for one in parties if one["@type"] == ROLES["controller"]],
        "dpv:hasThirdParty": [one for one in parties if one["@type"] == ROLES["third_party"]],
        "dpv:hasJurisdiction": record.get("jurisdiction"),
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "schema:url": (record.get("withdraw") or {}).get("url"),
            "dct:description": (record.get("withdraw") or {}).get("method"),
        },
        "dct:replaces": record.get("supersedes"),
        "gateway:fingerprint": record.get("fingerprint"),
        "dpv:hasConsentStatus": [_event(each) for each in record.get("events", ())],
    }


def _process(process: Mapping[str, Any]) -> dict[str, Any]:
    action, _recipient, purpose = process.get("flow") or ("", "", "")
    kinds = [word for category in process.get("categories", ()) for word in PERSONAL_DATA.get(category, ())]
    return {
        "@type": "dpv:Process",
        "dpv:hasProcessing": ACTIONS.get(action),
        "dpv:hasPurpose": PURPOSES.get(purpose),
        "dpv:hasPersonalData": kinds,
        "gateway:fields": list(process.get("fields", ())),
        "dpv:hasDataSource": SOURCES.get(process.get("source", "")),
        "dpv:hasStorageCondition": {"@type": "dpv:StorageDuration", "dpv:hasDuration": process.get("storage")},
        "dpv:hasRecipient": list(process.get("recipients", ())),
        "dpv:hasNecessity": "dpv:Optional",
        "dpv:hasLegalBasis": "dpv:Consent",
        "gateway:clause": process.get("clause"),
    }


def _party(party: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": ROLES.get(party["role"], "dpv:LegalEntity"),
        "dpv:hasName": party["name"],
        "dpv:hasAddress": party["postal"],
        "dpv:hasContact": party["contact"],
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": f"dpv:{event['state']}",
        "dpv:hasIndicationMethod": event["method"],
        "dct:date": event["at"],
        "dpv:hasDuration": event["duration"],
        "dpv:isIndicatedBy": event["by"],
        "dct:hasVersion": event["policy_version"],
    }
