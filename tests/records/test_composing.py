from __future__ import annotations

from connector.records import Piece, compose


def test_what_the_person_typed_goes_before_what_came_in():
    pieces = [
        Piece("/name", {"full": "From there"}, "con_a", 9),
        Piece("/name", {"full": "Typed"}, None, 1),
        Piece("/emails/m1", {"address": "old@example.org"}, "con_a", 9),
        Piece("/emails/m1", {"address": "typed@example.org"}, None, 1),
    ]
    card = compose(pieces)
    assert card["name"] == {"full": "Typed"}
    assert card["emails"] == {"m1": {"address": "typed@example.org"}}


def test_values_of_two_accounts_do_not_overwrite_each_other():
    pieces = [
        Piece("/emails/m1", {"address": "a@example.org"}, "con_a", 2),
        Piece("/emails/m1", {"address": "b@example.org"}, "con_b", 1),
        Piece("/emails/m1", {"address": "a@example.org"}, "con_c", 3),
    ]
    assert compose(pieces)["emails"] == {"m1": {"address": "a@example.org"}, "m1-2": {"address": "b@example.org"}}


def test_an_empty_card_is_still_a_card():
    assert compose([]) == {"@type": "Card", "version": "1.0"}
