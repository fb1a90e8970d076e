"""The whole story, over real HTTP between real processes. Each step acts, and holds what must be true of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import requests

from connector.demo.actors import hold
from connector.demo.stage import command_json
from connector.demo.story import Story, contacts, delivered, eventually, final_receipt, profile_with

PERSON = "ada"
NEW_PHONE = "+46 8 555 0199"
SHORT_LIFE_S = 15  # of the first token, so that a refresh falls into the story


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a title, and what does it; it answers in words what was checked."""

    title: str
    act: Callable[[Story], list[str]]


def discovery(story: Story) -> list[str]:
    """The gateway says what it is."""
    answer = requests.get(f"{story.stage.gateway}/.well-known/openid-configuration", timeout=10)
    said = answer.json()
    hold(said["issuer"] == story.stage.gateway, f"the issuer {story.stage.gateway}", said["issuer"])
    hold(said["code_challenge_methods_supported"] == ["S256"], "PKCE with S256 alone", said)
    ready = requests.get(f"{story.stage.gateway}/readyz", timeout=10)
    hold(ready.ok, "the gateway to be ready", ready.text)
    return ["Any OpenID Connect library can begin here: issuer, client id, secret, PKCE."]


def beginning(story: Story) -> list[str]:
    """The app pushes its request; a browser could not have said the same."""
    story.rehearsal.set(access_token_s=SHORT_LIFE_S)
    story.asked = story.app.begin(offer_push="phones", integration=story.stage.integration)
    forged = requests.get(
        f"{story.stage.gateway}/oauth/authorize", params=story.asked, allow_redirects=False, timeout=10
    )
    hold("invalid_request" in forged.headers.get("Location", forged.text), "offer_push refused on a plain request")
    pushed = story.app.post_form("/oauth/par", story.asked)
    hold(pushed.status_code == 201, "201 from /oauth/par", pushed.text)  # noqa: PLR2004  RFC 9126 section 2.2
    story.asked["request_uri"] = pushed.json()["request_uri"]
    return ["Pushed with client authentication (RFC 9126).", "The same from a browser was refused: invalid_request."]


def notice(story: Story) -> list[str]:
    """Before the provider: what will be imported, and what may be sent back. Nothing is ticked."""
    url = f"{story.stage.gateway}/oauth/authorize?client_id={story.app.credentials[0]}"
    page = story.browser.open(f"{url}&request_uri={story.asked['request_uri']}")
    hold(page.status == 200 and page.forms, "the notice with its form", f"{page.status} {page.text[:200]}")  # noqa: PLR2004
    form = page.forms[0]
    hold("2019-03-11" in page.text, "the policy's version on the page", page.text[:400])
    hold(form.options("push"), "the choice to send phone numbers on")
    hold(not any(one.sent for one in form.options("push")), "no push choice ticked beforehand")
    form.choose("push", "phones")
    if form.options("age"):
        form.choose("age", "yes")
    story.page = story.browser.send(page, form, action="go")
    hold(story.page.url.startswith(story.stage.rehearsal), "to be sent to Rehearsal", story.page.url)
    return ["The page named the policy's version and what is imported.", "Ada ticked: send my phone number on."]


def consent(story: Story) -> list[str]:
    """At the provider."""
    page = story.page
    hold(page is not None and page.forms, "Rehearsal's own page")
    assert page is not None  # noqa: S101  held above; for the type checker
    form = page.forms[0]
    form.choose("person", PERSON)
    story.page = story.browser.send(page, form, decision="approve")
    hold(story.page.url.startswith(story.stage.callback), "to come back to the app", story.page.url)
    back = story.page.query
    hold(back.get("state") == story.asked["state"], "the app's own state", back)
    hold(back.get("iss") == story.stage.gateway, "iss to name the gateway (RFC 9207)", back)
    hold(not story.rehearsal.live_tokens(PERSON), "no provider token before the app redeems its code")
    return [
        "Back at the app with a code, its state and iss.",
        "No provider token exists yet: finish belongs to who began.",
    ]


def redeeming(story: Story) -> list[str]:
    """The app finishes what it began."""
    assert story.page is not None  # noqa: S101  the step before put it there
    answer = story.app.redeem(story.page.query["code"])
    hold(answer.ok, "tokens for the code", answer.text)
    claims = story.app.checked(answer.json()["id_token"], story.asked["nonce"])
    hold(claims["idp"] == "rehearsal", "idp to be rehearsal", claims.get("idp"))
    hold("refresh_token" not in answer.json(), "no refresh token to leave the vault")
    story.sub, story.connection = claims["sub"], answer.json()["connection"]
    hold(claims["connection"] == story.connection, "the same connection in the ID token", claims)
    return [f"ID token verified: RS256, issuer, audience, nonce. Ada is {story.sub[:12]}… here."]


def imported(story: Story) -> list[str]:
    """The worker process imports profile and contacts; every value carries its tags and its origin."""
    profile = eventually(lambda: profile_with(story, at_least="name"), "the imported profile")
    values = profile["values"]
    for value in values:
        tags = value["tags"]
        hold(tags["source"] == "imported" and tags["category"], "every value tagged as imported, by category", value)
        hold(value["origin"], "every value with its origin", value)
    people = eventually(lambda: contacts(story), "the imported contacts")
    hold(all("notes" not in one["card"] for one in people), "no private note among what an app reads")
    held = requests.get(
        f"{story.stage.gateway}/v1/users/{story.sub}/profile", params={"purpose": "service"}, timeout=10
    )
    hold(held.status_code == 401, "401 without a token", held.status_code)  # noqa: PLR2004
    kinds = ", ".join(sorted({value["tags"]["category"] for value in values}))
    return [f"{len(values)} values of the profile ({kinds}) and {len(people)} contacts, each with tags and origin."]


def token(story: Story) -> list[str]:
    """A worker of the app's takes a fresh provider token."""
    answer = story.worker.exchange(story.connection, purpose="service", min_ttl="1")
    hold(answer.ok, "a token by token exchange", answer.text)
    said = answer.json()
    hold("refresh_token" not in said, "never a refresh token")
    story.token = said["access_token"]
    me = story.rehearsal.me(story.token)
    hold(me.ok and me.json()["id"] == PERSON, "the token to work at Rehearsal", me.text)
    hold(not answer.headers.get("Set-Cookie"), "no cookie on a token")
    return [f"Token exchange (RFC 8693) under clause {said.get('clause', '?')}; Rehearsal accepted it."]


def refreshed(story: Story) -> list[str]:
    """The token ends; the next is fetched with rotation, once, whoever asks."""
    story.rehearsal.set(access_token_s=300)

    def another() -> str | None:
        answer = story.worker.exchange(story.connection, purpose="service", min_ttl=str(int(SHORT_LIFE_S * 0.8)))
        hold(answer.ok, "a token whose life is long enough", answer.text)
        found = str(answer.json()["access_token"])
        return found if found != story.token else None

    story.token = eventually(another, "a new access token")
    hold(story.rehearsal.me(story.token).ok, "the new token to work at Rehearsal")
    log = story.rehearsal.log()
    used = [one for one in log["refresh_tokens"] if one["uses"]]
    hold(used and all(len(one["uses"]) == 1 for one in used), "each refresh token used once", used)
    hold(not log["reuse"], "no refresh token used twice", log["reuse"])
    return [f"Rotated {len(used)} time(s): each refresh token was used exactly once, says Rehearsal."]


def pushed(story: Story) -> list[str]:
    """Ada types a new number in the app. It goes where she said, and nowhere else."""
    before = len(story.rehearsal.log()["writes"])
    change = {"phones": {"p1": {"number": NEW_PHONE}}, "emails": {"e1": {"address": "ada.new@example.org"}}}
    answer = story.app.call("PATCH", f"/v1/users/{story.sub}/profile", change)
    hold(answer.ok, "the change to be taken", answer.text)
    done = eventually(lambda: delivered(story), "the delivery to be done")
    writes = [one for one in story.rehearsal.log()["writes"][before:] if one["effect"]]
    hold(len(writes) == 1, "one effect at Rehearsal", writes)
    hold(writes[0]["fields"] == ["phones"], "the phone number alone to be written", writes[0]["fields"])
    me = story.rehearsal.me(story.token).json()
    numbers = [one["number"].replace(" ", "") for one in me["phones"]]
    hold(NEW_PHONE.replace(" ", "") in numbers, "the number at Rehearsal", numbers)
    addresses = [one["address"] for one in me["mail"]]
    hold("ada.new@example.org" not in addresses, "the e-mail address not to be sent: she did not tick it", addresses)
    return [
        f"Delivery {done['id'][:12]}… is done; Rehearsal saw one write, of the phone number alone.",
        "The e-mail address she typed in too stayed here: that box was not ticked.",
    ]


def refused(story: Story) -> list[str]:
    """Somebody granted a worker the purpose `sell`. The policy does not."""
    answer = story.worker.exchange(story.connection, purpose="sell")
    said = answer.json()
    hold(answer.status_code == 400, "400", answer.status_code)  # noqa: PLR2004  RFC 8693 section 2.2.2
    hold(said["error"] == "invalid_request" and said["code"] == "refused", "invalid_request, refused", said)
    hold(said.get("clause"), "the clause that refused it", said)
    hold("access_token" not in said, "no token")
    return [said["error_description"]]


def revoked(story: Story) -> list[str]:
    """Ada revokes. Handouts end at once, the provider is told, a receipt says so."""
    answer = story.app.call("DELETE", f"/v1/connections/{story.connection}")
    hold(answer.status_code == 202, "202 with a receipt", f"{answer.status_code} {answer.text}")  # noqa: PLR2004
    again = story.worker.exchange(story.connection, purpose="service")
    hold(again.status_code == 400 and again.json()["code"] == "revoked", "no more tokens: revoked", again.text)  # noqa: PLR2004
    eventually(lambda: not story.rehearsal.live_tokens(PERSON) or None, "every token of Ada's dead at Rehearsal")
    hold(story.rehearsal.me(story.token).status_code == 401, "the token handed out before to be dead")  # noqa: PLR2004
    closed = profile_with(story, at_least="")
    left = [value for value in (closed or {"values": []})["values"] if value["tags"]["source"] == "imported"]
    hold(not left, "imported values closed to the app", left[:1])
    return ["The next token exchange answered: revoked.", "Rehearsal ended the grant; what was imported is closed."]


def receipt(story: Story) -> list[str]:
    """The receipt, checked offline, with nothing but the file and the public keys."""
    content = eventually(lambda: final_receipt(story), "the final receipt")
    file = story.stage.folder / "receipt.json"
    file.write_bytes(content)
    keys = story.stage.folder / "jwks.json"
    keys.write_bytes(requests.get(f"{story.stage.gateway}/oauth/jwks", timeout=10).content)
    code, verdict = command_json(story.stage.folder, "receipts", "verify", str(file), "--keys", str(keys))
    hold(code == 0 and verdict["valid"] and verdict["trusted"], "a valid receipt", verdict)
    hold(verdict["body"]["provider_outcome"] == "confirmed", "the provider's confirmation in it", verdict["body"])
    story.receipt = verdict["body"]
    forged = json.loads(content)
    forged["entry"]["at"] += 1
    file.write_text(json.dumps(forged), encoding="utf-8")
    code, verdict = command_json(story.stage.folder, "receipts", "verify", str(file), "--keys", str(keys))
    hold(code == 1 and not verdict["valid"], "a changed receipt to be refused", verdict)
    return [
        "connector receipts verify: signature, commitment, checkpoint and inclusion proof hold, offline.",
        "One digit changed: refused.",
    ]


def ledger(story: Story) -> list[str]:
    """The whole ledger, recomputed."""
    code, report = command_json(story.stage.folder, "ledger", "verify", "--config", str(story.stage.config))
    hold(code == 0 and report["ok"] and report["size"] > 0, "a sound ledger", report)
    return [f"connector ledger verify: {report['size']} entries, nothing changed, moved or removed."]


STEPS = (
    Step("The gateway describes itself", discovery),
    Step("A web app begins a sign-up", beginning),
    Step("Ada reads the notice and chooses", notice),
    Step("Ada allows it at Rehearsal", consent),
    Step("The app redeems its code", redeeming),
    Step("Profile and contacts arrive under policy tags", imported),
    Step("A worker takes its first token", token),
    Step("The token is refreshed, with rotation", refreshed),
    Step("Ada's new phone number goes where she said", pushed),
    Step("The policy refuses, and cites its clause", refused),
    Step("Ada revokes", revoked),
    Step("The receipt is checked offline", receipt),
    Step("The ledger is verified", ledger),
)
