"""The one place that reads policy files: a directory with one folder for each version."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connector.policy.decision import Policy
from connector.policy.rules import PolicyUnreadable, read_rulebook
from connector.policy.versions import Version, hash_of

RULES_FILE: Final = "policy.toml"
PROMISES_FILE: Final = "invariants.toml"


def load_policy(directory: Path) -> Policy:
    """Every version under a directory.

    Raises:
        PolicyUnreadable: naming the file, the rule and the key that cannot be taken.
    """
    if not directory.is_dir():
        raise PolicyUnreadable(
            str(directory), "", "no such directory; set [policy] directory to where the versions are"
        )
    folders = sorted(folder for folder in directory.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    return Policy([load_version(folder) for folder in folders])


def load_version(folder: Path) -> Version:
    """The version in one folder, whose name is the version's. Raises PolicyUnreadable."""
    files = {name: _read(folder / name) for name in (RULES_FILE, PROMISES_FILE)}
    texts = {name: _decode(folder / name, raw) for name, raw in files.items()}
    rules, promises = ((str(folder / name), texts[name]) for name in (RULES_FILE, PROMISES_FILE))
    book = read_rulebook(rules, promises)
    if book.version != folder.name:
        raise PolicyUnreadable(rules[0], 'key "version"', f'says "{book.version}" but the folder is "{folder.name}"')
    return Version(book, hash_of(files))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as missing:
        raise PolicyUnreadable(
            str(path), "", f"cannot be read ({missing.strerror}); each version has both files"
        ) from (missing)


def _decode(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise PolicyUnreadable(str(path), "", "not UTF-8 text") from broken
