"""How fresh tokens are fetched from providers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from connector.settings.sections import Section


class RefreshSettings(Section):
    """Who asks providers for fresh tokens, and where an answer is kept that cannot be stored at once."""

    process: Literal["in-process", "worker"] = Field(
        default="in-process",
        description="Who refreshes: in-process, whoever needs it; worker, workers alone, and listeners wait for them.",
    )
    journal: Path | None = Field(
        default=None,
        description="A folder on this machine for answers that cannot be stored at once; absent: beside the database"
        " file or, with PostgreSQL, beside the key file.",
    )
