"""AES-256-GCM in plain Python: slow, and written apart from the library, so that both cannot share a mistake.

FIPS 197 for the block cipher, NIST SP 800-38D for the mode. For tests only: it is not constant in time.
"""

from hmac import compare_digest


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _substitute(value: int) -> int:
    inverse = next((x for x in range(256) if _times(value, x) == 1), 0)
    turned = [(inverse << n | inverse >> (8 - n)) & 0xFF for n in range(5)]
    return turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63


_SBOX = bytes(_substitute(value) for value in range(256))


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[n : n + 4] for n in range(0, 32, 4)]
    factor = 1
    for n in range(8, 60):
        word = words[-1]
        if n % 8 == 0:
            word = (word[1:] + word[:1]).translate(_SBOX)
            word = bytes([word[0] ^ factor]) + word[1:]
            factor = _times(factor, 2)
        elif n % 8 == 4:
            word = word.translate(_SBOX)
        words.append(_xor(word, words[-8]))
    return [b"".join(words[n : n + 4]) for n in range(0, 60, 4)]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=False))


def _mix(column: bytes) -> bytes:
    a, b, c, d = column
    return bytes(
        _times(w, 2) ^ _times(x, 3) ^ y ^ z for w, x, y, z in ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))
    )


def _block(keys: list[bytes], text: bytes) -> bytes:
    state = _xor(text, keys[0])
    for n, key in enumerate(keys[1:], 1):
        state = bytes(_SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16))
        if n < len(keys) - 1:
            state = b"".join(_mix(state[i : i + 4]) for i in range(0, 16, 4))
        state = _xor(state, key)
    return state


def _ghash(h: int, data: bytes) -> int:
    y = 0
    for n in range(0, len(data), 16):
        x = y ^ int.from_bytes(data[n : n + 16].ljust(16, b"\0"), "big")
        y, v = 0, h
        for bit in range(127, -1, -1):
            y ^= v if x >> bit & 1 else 0
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
    return y


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _stream(keys: list[bytes], nonce: bytes, length: int) -> bytes:
    blocks = range(2, 2 + (length + 15) // 16)
    return b"".join(_block(keys, nonce + n.to_bytes(4, "big")) for n in blocks)


def _tag(keys: list[bytes], nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
    lengths = (8 * len(bound)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    h = int.from_bytes(_block(keys, bytes(16)), "big")
    mixed = _ghash(h, _padded(bound) + _padded(sealed) + lengths)
    return _xor(mixed.to_bytes(16, "big"), _block(keys, nonce + b"\0\0\0\1"))


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, bound: bytes) -> bytes:
    """Ciphertext and tag; the nonce is 12 bytes."""
    keys = _round_keys(key)
    sealed = _xor(plaintext, _stream(keys, nonce, len(plaintext)))
    return sealed + _tag(keys, nonce, sealed, bound)


def decrypt(key: bytes, nonce: bytes, sealed_and_tag: bytes, bound: bytes) -> bytes | None:
    """The plaintext, or None if the tag is not the right one."""
    keys = _round_keys(key)
    sealed, tag = sealed_and_tag[:-16], sealed_and_tag[-16:]
    if not compare_digest(tag, _tag(keys, nonce, sealed, bound)):
        return None
    return _xor(sealed, _stream(keys, nonce, len(sealed)))
