"""Between providers' fields and JSContact cards."""

from __future__ import annotations

import pytest

from providers import cards
from providers.cards import Sorting


def test_a_field_is_taken_ignored_or_a_stranger_and_never_two_of_them():
    seen = Sorting()
    seen.fields({"a": "x", "b": "y", "c": "z"}, {"a": lambda value: seen.take("/name", value, "a")}, ("b",))
    item = seen.item("1")

    assert [value.origin for value in item.values] == ["a"]
    assert (item.ignored, item.strangers) == (("b",), ("c",))


def test_an_empty_field_is_simply_absent():
    seen = Sorting()
    seen.fields({"a": "", "b": None, "c": []}, dict.fromkeys("abc", seen.stranger), ())

    assert seen.item("").strangers == ()


@pytest.mark.parametrize("value", [7, ["x"], {"a": 1}, True, "x" * (cards.MAX_TEXT + 1)])
def test_a_text_of_another_type_or_without_end_is_a_stranger(value):
    seen = Sorting()

    assert seen.text("name", value) == ""
    assert seen.item("").strangers == ("name",)


def test_rows_are_sorted_inside_too():
    seen = Sorting()
    rows = list(seen.rows("mail", [{"address": "a", "seen": 1, "odd": 2}, "no row"], ("address",), ("seen",)))

    assert [number for number, _ in rows] == [1]
    assert seen.item("").ignored == ("mail.seen",)
    assert set(seen.item("").strangers) == {"mail.odd", "mail"}


def test_categories_follow_from_the_place_and_a_contacts_values_are_peoples():
    own, other = Sorting(), Sorting(people=True)
    for seen in (own, other):
        seen.take("/emails/e1", {}, "mail")
        seen.take("/name", {}, "name")

    assert [value.category for value in own.item("").values] == ["contact", "profile"]
    assert [value.category for value in other.item("").values] == ["people", "people"]


def test_what_is_not_wanted_is_ignored_under_its_own_name():
    seen = Sorting(categories={"profile"})
    seen.take("/emails/e1", {}, "mail")

    assert (seen.item("").values, seen.item("").ignored) == ((), ("mail",))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1990-05-17", {"year": 1990, "month": 5, "day": 17}),
        ("1990", {"year": 1990}),
        ("--05-17", {"month": 5, "day": 17}),
        ("0000-05-17", {"month": 5, "day": 17}),
    ],
)
def test_birthdays_may_lack_parts(text, date):
    assert cards.birthday_value(text) == {"kind": "birth", "date": {"@type": "PartialDate", **date}}


@pytest.mark.parametrize("text", ["", "soon", "90-05-17", "1990-5-17", "1990-05-17x"])
def test_what_is_no_date_is_no_birthday(text):
    assert cards.birthday_value(text) is None


@pytest.mark.parametrize("label", ["home", "work", "mobile", "", "the blog"])
def test_a_label_survives_both_ways(label):
    assert cards.label(cards.contexts(label)) == label


@pytest.mark.parametrize(("given", "key"), [("m1", "m1"), ("a b", "e3"), ("", "e3"), (7, "e3"), ("x" * 256, "e3")])
def test_a_providers_id_is_the_key_where_it_can_be_one(given, key):
    assert cards.key(given, 3, "e") == key


def test_whole_entries_and_their_parts_read_alike():
    whole = cards.nested({"/emails/m1": {"address": "a"}, "/name": {"full": "A"}})
    parts = cards.nested({"/emails/m1/address": "a", "/name/full": "A"})

    assert whole == parts


def test_a_part_laid_over_its_entry_changes_only_that_part_and_not_what_was_handed_in():
    entry = {"address": "a", "label": "x"}
    card = cards.nested({"/emails/m1": entry, "/emails/m1/address": "b"})

    assert card["emails"]["m1"] == {"address": "b", "label": "x"}
    assert entry["address"] == "a"


def test_pointers_are_unescaped():
    assert cards.nested({"/notes/a~1b~0c": {"note": "x"}}) == {"notes": {"a/b~c": {"note": "x"}}}


def test_a_name_without_its_own_line_is_put_together_in_order():
    value = cards.name_value("", "Ada", "Lindqvist", given2="Berg")

    assert cards.full_name({"name": value}) == "Ada Berg Lindqvist"
    assert cards.full_name({"name": {**value, "full": "A. L."}}) == "A. L."


def test_an_address_without_its_own_line_is_put_together():
    value = cards.address_value("", "SE", name="Storgatan 1", locality="Uppsala")

    assert cards.full_address(value) == "Storgatan 1, Uppsala, SE"


@pytest.mark.parametrize("card", [{}, {"name": None}, {"name": "x"}, {"name": {"components": "x"}}])
def test_a_name_that_is_none_is_empty(card):
    assert cards.full_name(card) == ""
