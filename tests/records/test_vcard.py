"""vCards that other programs read as what they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.records.vcard import folded, full_name, vcard
from tests.records.vcards import parsed

ADA = {
    "@type": "Card",
    "version": "1.0",
    "name": {
        "components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Love;lace"}],
        "full": "Ada, Countess",
    },
    "nicknames": {"n": {"name": "Enchantress\nof Number"}},
    "emails": {"e": {"address": "ada@example.org", "contexts": {"private": True}, "pref": 1}},
    "phones": {"p": {"number": "+44 20 7946 0000", "features": {"mobile": True}, "contexts": {"work": True}}},
    "addresses": {
        "a": {
            "components": [
                {"kind": "number", "value": "12"},
                {"kind": "name", "value": "St James's Sq"},
                {"kind": "locality", "value": "London"},
            ],
            "countryCode": "GB",
            "full": '12 "St" James\nLondon',
        }
    },
    "organizations": {"o": {"name": "Analytical, Inc", "units": [{"name": "Engines"}]}},
    "titles": {"t": {"name": "Programmer"}, "r": {"name": "First", "kind": "role"}},
    "anniversaries": {"b": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
    "onlineServices": {"s": {"service": "Mills", "uri": "https://example.org/ada"}, "u": {"user": "ada"}},
    "links": {"l": {"uri": "https://example.org/"}},
    "media": {"m": {"kind": "photo", "uri": "https://example.org/p.png"}},
    "notes": {"n": {"note": "a,b;c\\d\r\nEND:VCARD"}},
    "personalInfo": {"i": {"kind": "hobby", "value": "flying"}},
    "preferredLanguages": {"l": {"language": "en"}},
}


def test_a_whole_card_reads_back() -> None:
    (card,) = parsed(vcard(ADA, "urn:x:1"))
    assert card["FN"] == ["Ada, Countess"]
    assert card["N"] == ["Love;lace;Ada;;;"]
    assert card["NICKNAME"] == ["Enchantress\nof Number"]
    assert card["EMAIL"] == ["ada@example.org"]
    assert card["TEL"] == ["+44 20 7946 0000"]
    assert card["ADR"] == [";;St James's Sq 12;London;;;"]
    assert card["ORG"] == ["Analytical, Inc;Engines"]
    assert card["TITLE"] == ["Programmer"]
    assert card["ROLE"] == ["First"]
    assert card["BDAY"] == ["18151210"]
    assert card["NOTE"] == ["a,b;c\\d\nEND:VCARD"]
    assert card["HOBBY"] == ["flying"]
    assert card["LANG"] == ["en"]


def test_a_value_cannot_begin_a_line_of_its_own() -> None:
    written = vcard({"name": {"full": "x\r\nEND:VCARD\r\nBEGIN:VCARD"}}, "urn:x:1")
    assert written.count("\r\nEND:VCARD\r\n") == 1
    assert written.count("BEGIN:VCARD") == 2  # the card's own, and the words in the name, escaped
    assert len(parsed(written)) == 1


def test_dates_without_a_year_or_a_day_are_written_as_such() -> None:
    def born(**date: int) -> list[str]:
        card = {"name": {"full": "x"}, "anniversaries": {"b": {"kind": "birth", "date": date}}}
        return parsed(vcard(card, "urn:x:1"))[0]["BDAY"]

    assert born(month=12, day=10) == ["--1210"]
    assert born(year=1815) == ["1815"]
    assert born(year=1815, month=12) == ["1815-12"]


def test_a_card_without_a_name_is_called_by_what_there_is() -> None:
    assert full_name({"emails": {"e": {"address": "a@b.example"}}}) == "a@b.example"
    assert full_name({}) == "Unnamed"


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn", "Co", "Cf", "Zs"]))
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    (card,) = parsed(vcard({"name": {"full": "x"}, "notes": {"n": {"note": text}}}, "urn:x:1"))
    assert card["NOTE"] == [text]


@given(st.text())
def test_no_line_is_longer_than_75_octets_and_no_character_is_cut(text: str) -> None:
    line = "NOTE:" + text.replace("\r", "").replace("\n", "").encode(errors="ignore").decode()
    written = folded(line)
    pieces = written.removesuffix("\r\n").split("\r\n")
    assert all(len(piece.encode()) <= 75 for piece in pieces)
    assert pieces[0] + "".join(piece[1:] for piece in pieces[1:]) == line
