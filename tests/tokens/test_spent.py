from __future__ import annotations

from connector.tokens import spent
from providers.secret import Secret


def test_a_token_and_the_marks_of_those_before_it_come_back():
    marks = tuple(spent.mark(Secret(f"rt-{number}")) for number in range(3))
    token, found = spent.unpacked(spent.packed(Secret("rt-now"), marks))
    assert (token.reveal(), found) == ("rt-now", marks)


def test_a_token_without_a_past_is_stored_as_it_is():
    assert spent.packed(Secret("rt"), ()) == b"rt"
    assert spent.unpacked(b"rt")[1] == ()


def test_only_the_last_few_are_remembered():
    marks = tuple(str(number) for number in range(20))
    assert spent.unpacked(spent.packed(Secret("rt"), marks))[1] == marks[-spent.KEPT :]


def test_a_mark_does_not_show_the_token():
    assert "secret" not in spent.mark(Secret("secret"))
