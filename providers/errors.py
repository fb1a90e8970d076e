"""How a provider's failure is sorted, once, for every adapter.

rejected            gone for good: this grant will not work again (invalid_grant, token revoked)
insufficient_scope  the grant lives but does not reach this far
try_later           answered, but not now: 429, 5xx with an error of its own; `retry_after_s` where it said
misconfigured       our registration is wrong there (invalid_client, unauthorized_client, invalid_scope)
ambiguous           it may have happened: no whole answer, or one that cannot be read after a send
garbage             an answer that means nothing where nothing was at stake
conflict            a write met a newer state there
unsupported         the provider cannot do this; the hint says so in words
denied              the person (or the provider for them) said no
mismatch            the answer is for another issuer, audience, nonce or account
"""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "rejected",
    "insufficient_scope",
    "try_later",
    "misconfigured",
    "ambiguous",
    "garbage",
    "conflict",
    "unsupported",
    "denied",
    "mismatch",
]


class ProviderError(Exception):
    """A provider said no, or said nothing that can be used.

    Attributes:
        kind: how it is sorted (see the module).
        code: a machine word, the provider's own where it is one of the known words.
        hint: a sentence for people, never the provider's own text.
        retry_after_s: seconds, where the provider said when.
    """

    def __init__(self, kind: Kind, code: str, hint: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{kind}/{code}: {hint}")
        self.kind: Kind = kind
        self.code = code
        self.hint = hint
        self.retry_after_s = retry_after_s
