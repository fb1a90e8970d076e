"""The contract of every plain entry; and its twins: an entry that is wrong in one word fails it."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers import catalogue
from tests.contracts.entry import Case, broken, plain
from tests.contracts.shapes import SHAPES, Changes, shaped


@pytest.mark.parametrize("name", plain())
def test_an_entry_keeps_the_contract_against_the_provider_made_from_it(name: str) -> None:
    assert list(broken(catalogue.entry(name))) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_way_of_differing_keeps_the_contract(tmp_path: Path, shape: str) -> None:
    assert list(broken(shaped(tmp_path, SHAPES[shape]))) == []


BASIC, POST = "client_secret_basic", "client_secret_post"
WRONG: dict[str, tuple[str, Changes]] = {
    "Basic where the body is wanted": ("secret in the body", {BASIC: BASIC}),
    "the body where Basic is wanted": ("by the book", {BASIC: POST}),
    "nothing where Basic is wanted": ("by the book", {BASIC: "none"}),
    "spaces where commas are wanted": ("commas", {}),
    "commas where spaces are wanted": ("by the book", SHAPES["commas"]),
    "the answer's commas forgotten": ("commas there, spaces back", SHAPES["commas"]),
    "PKCE left out where it is required": ("by the book", {'pkce = "required"': 'pkce = "none"'}),
    "PKCE sent where it is refused": ("no PKCE", {}),
    "a form where JSON is wanted": ("JSON to the token endpoint", {}),
    "JSON read where a form comes": ("form-encoded answers", {}),
    "offline access not asked for": ("offline by a parameter", {}),
    "not pushed": ("pushed requests", {}),
    "the client's usual names": ("other names for the client", {BASIC: POST}),
    "the token looked for at the top": ("a nested token", {}),
    "errors with 200 not known": ("a number that is not 0", {}),
    "error numbers not known": ("numbers for errors", {}),
    "rotation taken for reuse": ("by the book", {'model = "rotating"': 'model = "reusable"'}),
    "refreshed at the token endpoint": (
        "a reusable refresh token at an endpoint of its own", {'model = "rotating"': 'model = "reusable"'}
    ),
    "POST where DELETE is wanted": ("DELETE with the client's Basic and the token in JSON", {}),
    "the client where the bearer is wanted": ("revocation by the bearer alone", {}),
    "a secret where none is wanted": ("revocation by nobody, one token after the other", {}),
    "one token revoked where each has to be": (
        "revocation by nobody, one token after the other",
        {"[scopes.me]": '[revocation]\nauthentication = "none"\ntoken_type_hint = false\n\n[scopes.me]'},
    ),
    "GET where GraphQL is wanted": ("GraphQL", {}),
    "the subject elsewhere": ("by the book", {'subject = "id"': 'subject = "uid"'}),
    "the name elsewhere": ("by the book", {"display_name": "full_name"}),
    "the root forgotten": ("an answer in a list", {}),
    "Bearer where OAuth is wanted": ("another scheme", {}),
    "Authorization where another header is wanted": ("another header", {}),
    "a limit's reset misread": (
        "a reset header",
        {"[scopes.me]": SHAPES["a reset header"]["[scopes.me]"].replace("epoch_s", "seconds")},
    ),
    "registered by RFC 7591 where a form is wanted": (
        "apps that register themselves, by Mastodon's form",
        {'url = "https://shape.example/apps"': 'url = "https://shape.example/apps"\nendpoint = "https://login.shape.example/api/v1/apps"\nprotocol = "rfc7591"'},  # noqa: E501
    ),
    "another issuer": ("OpenID Connect", {**SHAPES["OpenID Connect"], 'issuer = "https://login.': 'issuer = "https://id.'}),
    "another authorization endpoint": ("by the book", {"shape.example/authorize": "shape.example/auth"}),
    "another token endpoint": ("by the book", {"shape.example/token": "shape.example/tokens"}),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_twin_an_entry_that_is_wrong_in_one_word_fails(tmp_path: Path, wrong: str) -> None:
    right, changes = WRONG[wrong]

    sentences = list(broken(shaped(tmp_path, changes), truth=shaped(tmp_path, SHAPES[right])))

    assert sentences
    assert all(sentence.startswith("Does not hold: ") for sentence in sentences)


def test_twin_a_capability_that_the_adapter_lacks_is_told(tmp_path: Path) -> None:
    entry = shaped(tmp_path, {})
    lacking = Case(shaped(tmp_path, SHAPES["no revocation"])).adapter

    told = [sentence for sentence in broken(entry, adapter=lacking) if "capabilities" in sentence]

    assert len(told) == 1
