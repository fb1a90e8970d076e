"""How letters leave: by a mail server, or into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from connector.settings.sections import SECRET, Section, Words


class SmtpSettings(Section):
    """Copies of notices by e-mail, besides the inbox. Without a host they are written into a folder."""

    host: Words | None = Field(default=None, description="The mail server; absent: letters go into the folder.")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=587, description="Its port.")
    tls: Literal["starttls", "tls"] = Field(
        default="starttls", description="starttls: encrypted before anything is said (587); tls: from the start (465)."
    )
    ca: Path | None = Field(
        default=None, description="A file of certificates to trust there; absent: those of the machine."
    )
    user: Words | None = Field(default=None, description="Whom to sign in as; absent: nobody.")
    password: Words | None = Field(
        default=None, repr=False, json_schema_extra=SECRET, description="The password of that user."
    )
    sender: Words | None = Field(default=None, description="The address that letters come from; needed with a host.")
    directory: Path | None = Field(
        default=None, description="A folder (Maildir) for letters; absent: mail beside the key file."
    )

    @model_validator(mode="after")
    def _whole(self) -> SmtpSettings:
        if self.host is not None and self.sender is None:
            raise ValueError("a mail server needs smtp.sender: the address that letters come from")
        if (self.user is None) != (self.password is None):
            raise ValueError("smtp.user and smtp.password go together")
        return self
