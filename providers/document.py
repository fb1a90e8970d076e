"""Writes docs/providers/ from the catalogue: an index, and a page for each sector with a section for each provider.

    python -m providers.document [DIR]

A test compares the pages with what would be written now, so that they never say anything else than the entries do.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from providers import catalogue
from providers.entries.reading import NOT_BUILT
from providers.entries.values import Entry

DOCS = Path(__file__).resolve().parents[1] / "docs" / "providers"
INDEX = "README.md"

_SECTORS: Mapping[str, str] = {
    "identity": "Identity",
    "social": "Social networks",
    "messaging": "Messaging and meetings",
    "developer": "Developers' tools",
    "work": "Work and projects",
    "files": "Files and design",
    "mail": "Mail and calendars",
    "crm": "Sales",
    "support": "Support",
    "commerce": "Commerce",
    "finance": "Money",
    "media": "Music, film and reading",
    "games": "Games",
    "health": "Health and sport",
    "education": "Learning",
    "travel": "Travel and places",
    "marketing": "Marketing",
    "data": "Data and surveys",
    "hardware": "Things at home and on the road",
    "other": "Others",
}
_REFRESH: Mapping[str, str] = {
    "none": "there is none",
    "exchange": "a live access token is exchanged for a longer one",
    "reusable": "a refresh token that stays",
    "rotating": "each use gives a new refresh token",
    "fixed": "a refresh token that ends at a fixed time after the first grant",
    "unknown": "not documented: what comes back is always kept",
}
_ENDS: Mapping[str, str] = {
    "token": "the token that is sent",
    "grant": "this grant with all its tokens",
    "account": "everything the app has of the account",
    "none": "nothing: there is no call for it",
    "unknown": "not documented: taken for everything the app has of the account",
}
_ACCESS: Mapping[str, str] = {
    "open": "Anybody can register an app.",
    "review": "Anybody can register an app; going live takes a review.",
    "partner": "Apps are for partners.",
    "unknown": "",
}
_HEAD = (
    f"Made from `providers/catalogue`. [All providers]({INDEX}). A capability that a table does not name is not built\n"
    "for that provider, or not offered there.\n"
)
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    entries = [catalogue.entry(name) for name in catalogue.names()]
    by_sector = {sector: [one for one in entries if one.sector == sector] for sector in _SECTORS}
    made = {f"{sector}.md": _page(sector, found) for sector, found in by_sector.items() if found}
    return {INDEX: _index(entries), **made}


def _index(entries: list[Entry]) -> str:
    lines = [
        "# Providers\n",
        f"{len(entries)} providers, made from `providers/catalogue` by `python -m providers.document`.",
        "Each name leads to what the provider can do, how an app is registered there, and what is odd about it, with",
        "the date on which it was last compared with its sources. What one lacks is said in words, never faked.\n",
        "`connector providers show NAME` prints the same; [the house](../house.md#adding-a-provider) says how one more",
        "is added, and `make provider NAME=…` checks it.\n",
        "How far to trust an entry: its two addresses, authorization and token, stand in at least two sources that",
        "do not copy each other as far as can be seen; most are client libraries that are used with the provider.",
        "The page where an app is registered, and claims beyond account, name and e-mail, were not looked up for",
        "most. An entry is tried against a strict provider made from it, which shows that it is consistent; only a",
        "run against the real provider shows that it is true, and none was made. What no source says is empty here",
        "and `unknown` there, and is treated as the careful case.\n",
        "| provider | name | refresh | end a grant | profile | contacts | write | PKCE | verified |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in sorted(entries, key=lambda one: one.title.casefold()):
        can = ("refresh", "revoke", "import_profile", "import_contacts", "write_back")
        marks = " | ".join("yes" if entry.can(word) else "" for word in can)
        pkce = {"required": "required", "supported": "yes", "none": "no", "unknown": ""}[entry.pkce]
        link = f"[{entry.title}]({entry.sector}.md#{_anchor(entry.title)})"
        lines.append(f"| {link} | `{entry.name}` | {marks} | {pkce} | {entry.verified_on} |")
    return "\n".join([*lines, ""])


def _page(sector: str, entries: list[Entry]) -> str:
    lines = [f"# {_SECTORS[sector]}\n", _HEAD]
    for entry in sorted(entries, key=lambda one: one.title.casefold()):
        lines += _section(entry)
    return "\n".join(lines).rstrip() + "\n"


def _section(entry: Entry) -> Iterable[str]:
    spoken = "OpenID Connect" if entry.protocol == "openid" else "OAuth 2.0"
    sources = ", ".join(f"[{number}]({url})" for number, url in enumerate(entry.sources, 1) if "://" in url)
    told = f"; sources {sources}" if sources else ""
    yield f"## {entry.title}\n"
    yield f"`{entry.name}`, {spoken}. Verified on {entry.verified_on}{told}.\n"
    yield from _rows(("can", "", "in words"), _abilities(entry))
    yield from _register(entry)
    yield from _rows(("fact", ""), _facts(entry))
    scopes = [
        (f"`{name}`", each.words, ", ".join((*each.imports, *each.writes))) for name, each in entry.scopes.items()
    ]
    yield from _rows(("scope", "opens", "used for"), scopes)
    yield from _rows(("setting", "in words"), [(f"`{name}`", words) for name, words in entry.settings.items()])
    yield from (f"- {words}" for words in _quirks(entry))
    yield ""


def _abilities(entry: Entry) -> Iterable[tuple[str, ...]]:
    for word in catalogue.CAPABILITIES:
        words = entry.lacks.get(word) or entry.conditions.get(word, "")
        if words == NOT_BUILT.get(word):
            continue  # the head of the page says it once for all
        yield word.replace("_", " "), "yes" if entry.can(word) else "no", words


def _register(entry: Entry) -> Iterable[str]:
    where, access = entry.registration, _ACCESS[entry.registration.access]
    link = f"[Register an app]({where.url})." if where.url else ""
    if said := " ".join(filter(None, (link.strip(), access, where.words))):
        yield f"{said}\n"
    if where.steps:
        yield from (f"{number}. {step}" for number, step in enumerate(where.steps, 1))
        yield ""


def _facts(entry: Entry) -> Iterable[tuple[str, str]]:
    methods = ", ".join(f"`{method}`" for method in entry.token.authentication)
    lives = entry.code_lifetime_s
    rows = {
        "authorization": _address(entry.authorization_endpoint),
        "token": _address(entry.token_endpoint),
        "client authentication": methods,
        "PKCE": {"none": "not taken", "unknown": "not documented; it is sent"}.get(entry.pkce, entry.pkce),
        "pushed requests": _address(entry.pushed_authorization_request_endpoint),
        "code lives": f"{span(lives)}" if lives is not None else "not documented",
        "access token lives": span(entry.refresh.access_ttl_s),
        "refresh": _refresh(entry),
        "end of a grant": _address(entry.revocation_endpoint),
        "which ends": _ENDS[entry.revocation_scope],
        "profile": _address(entry.userinfo_endpoint),
        "limits": entry.limits.words,
        "by hand": f"[change the profile]({entry.deep_link})" if entry.deep_link else "",
        "privacy policy": f"[read it]({entry.policy_url})" if entry.policy_url else "",
    }
    return [(name, value) for name, value in rows.items() if value]


def _refresh(entry: Entry) -> str:
    model = entry.refresh
    more = [
        f"it lives {span(model.refresh_ttl_s)}" if model.refresh_ttl_s else "",
        f"unused {span(model.refresh_idle_ttl_s)}" if model.refresh_idle_ttl_s else "",
        f"the old one works {span(int(model.grace_s))} more" if model.grace_s else "",
        f"only with `{model.needs_scope}`" if model.needs_scope else "",
    ]
    return "; ".join(filter(None, (_REFRESH[model.model], *more)))


def _quirks(entry: Entry) -> Iterable[str]:
    """What differs from the standard, from the entry's own facts, then what somebody noted with a date."""
    constants = ", ".join(f"`{name}={value}`" for name, value in entry.authorization.parameters.items())
    differing = {
        f"Scopes are parted by `{entry.scope_separator}`.": entry.scope_separator != " ",
        f"Scopes are sent as `{entry.authorization.scope_parameter}`.": entry.authorization.scope_parameter != "scope",
        f"The client id is called `{entry.client_id_parameter}`.": entry.client_id_parameter != "client_id",
        f"The authorization request also says {constants}.": bool(constants),
        "The token endpoint wants JSON.": entry.token.body == "json",
        "Tokens come form-encoded.": entry.token.answer == "form",
        "Tokens may come form-encoded.": entry.token.answer == "json_or_form",
        f"The access token is at `{entry.token.fields.get('access_token')}` in the answer.": (
            "access_token" in entry.token.fields
        ),
        "Errors come with status 200.": entry.errors.with_status_200,
        f"Every grant opens {' and '.join(entry.imports_always)}, without a scope.": bool(entry.imports_always),
    }
    yield from (sentence for sentence, holds in differing.items() if holds)
    yield from (f"It can send, though nothing here takes it yet: {words}" for words in entry.documented_signals)
    for quirk in entry.quirks:
        source = f" ([source]({quirk.source}))" if quirk.source else ""
        yield f"{quirk.on}: {quirk.words}{source}"


def span(seconds: int | None) -> str:
    """A duration in the largest unit of which it has two, such as 60 days; "" where nobody says."""
    if seconds is None:
        return ""
    size, unit = next((each for each in _UNITS if seconds >= 2 * each[0] or seconds == each[0]), _UNITS[-1])
    number = round(seconds / size)
    about = "" if seconds % size == 0 else "about "
    return f"{about}{number:,} {unit}{'' if number == 1 else 's'}"


def _address(url: str) -> str:
    return f"`{url}`" if url else ""


def _anchor(title: str) -> str:
    """The anchor of a heading, as it is made where pages are shown."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _rows(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    listed = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    if listed:
        yield f"| {' | '.join(columns)} |"
        yield "|---" * len(columns) + "|"
        yield from (f"| {row} |" for row in listed)
        yield ""


def main(arguments: list[str]) -> int:
    """Write every page, and take away those that nothing stands behind any more."""
    folder = Path(arguments[0]) if arguments else DOCS
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
