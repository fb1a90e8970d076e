"""The one page that people see: who are you, and what may this app do? Plain HTML that works without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import render_template_string

from providers.rehearsal.server.config import SCOPES

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1b22; --paper: #fffdf7; --edge: #6b6675; --go: #23513b; --go-ink: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f3f0f7; --paper: #1c1b22; --edge: #a09aab; --go: #9bd8b5; --go-ink: #10241a; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }
fieldset { border: 1px solid var(--edge); border-radius: .5rem; margin: 1rem 0; padding: .75rem 1rem; }
legend { padding: 0 .4rem; font-weight: 600; }
label.row { display: flex; gap: .6rem; align-items: baseline; padding: .3rem 0; }
input[type=text] { width: 100%; font: inherit; padding: .5rem; border: 1px solid var(--edge); border-radius: .3rem;
  background: transparent; color: inherit; }
button { font: inherit; padding: .6rem 1.2rem; border-radius: .4rem; border: 2px solid var(--go); cursor: pointer; }
button.go { background: var(--go); color: var(--go-ink); }
button.no { background: transparent; color: inherit; border-color: var(--edge); }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px; }
.buttons { display: flex; gap: .75rem; flex-wrap: wrap; }
.note { border-left: .3rem solid var(--edge); padding-left: .75rem; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{{ title }} · Rehearsal</title>
<style>@STYLE@</style>
</head>
<body><main>@BODY@</main></body>
</html>
"""

_AUTHORIZE = """
<h1>{{ client_id }} wants to use your Rehearsal account</h1>
<p class="note">Rehearsal is a pretend provider. Nobody here is real, and no password is asked.</p>
<form method="post" action="{{ action }}">
{% for name, value in hidden.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}
<fieldset>
<legend>Who are you?</legend>
{% for id, name in people %}
<label class="row"><input type="radio" name="person" value="{{ id }}"{% if id == chosen %} checked{% endif %}>
<span>{{ name }}</span></label>
{% endfor %}
<label for="other">Someone else: type a name</label>
<input type="text" id="other" name="other" autocomplete="off" value="{{ other }}">
</fieldset>
<fieldset>
<legend>What may {{ client_id }} do?</legend>
{% for scope in scopes %}
<label class="row">
{% if scope == "openid" %}<input type="checkbox" checked disabled><input type="hidden" name="granted" value="openid">
{% else %}<input type="checkbox" name="granted" value="{{ scope }}" checked>{% endif %}
<span>{{ words[scope] }}</span></label>
{% endfor %}
</fieldset>
<div class="buttons">
<button class="go" type="submit" name="decision" value="approve">Allow</button>
<button class="no" type="submit" name="decision" value="deny">Refuse</button>
</div>
</form>
"""

_PLAIN = "<h1>{{ title }}</h1><p>{{ sentence }}</p>"

# Whole templates, put together once; what comes from outside is filled in by Jinja, which escapes it.
_AUTHORIZE_PAGE = _PAGE.replace("@STYLE@", _STYLE).replace("@BODY@", _AUTHORIZE)
_PLAIN_PAGE = _PAGE.replace("@STYLE@", _STYLE).replace("@BODY@", _PLAIN)


def authorize_page(
    *,
    action: str,
    client_id: str,
    hidden: Mapping[str, str],
    people: Sequence[tuple[str, str]],
    scopes: Sequence[str],
    login_hint: str,
) -> str:
    """The page with people to choose from and scopes to untick. `login_hint` is a person's id, address or name."""
    chosen = login_hint if any(login_hint == person_id for person_id, _ in people) else ""
    return render_template_string(
        _AUTHORIZE_PAGE,
        title="Allow access",
        action=action,
        client_id=client_id,
        hidden=hidden,
        people=people,
        scopes=scopes,
        words=SCOPES,
        chosen=chosen or ("" if login_hint else people[0][0]),
        other="" if chosen else login_hint,
    )


def plain_page(title: str, sentence: str) -> str:
    """A page with one sentence."""
    return render_template_string(_PLAIN_PAGE, title=title, sentence=sentence)


def summary(entry: Mapping[str, Any]) -> tuple[str, str]:
    """How a person is listed: id, and a name to read."""
    address = next((mail["address"] for mail in entry["mail"]), "no e-mail address")
    return entry["id"], f"{entry['display_name']} ({address})"
