"""Where a private note stands in a contact's card. It is its writer's, under the writer's own key, and never leaves."""

from typing import Final

NOTE_POINTER: Final = "/notes/private"
