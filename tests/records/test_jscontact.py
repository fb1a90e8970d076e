from __future__ import annotations

import pytest

from connector.model.errors import BadInput
from connector.records.jscontact import MAPS, category_of, check_value, wrong_with

GOOD = [
    ("/name", {"full": "Ada Lindqvist"}),
    ("/name", {"components": [{"kind": "given", "value": "Ada"}], "isOrdered": True}),
    ("/nicknames/k23", {"name": "Johnny", "contexts": {"private": True}}),
    ("/emails/e1", {"contexts": {"work": True}, "address": "jqpublic@xyz.example.com", "pref": 1}),
    ("/phones/tel0", {"number": "tel:+1-555-555-5555;ext=5555", "features": {"voice": True}, "pref": 1}),
    ("/addresses/k23", {"components": [{"kind": "locality", "value": "Reykjavik"}], "countryCode": "IS"}),
    ("/onlineServices/x1", {"uri": "xmpp:alice@example.com"}),
    ("/links/link3", {"kind": "contact", "uri": "mailto:contact@example.com", "pref": 1}),
    ("/organizations/o1", {"name": "ABC, Inc.", "units": [{"name": "Marketing"}], "sortAs": "ABC"}),
    ("/titles/le9", {"kind": "title", "name": "Research Scientist"}),
    ("/anniversaries/k8", {"kind": "birth", "date": {"@type": "PartialDate", "year": 1953, "month": 4, "day": 15}}),
    ("/anniversaries/k9", {"kind": "death", "date": {"@type": "Timestamp", "utc": "2019-10-15T23:10:00Z"}}),
    ("/media/res45", {"kind": "photo", "uri": "https://example.org/p.jpg"}),
    ("/notes/n1", {"note": "Open office hours are 1600 to 1715 EST."}),
    ("/personalInfo/pi2", {"kind": "expertise", "value": "chemistry", "level": "high"}),
    ("/preferredLanguages/l1", {"language": "pt-BR"}),
    ("/speakToAs", {"grammaticalGender": "neuter", "pronouns": {"k19": {"pronouns": "they/them", "pref": 2}}}),
    ("/language", "de-AT"),
]

BAD = [
    ("/name", {}, "components or full"),
    ("/name", "Ada", "an object"),
    ("/name/full", "Ada", "no place"),
    ("/emails", {"e1": {}}, "no place"),
    ("/emails/e 1", {"address": "a@b.c"}, "no place"),
    ("/emails/e1", {"address": "nobody"}, "e-mail address"),
    ("/emails/e1", {"contexts": {"work": True}}, "needs address"),
    ("/emails/e1", {"address": "a@b.c", "note": "x"}, "no member 'note'"),
    ("/emails/e1", {"address": "a@b.c", "pref": 101}, "1 to 100"),
    ("/emails/e1", {"address": "a@b.c", "pref": True}, "1 to 100"),
    ("/emails/e1", {"@type": "Phone", "address": "a@b.c"}, "@type EmailAddress"),
    ("/phones/p1", {"number": "1", "features": {"voice": False}}, "set of words"),
    ("/phones/p1", {"number": "x" * 9000}, "8192"),
    ("/phones/p1", {"number": "1\x00"}, "characters"),
    ("/links/l1", {"uri": "not a uri"}, "URI"),
    ("/media/m1", {"kind": "video", "uri": "https://x.example/"}, "photo, sound, logo"),
    ("/anniversaries/b", {"kind": "birth", "date": {"day": 3}}, "year or a month"),
    ("/anniversaries/b", {"kind": "birth", "date": {"year": 1990, "day": 3}}, "with its month"),
    ("/titles/t1", {"name": ["x"]}, "text"),
    ("/members/m1", {"name": "x"}, "no place"),
    ("/__proto__/x", {}, "no place"),
]


@pytest.mark.parametrize(("pointer", "value"), GOOD)
def test_what_rfc_9553_shows_is_taken(pointer, value):
    assert wrong_with(pointer, value) == ""


@pytest.mark.parametrize(("pointer", "value", "words"), BAD)
def test_anything_else_is_refused_with_what_would_be_right(pointer, value, words):
    with pytest.raises(BadInput) as refused:
        check_value(pointer, value)
    assert words in refused.value.hint
    assert pointer in refused.value.hint


def test_a_value_has_a_largest_size():
    rows = [{"name": "x" * 8000}] * 3
    assert "too large" in wrong_with("/organizations/o1", {"name": "x", "units": rows})


@pytest.mark.parametrize("head", sorted(MAPS))
def test_only_addresses_and_numbers_are_contact_information(head):
    expected = "contact" if head in {"emails", "phones", "addresses"} else "profile"
    assert category_of(f"/{head}/k") == expected
