"""Stories of the model, lived by the application on a database: what it does is what the model says, story by story.

Of stories to the length of three, those are lived that come to something different. `CONNECTOR_STORIES` goes deeper:
every story to that length, in every order, and longer ones the more of. `make chaos` sets it to 4.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from connector.flows import edit_profile
from connector.flows.standings import Ground
from connector.model.tags import Account, Choice, Link, Notice, Standing
from tests.connected import Linked, linked
from tests.proofs import real_gateway, real_notices
from tests.proofs.order_of_events import Flaw, Model, walk
from tests.proofs.real_gateway import Mismatch, play, stories, walks
from tests.signing_up import let_write

DEEPER = os.environ.get("CONNECTOR_STORIES", "")
DEPTH = int(DEEPER or "3")


@pytest.fixture
def town(tmp_path, store, clock) -> Linked:
    made = linked(tmp_path, store, clock, policy={"notice_windows": real_notices.WINDOWS})
    return replace(made, house=replace(made.house, integration=let_write(made.house)))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.timeout(max(120, 30 * 8 ** (DEPTH - 2)))
def test_every_short_story_goes_as_the_model_says(town):
    told = [story for length in range(1, DEPTH + 1) for story in stories(length, every_order=bool(DEEPER))]
    assert len(told) > 100
    assert [one for one in (play(town, story) for story in told) if one is not None] == []


@pytest.mark.timeout(60 * DEPTH)
def test_longer_stories_go_as_the_model_says(town):
    for story in walks(seed=20190311, how_many=4 * 3 ** (DEPTH - 2), length=14):
        assert play(town, story) is None


# Broken on purpose -------------------------------------------------------------------------------------


def decides_when_queued(patch):
    """What was allowed when it was queued is sent, and nothing calls it off."""

    def as_it_was(gateway, ground, _connection, _group, tags):
        given = Standing(Account.OPEN, Link.CONNECTED, Choice.GIVEN, Notice.NONE)
        return gateway.policy.decide(edit_profile.PUSH, tags, given, ground.at, ground.user.last_visit_at)

    patch.setattr("connector.flows.push_update.choosing.may_push", as_it_was)
    patch.setattr("connector.records.void_deliveries", lambda *_: 0)


def ignores_withdrawal(patch):
    patch.setattr("connector.consent.withdraw", lambda _tx, _vault, found, **_: found)


def keeps_open_after_revoking(patch):
    """Two things close it: the link that ended, and the choices that ended with it."""
    patch.setattr(Ground, "link", lambda *_: Link.CONNECTED)
    patch.setattr(Ground, "choice", lambda *_: Choice.GIVEN)


def keeps_keys_after_revoking(patch):
    patch.setattr("connector.flows.revoke.destroy_due_keys", lambda _: 0)


def keeps_keys_after_deletion(patch):
    patch.setattr("vault.Vault.destroy", lambda *_: 0)


def keeps_a_child(patch):
    patch.setattr("connector.flows.children.delete_user", lambda *_, **__: None)


def hands_out_of_a_cache(patch):
    kept, ask = {}, real_gateway.fresh_token

    def cached(gateway, client, wanted):
        if wanted.connection_id not in kept:
            kept[wanted.connection_id] = ask(gateway, client, wanted)
        return kept[wanted.connection_id]

    patch.setattr(real_gateway, "fresh_token", cached)


def forgets_stale(patch):
    patch.setattr("connector.flows.choices.widened", lambda *_: False)


def counts_untold_versions(patch):
    patch.setattr("connector.flows.policy_versions._check_told", lambda *_: None)


def tells_nobody(patch):
    patch.setattr("connector.inbox.post_to_some", lambda *_, **__: 0)


def transfers_once_posted(patch):
    patch.setattr("connector.inbox.notices.in_policy_words", lambda _: Notice.CLEAR)


def transfers_untold(patch):
    patch.setattr("connector.flows.hand_outside.notice_toward", lambda *_: Notice.CLEAR)


def hears_no_objection(patch):
    patch.setattr("connector.inbox.stance_of", lambda *_: "none")


def announces_no_push(patch):
    patch.setattr("connector.flows.push_update.sending._note_intent", lambda *_: None)


def announces_no_import(patch):
    patch.setattr("connector.flows.import_records.running.note_begun", lambda *_: None)


CONNECTED = ("connect", "switch push on")
CLEAR = ("post the notice", "the window ends")
BROKEN = [
    (decides_when_queued, Flaw.DECIDES_WHEN_QUEUED, "pushed", "pushed"),
    (ignores_withdrawal, (*CONNECTED, "switch push off", "edit", "send"), "", "pushed"),
    (keeps_open_after_revoking, ("connect", "import", "revoke", "use the import"), "", "import used"),
    (keeps_open_after_revoking, Flaw.REOPENS_ON_RECONNECT, "import used", "earlier import used"),
    (keeps_keys_after_revoking, Flaw.KEEPS_AFTER_REVOKING, "still held of a revoked connection", "an import"),
    (keeps_keys_after_deletion, ("connect", "import", "delete the account", "sweep"), "", "a token"),
    (keeps_a_child, Flaw.KEEPS_A_CHILD, "still held of a child or a deleted account", "a token"),
    (hands_out_of_a_cache, ("connect", "hand out", "revoke", "hand out"), "", "handed out"),
    (keeps_open_after_revoking, ("connect", "import", *CLEAR, "revoke", "transfer"), "", "import transferred"),
    (forgets_stale, Flaw.FORGETS_STALE, "pushed", "pushed"),
    (counts_untold_versions, ("widen the policy",), "", "widened untold"),
    (tells_nobody, ("widen the policy",), "", "widened past somebody"),
    (transfers_once_posted, Flaw.TRANSFERS_ONCE_POSTED, "transferred", "transferred"),
    (transfers_untold, ("transfer",), "", "transferred"),
    (hears_no_objection, (*CLEAR, "object", "transfer"), "", "transferred"),
    (announces_no_push, (*CONNECTED, "edit", "send"), "", "pushed unannounced"),
    (announces_no_import, ("connect", "import"), "", "imported unannounced"),
]


@pytest.mark.parametrize(("breaks", "story", "fault", "found"), BROKEN, ids=lambda one: getattr(one, "__name__", None))
def test_twin_a_gateway_that_is_built_wrong_is_caught(town, monkeypatch, breaks, story, fault, found):
    """Where the model has the same flaw, its walk tells the story that catches it here too."""
    if isinstance(story, Flaw):
        story = walk(Model(frozenset([story]))).faults[fault]
    assert play(town, story) is None
    breaks(monkeypatch)
    caught = play(town, story)
    assert isinstance(caught, Mismatch)
    assert found in caught.found - caught.expected
