"""F12 and F18: people revoke while their tokens are being refreshed, and everybody wants the same token at once."""

from __future__ import annotations

import random
import time

from connector.flows import revoke
from connector.flows.fresh_token import Handed
from connector.model.states import Ended
from tests.bench.load import load, post
from tests.bench.servers import Served
from tests.chaos.callers import Callers
from tests.chaos.judging import within
from tests.chaos.outcome import Outcome
from tests.chaos.setting import Setting
from tests.chaos.town import STRICT, Town

CALLERS = 1_000
REVOKED = 60
TOLD_WITHIN_S = 60.0


def stampede(setting: Setting) -> Outcome:
    """F12: a thousand callers over HTTP, one connection whose token is over, a provider that takes a second."""
    outcome = Outcome("F12", f"{CALLERS} callers, one expired connection", setting.database, "")
    served = Served(setting.folder, setting.url(), connections=1)
    try:
        with served.running():
            (one,) = served.slow(1)
            time.sleep(served.config.access_token_s + 0.5)
            served.config.access_token_s = 300
            measured = load(
                served.port, [post(f"/v1/connections/{one}/token", served.token)], callers=CALLERS, total=CALLERS
            )
        calls = served.linked.uses()
        most = served.linked.most_at_once()
    finally:
        served.close()
    outcome.done = f"{len(measured.times)} answers over HTTP from two listeners"
    outcome.at_most("calls to the provider", calls, 1)
    outcome.at_most("at once", most, 1)
    outcome.none("answers other than a token", sum(measured.statuses.values()) - measured.statuses[200])
    return outcome


def revoked_in_flight(setting: Setting) -> Outcome:
    """F18: revocations meet refreshes; callers ask all the while."""
    outcome = Outcome("F18", "revoked during refresh", setting.database, "")
    committed: dict[str, float] = {}
    late: list[str] = []

    def told(connection_id: str, began: float, _handed: Handed) -> None:
        if began > committed.get(connection_id, float("inf")):
            late.append(connection_id)

    with setting.town(STRICT, connections=80, access_token_s=3) as town:
        if "fence" in setting.without:
            _drop_triggers(town)
        with setting.fleet(town, STRICT, 3), Callers(town, told=told) as callers:
            met = _revoke(setting.rng, town, committed)
            waited = within(lambda: not _alive(town, committed), TOLD_WITHIN_S)
            alive = _alive(town, committed)
            time.sleep(1.0)
    outcome.done = f"{len(committed)} revoked, {met} in the middle of a refresh; {callers.asked} handouts around them"
    outcome.none("handouts after the commit", len(late) + _out_of_order(town, committed))
    outcome.none("grants still alive at the provider", len(alive))
    outcome.none("two requests at once", len(town.in_flight.doubles))
    outcome.also["provider told of all after, s"] = round(waited, 1)
    return outcome


def _revoke(rng: random.Random, town: Town, committed: dict[str, float]) -> int:
    """Revoke one after another, those first whose refresh is under way at this moment; how many were."""
    met = 0
    left = list(town.ids)
    for _ in range(REVOKED):
        time.sleep(rng.uniform(0.01, 0.1))
        rows = town.rows()
        busy = [one for one in left if rows[one]["state"] == "refreshing"]
        chosen = rng.choice(busy or left)
        met += bool(busy)
        left.remove(chosen)
        revoke.revoke(town.linked.gateway, town.linked.house.tenant.id, chosen, by=Ended.PERSON)
        committed[chosen] = time.monotonic()
    return met


def _alive(town: Town, committed: dict[str, float]) -> list[str]:
    """Grants of revoked connections that still work at the provider."""
    grants = {grant.person: grant for grant in town.linked.provider.grants.values()}
    return [one for one in committed if grants[f"person-{town.ids.index(one)}"].alive]


def _out_of_order(town: Town, committed: dict[str, float]) -> int:
    """Handouts that the ledger has behind the revocation of their connection."""
    ended: dict[str, int] = {}
    after = 0
    with town.store.read() as tx:
        rows = tx.all(
            "SELECT id, kind, entry FROM ledger_entries WHERE kind IN ('token_handout', 'revoked') ORDER BY id"
        )
    for row in rows:
        for one in committed:
            if f'"{one}"' in row["entry"]:
                if row["kind"] == "revoked":
                    ended.setdefault(one, row["id"])
                elif one in ended:
                    after += 1
    return after


def _drop_triggers(town: Town) -> None:
    """The database enforces the moves as well: a twin without the fence has to do without that, too."""
    with town.store.transaction() as tx:
        for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            tx.run(f'DROP TRIGGER "{row["name"]}"')
