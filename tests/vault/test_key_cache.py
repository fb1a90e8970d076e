from vault.blind_index import IndexKey
from vault.key_cache import KeyCache

KEY, OTHER = IndexKey("ten_a", bytes(32)), IndexKey("ten_a", bytes(range(32)))


def _cache(now: list[int], most: int = 10) -> KeyCache[IndexKey]:
    return KeyCache(lambda: now[0], ttl_s=2, most=most)


def test_a_key_is_kept_until_its_time_is_up_however_often_it_is_used() -> None:
    now = [10_000]
    cache = _cache(now)
    cache.put("ten_a", "1", KEY)
    for now[0] in (10_000, 11_000, 11_999):
        assert cache.get("ten_a", "1") is KEY
    now[0] = 12_000
    assert cache.get("ten_a", "1") is None
    now[0] = 11_000
    assert cache.get("ten_a", "1") is None, "what has left does not come back with the clock"


def test_a_key_is_found_under_its_own_tenant_and_id_only() -> None:
    cache = _cache([0])
    cache.put("ten_a", "1", KEY)
    assert cache.get("ten_b", "1") is None
    assert cache.get("ten_a", "2") is None


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    cache = _cache([0], most=2)
    cache.put("ten_a", "1", KEY)
    cache.put("ten_a", "2", KEY)
    cache.put("ten_a", "1", OTHER)
    cache.put("ten_a", "3", KEY)
    assert cache.get("ten_a", "2") is None
    assert cache.get("ten_a", "1") is OTHER
    assert cache.get("ten_a", "3") is KEY


def test_clearing_forgets_everything() -> None:
    cache = _cache([0])
    cache.put("ten_a", "1", KEY)
    cache.clear()
    assert cache.get("ten_a", "1") is None
