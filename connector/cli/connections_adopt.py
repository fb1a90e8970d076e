"""`connector connections adopt`: moving many connections in from a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click

from connector.cli.adoption_file import DONE, REFERENCE, AdoptionFile, Line, Report, write_rejected
from connector.cli.session import Session, session_options
from connector.cli.tenants import chosen_tenant, tenant_option
from connector.clients import find_client
from connector.flows.adopt import Adopted, Arrived, Mover, adopt_all, arrived, wanted_from
from connector.flows.gateway import Gateway
from connector.model.errors import BadInput, ConnectorError, NotFound, TryLater

BATCH = 64
AT_ONCE = 8
TRIES = 3
LONGEST_PAUSE_S = 30.0
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Run:
    """How this run goes: for whom, what every line has that does not say otherwise, and where it is written down."""

    gateway: Gateway
    mover: Mover
    defaults: dict[str, Any]
    report: Report | None
    trial: bool


@click.command(
    "adopt",
    epilog="Examples: connector connections adopt moved.jsonl --dry-run; "
    "connector connections adopt moved.csv --integration google --age-stated",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@tenant_option
@click.option("--app", metavar="CLIENT", help="The client in whose name they come in; absent: the operator's.")
@click.option("--integration", help="For lines that name none.")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="What the file is; else by its name.")
@click.option("--age-stated", is_flag=True, help="Every person in it has stated to the app that they are 13 or older.")
@click.option("--dry-run", is_flag=True, help="Check every line, ask the providers, and adopt none.")
@click.option(
    "--unsafe-skip-verification",
    is_flag=True,
    help="Take the file's word for whose each token is, and ask no provider. Who can write the file can link accounts.",
)
@session_options
def adopt_command(
    session: Session,
    *,
    file: Path,
    tenant: str | None,
    app: str | None,
    integration: str | None,
    form: str | None,
    age_stated: bool,
    dry_run: bool,
    unsafe_skip_verification: bool,
) -> None:
    """Move connections in whose tokens were obtained elsewhere: one a line, JSON or CSV.

    Cut it off at any time and run it again: it goes on where it was, and adopts none twice. FILE.report.jsonl says what
    became of each line; FILE.rejected holds the lines that were refused, tokens and all, to be mended.
    """
    source = AdoptionFile(file, form)
    mover = _mover(session, tenant, app)
    defaults = {
        "integration": integration,
        "age_stated": age_stated or None,
        "unsafe_skip_verification": unsafe_skip_verification or None,
    }
    given = {name: value for name, value in defaults.items() if value is not None}
    report = None if dry_run else Report(file.with_name(file.name + ".report.jsonl"))
    counts: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    total = source.count()
    with session.out.progress("Checking" if dry_run else "Moving in") as tell:
        for entry in _entries(Run(session.gateway, mover, given, report, dry_run), source):
            counts[entry["outcome"]] += 1
            if entry["outcome"] not in DONE:
                refused.append(entry)
            tell(sum(counts.values()), total)
    _end(session, source, report, mover, counts, refused, total)


def _mover(session: Session, tenant: str | None, app: str | None) -> Mover:
    with session.store.read() as tx:
        of = chosen_tenant(tx, tenant)
        client = None if app is None else find_client(tx, session.vault, app)
        if client is not None and client.tenant_id != of.id:
            raise NotFound("client of this tenant", code="unknown_client")
    return Mover(of.id, client)


def _entries(run: Run, source: AdoptionFile) -> Iterator[dict[str, Any]]:
    """Every line's entry, batch after batch. Ends early where a whole batch could not be asked about."""
    lines = source.lines(run.mover.tenant_id)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(lines, BATCH)):
            before = {} if run.report is None else run.report.done
            fresh = [line for line in batch if line.digest not in before]
            yield from ({**before[line.digest], "again": True} for line in batch if line.digest in before)
            entries = _batch(run, fresh, pool)
            if run.report is not None and entries:
                run.report.write(entries)
            yield from entries
            if entries and all(entry["outcome"] == "later" for entry in entries):
                return


def _batch(run: Run, lines: list[Line], pool: ThreadPoolExecutor) -> list[dict[str, Any]]:
    """Ask about all of them side by side, then make them in one transaction."""
    asked = list(pool.map(lambda line: _asked(run, line), lines))
    known = dict(run.report.people) if run.report is not None else {}
    results: list[Adopted | ConnectorError] = []
    waiting: list[Arrived] = []
    named: set[str] = set()

    def flush() -> None:
        results.extend(adopt_all(run.gateway, run.mover, waiting, trial=run.trial))
        waiting.clear()
        named.clear()

    for line, found in zip(lines, asked, strict=True):
        reference = _reference(line)
        if isinstance(found, ConnectorError):
            flush()
            results.append(found)
            continue
        if reference in named:
            flush()  # who the line before it came to decides whose this one is
        if reference is not None:
            _learn(known, lines, results)
            named.add(reference)
        waiting.append(_named(found, known.get(reference or "")))
    flush()
    return [_entry(line, result) for line, result in zip(lines, results, strict=True)]


def _learn(known: dict[str, str], lines: list[Line], results: list[Adopted | ConnectorError]) -> None:
    for line, result in zip(lines, results, strict=False):
        reference = _reference(line)
        if reference is not None and isinstance(result, Adopted) and result.sub is not None:
            known.setdefault(reference, result.sub)


def _named(found: Arrived, sub: str | None) -> Arrived:
    if sub is None or found.wanted.user is not None:
        return found
    return found.for_user(sub)


def _asked(run: Run, line: Line) -> Arrived | ConnectorError:
    if line.values is None:
        return BadInput("bad_line", line.problem)
    given = {name: value for name, value in line.values.items() if name != REFERENCE}
    try:
        wanted = wanted_from({**run.defaults, **given})
        return _patiently(lambda: arrived(run.gateway, run.mover, wanted), run.gateway.clock.sleep)
    except ConnectorError as refusal:
        return refusal


def _patiently(ask: Callable[[], Arrived], sleep: Callable[[float], None]) -> Arrived:
    """A provider that cannot answer now is asked a few times, as late as it says."""
    for attempt in range(1, TRIES + 1):
        try:
            return ask()
        except TryLater as problem:
            if attempt == TRIES:
                raise
            sleep(min(LONGEST_PAUSE_S, float(problem.retry_after_s)))
    raise AssertionError("unreachable: the last attempt returns or raises")


def _reference(line: Line) -> str | None:
    value = None if line.values is None else line.values.get(REFERENCE)
    return value if isinstance(value, str) and value else None


def _entry(line: Line, result: Adopted | ConnectorError) -> dict[str, Any]:
    entry: dict[str, Any] = {"line": line.number, "digest": line.digest}
    reference = _reference(line)
    if reference is not None:
        entry[REFERENCE] = reference
    if isinstance(result, Adopted):
        done = {"outcome": result.outcome, "connection": result.connection_id, "user": result.sub}
        return entry | done | {"verified": result.verified}
    outcome = "later" if isinstance(result, TryLater) else "refused"
    return entry | {"outcome": outcome, "code": result.code, "hint": result.hint}


def _end(  # noqa: PLR0917  the end tells of all of these
    session: Session,
    source: AdoptionFile,
    report: Report | None,
    mover: Mover,
    counts: Counter[str],
    refused: list[dict[str, Any]],
    total: int,
) -> None:
    rejected = source.path.with_name(source.path.name + ".rejected")
    if report is not None:
        report.close()
        write_rejected(source, rejected, frozenset(entry["digest"] for entry in refused), mover.tenant_id)
    left = total - sum(counts.values())
    value = {
        "file": str(source.path),
        "lines": total,
        "dry_run": report is None,
        **{word: counts[word] for word in ("adopted", "renewed", "unchanged", "kept", "refused", "later")},
        "not_reached": left,
        "rejected_file": str(rejected) if refused and report is not None else None,
        "problems": [{name: entry[name] for name in ("line", "code", "hint")} for entry in refused],
    }
    session.out.document(value, lambda: _tell(session, value, refused))
    if refused or left:
        raise click.exceptions.Exit(1)


def _tell(session: Session, value: dict[str, Any], refused: list[dict[str, Any]]) -> None:
    words = "would be " if value["dry_run"] else ""
    session.out.say(
        f"{value['lines']} lines: {words}{value['adopted']} adopted, {value['renewed']} renewed, "
        f"{value['unchanged']} unchanged, {value['kept']} kept with newer tokens, {value['refused']} refused, "
        f"{value['later']} to be tried again, {value['not_reached']} not reached."
    )
    for entry in refused[:SHOWN]:
        session.out.say(f"  line {entry['line']}: {entry['code']}: {entry['hint']}")
    if len(refused) > SHOWN:
        session.out.say(f"  … and {len(refused) - SHOWN} more; all of them stand in the report.")
    if value["rejected_file"]:
        session.out.say(f"The refused lines, with their tokens, are in {value['rejected_file']}: mend and hand in.")
