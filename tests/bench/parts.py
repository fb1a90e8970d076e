"""Single parts, without a server: what one of each costs. Processor time of one thread, the best of several rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from connector.flows.fresh_token import Wanted, fresh_token
from connector.ledger import Entry, append_all, sequence, tiles, verify
from connector.model.tags import Account, Action, Age, Choice, Link, Notice, Purpose, Recipient, Standing, Tags, Use
from connector.policy import prove
from tests.bench.servers import Served
from vault import Address, Owner

ROUNDS = 5


def cost_us(act: Callable[[], object], times: int = 200) -> float:
    """Microseconds of processor time for one `act`."""
    act()
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(times):
            act()
        rounds.append((time.thread_time() - began) / times * 1e6)
    return min(rounds)


def parts(served: Served) -> dict[str, float]:
    """Name → figure; the unit is in the name."""
    gateway, house = served.house.gateway, served.house
    wanted = Wanted(served.fresh[0], Purpose.SERVICE)
    owner = Owner(house.tenant.id, "tenant", house.tenant.id)
    with gateway.store.read() as tx:
        key = gateway.vault.key(tx, owner)
    address = Address(owner.tenant, owner.kind, owner.id, "", "bench")
    sealed = key.seal(address, b"x" * 64, generation=1)
    use, tags = Use(Action.USE, Recipient.US, Purpose.SERVICE), Tags.credential(Age.OK)
    standing = Standing(Account.OPEN, Link.CONNECTED, Choice.NONE, Notice.NONE)
    now = gateway.clock.now()
    decide_us = cost_us(lambda: gateway.policy.decide(use, tags, standing, now, now), 2000)
    began = time.perf_counter()
    prove(gateway.policy.versions[-1])
    proof_s = time.perf_counter() - began
    median_us = _median_us(lambda: gateway.policy.decide(use, tags, standing, now, now, "google"))
    return {
        "handout in process, lone caller, µs": cost_us(lambda: fresh_token(gateway, house.worker, wanted), 50),
        "seal, µs": cost_us(lambda: key.seal(address, b"x" * 64, generation=1)),
        "open, µs": cost_us(lambda: key.open(address, sealed, generation=1)),
        "policy decisions per second": 1e6 / decide_us,
        "policy decision under a provider's terms, median, µs": median_us,
        "proof of a whole policy version, s": proof_s,
        "ledger entries per second in batches of 500": _entries_per_second(served),
        **_ledger(served),
    }


def _median_us(act: Callable[[], object]) -> float:
    """The median over batches of a hundred, by the wall clock."""
    rounds: list[float] = []
    for _ in range(400):
        began = time.perf_counter()
        for _ in range(100):
            act()
        rounds.append((time.perf_counter() - began) / 100 * 1e6)
    return statistics.median(rounds)


def _entries_per_second(served: Served) -> float:
    entries = [
        Entry("token_handout", served.house.tenant.id, "bench", {"connection": one, "generation": 1})
        for one in served.fresh
    ]
    began = time.perf_counter()
    for _ in range(10):
        with served.store.transaction() as tx:
            append_all(tx, entries)
    return 10 * len(entries) / (time.perf_counter() - began)


def _ledger(served: Served) -> dict[str, float]:
    """Entries per second that get their place in the tree, are verified, and leave as tiles: what was entered above."""
    begun = time.perf_counter()
    placed = 0
    while True:
        with served.store.transaction() as tx:
            batch = sequence(tx, 1_000)
        placed += batch
        if not batch:
            break
    placed_s = time.perf_counter() - begun
    with served.store.transaction() as tx:
        begun = time.perf_counter()
        report = verify(tx)
        verified_s = time.perf_counter() - begun
        begun = time.perf_counter()
        for _ in tiles(tx, report.size, lambda _path: False):
            pass
        tiles_s = time.perf_counter() - begun
    return {
        "ledger places per second in batches of 1,000": placed / placed_s,
        "ledger entries verified per second": report.size / verified_s,
        "ledger entries per second as tiles": report.size / tiles_s,
    }
