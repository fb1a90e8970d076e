"""`make provider NAME=…`: everything that can be said about one entry without asking the provider, in words.

    python -m tests.contracts spotify                   a shipped entry
    python -m tests.contracts drafts/spotify.toml …     files that are not shipped yet

Exit 0: nothing is wrong. 1: something is, told with file and line or as the clause that does not hold. 2: misused.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from providers.catalogue import ENTRIES, CatalogueError, Entry, read_entry
from tests.contracts.entry import CLAUSES, broken


def main(arguments: list[str]) -> int:
    """Check each, print what is wrong. Returns the exit code."""
    if not arguments or not all(arguments):
        sys.stdout.write("Name a provider: make provider NAME=github, or files: make provider NAME='a.toml b.toml'.\n")
        return 2
    wrong = 0
    for named in arguments:
        path = Path(named) if named.endswith(".toml") else ENTRIES / f"{named}.toml"
        sentences = list(check(path))
        wrong += bool(sentences)
        sys.stdout.writelines(f"{sentence}\n" for sentence in sentences)
    return 1 if wrong else 0


def check(path: Path) -> Iterator[str]:
    """What is wrong with one entry; a line that says how good it is goes to standard output."""
    try:
        entry = read_entry(path)
    except FileNotFoundError:
        yield f"{path}: there is no such entry. Write it as docs/house.md says, under Adding a provider."
        return
    except CatalogueError as error:
        yield f"{path.parent}/{error}"
        return
    if entry.adapter:
        sys.stdout.write(f"{_told(entry)} Its adapter is {entry.adapter}: its contract is tests/contracts/.\n")
        return
    sentences = [f"{path}: {sentence}" for sentence in broken(entry)]
    if not sentences:
        sys.stdout.write(f"{_told(entry)} All {len(CLAUSES)} clauses of the contract hold.\n")
    yield from sentences


def _told(entry: Entry) -> str:
    can = ", ".join(word.replace("_", " ") for word in entry.capabilities)
    return f"{entry.title} ({entry.protocol}): {can}; {len(entry.sources)} sources, verified {entry.verified_on}."


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
