"""Length-prefixed encoding: many byte strings as one, so that no two different lists give the same bytes.

    LP(parts) = u16 count || (u32 length || bytes) for each part, big-endian

Moving a byte over the border between two parts changes the lengths, hence the encoding. All that the vault
authenticates or derives from is built with it.
"""

_SHORTS = 256
_SHORT = tuple(length.to_bytes(4, "big") for length in range(_SHORTS))  # nearly all parts are this short


def lp(*parts: bytes) -> bytes:
    """The parts as one byte string; injective over lists of up to 65,535 parts of up to 4 GiB each.

    Raises:
        OverflowError: more parts, or a longer part, than the prefixes can count.
    """
    return len(parts).to_bytes(2, "big") + lp_tail(*parts)


def lp_head(count: int, *parts: bytes) -> bytes:
    """How the encoding of `count` parts begins that starts with these: for what is encoded often with one beginning."""
    return count.to_bytes(2, "big") + lp_tail(*parts)


def lp_tail(*parts: bytes) -> bytes:
    """How an encoding goes on with these parts; what follows `lp_head`, or another tail."""
    out: list[bytes] = []
    for part in parts:
        length = len(part)
        out += (_SHORT[length] if length < _SHORTS else length.to_bytes(4, "big"), part)
    return b"".join(out)
