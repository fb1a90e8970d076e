"""The few errors of the gateway, sorted once.

    ConnectorError
    ├── BadInput          400  the caller can mend the request
    │   └── InvalidTarget 400  a well-formed request for something that cannot be had
    ├── Unauthenticated   401  who asks is not known
    ├── Forbidden         403  known, but not granted
    ├── RefusedByPolicy   403  the policy says no; carries the clause
    ├── NotFound          404  never was, or is not yours: the two look the same
    ├── Conflict          409  the thing is not in a state that allows this
    ├── Gone              410  was here and has ended for good
    ├── TooMany           429  slow down; carries retry_after_s
    ├── Misconfigured     500  the operator has to mend something
    └── TryLater          503  nothing was lost; carries retry_after_s

`code` is a machine word, `hint` a sentence the caller may read, `detail` private words for the log. None of the three
may hold a secret or personal data.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """A failure that the gateway understands. `code`, `hint` and `detail` stay apart on purpose."""

    status = 500

    def __init__(self, code: str, hint: str, *, detail: str = "") -> None:
        super().__init__(f"{code}: {hint}")
        self.code = code
        self.hint = hint
        self.detail = detail


class BadInput(ConnectorError):
    """The request cannot be understood or breaks a rule of the protocol; the caller can mend it."""

    status = 400


class InvalidTarget(BadInput):
    """A well-formed request for something that cannot be had (RFC 8693 section 2.2.2)."""


class Unauthenticated(ConnectorError):
    """The caller's credentials are missing, wrong, expired or revoked."""

    status = 401


class Forbidden(ConnectorError):
    """The caller is known but was not granted this."""

    status = 403


class RefusedByPolicy(ConnectorError):
    """The policy does not allow this use. `clause` names the clause that decided."""

    status = 403

    def __init__(self, clause: str, hint: str, *, code: str = "refused", detail: str = "") -> None:
        super().__init__(code, hint, detail=detail)
        self.clause = clause


class NotFound(ConnectorError):
    """What was asked for does not exist for this caller. Foreign and absent look the same."""

    status = 404

    def __init__(self, what: str, *, code: str = "not_found", detail: str = "") -> None:
        super().__init__(code, f"No such {what}.", detail=detail)


class Conflict(ConnectorError):
    """The thing is not in a state that allows this."""

    status = 409


class Gone(ConnectorError):
    """It was here and has ended for good."""

    status = 410


class TooMany(ConnectorError):
    """The caller goes too fast. `retry_after_s` says when to come back (seconds)."""

    status = 429

    def __init__(self, hint: str, *, retry_after_s: int, code: str = "too_many_requests") -> None:
        super().__init__(code, hint)
        self.retry_after_s = retry_after_s


class Misconfigured(ConnectorError):
    """The operator has to mend something; the hint says what and how."""

    status = 500


class SealBroken(Misconfigured):
    """A row was changed outside the gateway. It is not served until an operator has looked."""

    def __init__(self, table: str, row_id: str) -> None:
        super().__init__(
            "row_seal_broken",
            "A stored row does not carry its seal and is not used. Ask the operator to look at the log.",
            detail=f"{table} {row_id}: changed outside the gateway, or restored from elsewhere",
        )


class TryLater(ConnectorError):
    """Something outside is down. Nothing was lost. `retry_after_s` says when to come back (seconds)."""

    status = 503

    def __init__(self, hint: str, *, retry_after_s: int, code: str = "try_later", detail: str = "") -> None:
        super().__init__(code, hint, detail=detail)
        self.retry_after_s = retry_after_s
