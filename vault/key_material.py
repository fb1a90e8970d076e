"""What every object that holds a key has in common: it does not tell, and it does not travel."""

from typing import NoReturn, Self


class KeyMaterial:
    """Base of key holders: prints as its kind only, and refuses to be pickled or copied.

    JSON encoders refuse it by themselves, since it is none of their types. Keys stay in the process that
    unwrapped them; a copy in a queue or a cache server would outlive their destruction.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be pickled or copied")

    def __copy__(self) -> Self:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be copied")

    def __deepcopy__(self, memo: object) -> Self:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be copied")
