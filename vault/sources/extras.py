"""Libraries that only some key sources need: not in the base install, and named when they are missing."""

from importlib import import_module
from typing import Any

from vault.errors import KeySourceError

_PACKAGE = "account-connector-gateway"


def extra(name: str, *modules: str) -> list[Any]:
    """The modules that an extra of this package brings.

    Raises:
        KeySourceError: it is not installed; the sentence holds the command that installs it.
    """
    try:
        return [import_module(module) for module in modules]
    except ImportError as error:
        raise KeySourceError(
            f"The key source {name} needs a library that is not installed ({error.name}).",
            f'Install it: pip install "{_PACKAGE}[{name}]"',
        ) from None
