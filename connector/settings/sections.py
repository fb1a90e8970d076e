"""What all sections of the settings share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

# A field marked so may hold a password: it is left out of reprs, and may come from a file named by `…_FILE`.
SECRET: JsonDict = {"secret": True}

Words = Annotated[str, Field(min_length=1, max_length=500)]


def listed(value: object) -> object:
    """An environment variable carries a list as words parted by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Section(BaseModel):
    """What all sections share: frozen, no unknown keys, no input shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)
