"""The one place that reads policy files: a directory with one folder for each version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from connector.policy.decision import Policy
from connector.policy.overlays import check_together, read_overlay
from connector.policy.quotes import check_quotes
from connector.policy.reading import read_rulebook
from connector.policy.rules import PolicyUnreadable
from connector.policy.versions import Version, hash_of

RULES_FILE: Final = "policy.toml"
PROMISES_FILE: Final = "invariants.toml"
OVERLAYS: Final = "overlays"


def load_policy(directory: Path, texts: Path | None = None) -> Policy:
    """Every version under a directory.

    Args:
        directory: one folder for each version.
        texts: the operator's own policy text, which rules may quote: a file, or a folder with one `<version>.txt` for
            each version that quotes.

    Raises:
        PolicyUnreadable: naming the file, the rule and the key that cannot be taken, or the quote that is not in the
            text.
    """
    if not directory.is_dir():
        raise PolicyUnreadable(
            str(directory), "", "no such directory; set [policy] directory to where the versions are"
        )
    folders = sorted(folder for folder in directory.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    return Policy([load_version(folder, texts) for folder in folders])


def load_version(folder: Path, texts: Path | None = None) -> Version:
    """The version in one folder, whose name is the version's. Raises PolicyUnreadable."""
    files = {name: _read(folder / name) for name in (RULES_FILE, PROMISES_FILE)}
    read = {name: _decode(folder / name, raw) for name, raw in files.items()}
    rules, promises = ((str(folder / name), read[name]) for name in (RULES_FILE, PROMISES_FILE))
    book = read_rulebook(rules, promises)
    if book.version != folder.name:
        raise PolicyUnreadable(rules[0], 'key "version"', f'says "{book.version}" but the folder is "{folder.name}"')
    terms = {f"{OVERLAYS}/{path.name}": _read(path) for path in sorted((folder / OVERLAYS).glob("*.toml"))}
    overlays = tuple(
        read_overlay(str(folder / name), _decode(folder / name, raw), book.clauses) for name, raw in terms.items()
    )
    check_together(overlays, book.rules, book.promises)
    quoting = [rule for rule in book.rules if rule.quote]
    if quoting:
        check_quotes(rules[0], quoting, _text_of(texts, book.version, rules[0], quoting[0].id))
    return Version(replace(book, overlays=overlays), hash_of(files | terms))


def _text_of(texts: Path | None, version: str, file: str, rule: str) -> tuple[str, str]:
    """(name, text) of the policy text that a version quotes."""
    if texts is None:
        hint = "quotes the policy's text, but no text is known; set [policy] text to where it is"
        raise PolicyUnreadable(file, f'rule "{rule}", key "quote"', hint)
    path = texts / f"{version}.txt" if texts.is_dir() else texts
    return str(path), _decode(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise PolicyUnreadable(
            str(path), "", f"cannot be read ({missing.strerror}); each version needs it"
        ) from missing


def _decode(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise PolicyUnreadable(str(path), "", "not UTF-8 text") from broken
