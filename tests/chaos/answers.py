"""F9: whatever a provider answers, and however the answer arrives: only its own word ends a grant."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from connector.flows import refresh_attempt
from connector.model.errors import ConnectorError
from tests.chaos.judging import none_lost
from tests.chaos.outcome import Outcome
from tests.chaos.setting import Setting
from tests.chaos.town import GRACE_30
from tests.faults.process import believe
from tests.faults.proxy import Fault, Proxy

SCRIPTS = 500
PEOPLE = 50
DEADLINE_S = 0.6

Script = Callable[[Proxy], dict[str, Any] | None]


def _wire(fault: Fault) -> Script:
    def on_the_wire(proxy: Proxy) -> None:
        proxy.fault = fault

    return on_the_wire


def _said(**rule: Any) -> Script:
    return lambda _proxy: rule


SCRIPTS_BY_NAME: dict[str, Script] = {
    "500": _said(kind="status", status=500),
    "502 in HTML": _said(kind="status", status=502, body="<html>bad gateway</html>"),
    "503": _said(kind="status", status=503),
    "429": _said(kind="rate_limit", retry_after_s=1),
    "200 that is HTML": _said(kind="status", status=200, body="<html>sign in</html>"),
    "200 without a token": _said(kind="status", status=200, body={}),
    "an error inside 200": _said(kind="status", status=200, body={"error": "temporarily_unavailable"}),
    "not JSON": _said(kind="garbage"),
    "half of it": _said(kind="truncated"),
    "other types": _said(kind="wrong_types"),
    "10 MB": _said(kind="huge", bytes=10_000_000),
    "a redirect": _said(kind="redirect"),
    "hung up before": _said(kind="hang_up_before"),
    "hung up after": _said(kind="hang_up_after"),
    "late": _said(kind="delay", delay_s=1.0),
    "a lifetime of -1": _said(
        kind="status", status=200, body={"access_token": "x", "token_type": "Bearer", "expires_in": -1}
    ),
    "request cut off": _wire(Fault(direction="request", truncate_after=60)),
    "request lost": _wire(Fault(direction="request", black_hole=True)),
    "answer lost": _wire(Fault(black_hole=True)),
    "reset after the head": _wire(Fault(reset_after=30)),
    "reset at once": _wire(Fault(reset_after=0)),
    "cut in the middle": _wire(Fault(truncate_after=150)),
    "half closed": _wire(Fault(half_close_after=100)),
    "a byte now and then": _wire(Fault(trickle=(5, 0.05))),
}
BENIGN = {"a lifetime of -1"}  # the answer is taken: it is a token, though a made-up one


def scripts(setting: Setting) -> Outcome:
    """Five hundred scripts, drawn; then the weather clears and everybody is refreshed."""
    outcome = Outcome("F9", f"{SCRIPTS} scripts of bad answers", setting.database, "")
    used: Counter[str] = Counter()
    proxies: list[Proxy] = []

    def relay(url: str) -> str:
        proxies.append(Proxy(url.removeprefix("http://")).__enter__())
        return proxies[0].url

    known, refresh_attempt.DEADLINE_S = refresh_attempt.DEADLINE_S, DEADLINE_S
    believe(*GRACE_30.believed)
    try:
        with setting.town(GRACE_30, connections=PEOPLE, access_token_s=2, before_provider=relay) as town:
            until = time.monotonic() + setting.longest_s
            wrong: list[str] = []
            while used.total() < SCRIPTS and time.monotonic() < until:
                name = setting.rng.choice([one for one in SCRIPTS_BY_NAME if one not in BENIGN])
                rule = SCRIPTS_BY_NAME[name](proxies[0])
                if rule is not None:
                    town.linked.faults(rule)
                used[name] += 8
                _ask_some(town.linked, setting.rng.sample(town.ids, 8))
                proxies[0].fault = None
                town.linked.faults()
                wrong += [one for one, row in town.rows().items() if row["state"] == "needs_reauth"]
            with town.store.transaction() as tx:  # nobody waits for the pauses that were agreed on meanwhile
                tx.run("UPDATE connections SET next_attempt_at = 0")
            with setting.fleet(town, GRACE_30, 2):
                verdict = town.verdict(60)
    finally:
        refresh_attempt.DEADLINE_S = known
        proxies[0].__exit__()
    outcome.done = f"{used.total()} scripts of {len(used)} kinds"
    outcome.none("ended by anything but the provider's word", len(set(wrong)))
    none_lost(outcome, town, verdict)
    return outcome


def _ask_some(linked: Any, ids: list[str]) -> None:
    def ask(one: str) -> None:
        try:
            linked.fresh(one, min_ttl_s=1_000_000)
        except ConnectorError:
            return

    with linked.store.transaction() as tx:
        for one in ids:  # as if the pauses after the script before were over
            tx.run("UPDATE connections SET next_attempt_at = 0 WHERE id = :id", id=one)
    threads = [threading.Thread(target=ask, args=(one,)) for one in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
