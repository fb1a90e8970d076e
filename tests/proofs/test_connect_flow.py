"""Who starts is who finishes, in every order of events; each defence that is taken away is missed, with a story."""

from __future__ import annotations

import pytest

from tests.proofs.connect_flow import Defence, Model, walk

FINISHED = "another finished than began"
STORIES = [
    (Defence.BROWSER, FINISHED, 5),
    (Defence.USER, FINISHED, 5),
    (Defence.CONNECTOR, "a code left for a provider that did not issue it", 5),
    (Defence.REGISTRATION, "another app got access than was agreed to", 8),
    (Defence.PROOF, FINISHED, 7),
    (Defence.ONCE, "one flow landed twice", 7),
]


def test_no_order_of_events_lets_anybody_finish_what_another_began():
    result = walk(Model())
    assert result.faults == {}
    assert result.states > 10_000


@pytest.mark.parametrize(("defence", "fault", "steps"), STORIES)
def test_without_one_defence_there_is_a_story_and_this_is_the_shortest(defence, fault, steps):
    result = walk(Model(frozenset([defence])))
    story = result.faults.get(fault)
    assert story is not None, f"nothing goes wrong without {defence!r}"
    print(f"Without this: {defence.value}.", *story, sep="\n  ")  # noqa: T201  shown by -s and beside a failure
    assert len(story) == steps, story


def test_every_defence_of_the_model_is_tried():
    assert {defence for defence, _, _ in STORIES} == set(Defence)


def test_two_defences_together_keep_the_connector_the_same():
    off = frozenset([Defence.CONNECTOR, Defence.PROOF])
    assert "another connector finished than was started" in walk(Model(off)).faults
