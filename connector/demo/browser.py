"""A browser without scripts, as far as the walkthrough needs one: cookies, redirects, forms read and sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

TIMEOUT_S = 30.0


@dataclass(slots=True)
class Field:
    """One control of a form as it came: what it would send, and whether it would."""

    name: str
    value: str
    kind: str
    sent: bool


@dataclass(slots=True)
class Form:
    """A form of a page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def options(self, name: str) -> list[Field]:
        """The boxes and buttons of that name."""
        return [one for one in self.fields if one.name == name]

    def choose(self, name: str, *values: str) -> None:
        """Tick exactly these of that name. Raises LookupError where the page does not offer one."""
        offered = {one.value for one in self.options(name)}
        for value in values:
            if value not in offered:
                raise LookupError(f"The page offers no {name}={value}, only {sorted(offered)}")
        for one in self.options(name):
            one.sent = one.value in values

    def data(self) -> list[tuple[str, str]]:
        """What the browser would send, before a button is pressed."""
        return [(one.name, one.value) for one in self.fields if one.sent and one.name]


class _Reader(HTMLParser):
    """Collects the forms and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._hidden = tag in {"style", "script"}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag in {"input", "button"} and self.forms and "disabled" not in given:
            kind = given.get("type", "submit" if tag == "button" else "text")
            sent = kind not in {"checkbox", "radio", "submit", "button"} or "checked" in given
            self.forms[-1].fields.append(Field(given.get("name", ""), given.get("value", ""), kind, sent))

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]

    @property
    def query(self) -> dict[str, str]:
        """The parameters in its address."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


class Browser:
    """One person's browser. `stop_at`: an address that is not opened, but shown as an empty page (the app's own)."""

    def __init__(self, stop_at: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._stop_at = stop_at

    def open(self, url: str) -> Page:
        """Go to an address, following redirects."""
        return self._follow(self._session.get(url, allow_redirects=False, timeout=TIMEOUT_S))

    def send(self, page: Page, form: Form, **button: str) -> Page:
        """Press a button of a form."""
        data = [*form.data(), *button.items()]
        url = urljoin(page.url, form.action)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        headers = {"Origin": origin, "Referer": page.url}
        return self._follow(
            self._session.post(url, data=data, headers=headers, allow_redirects=False, timeout=TIMEOUT_S)
        )

    def _follow(self, answer: requests.Response) -> Page:
        while answer.is_redirect:
            target = urljoin(answer.url, answer.headers["Location"])
            if target.startswith(self._stop_at):
                return Page(target, 200, "", ())
            answer = self._session.get(target, allow_redirects=False, timeout=TIMEOUT_S)
        reader = _Reader()
        reader.feed(answer.text)
        return Page(answer.url, answer.status_code, " ".join(reader.words), tuple(reader.forms))
