"""Places: so many in all, so many for one owner."""

from __future__ import annotations

from api.requests.slots import Slots
from api.settings import Settings


def test_an_owner_has_their_part_whatever_keys_they_use():
    slots = Slots(4, 2)
    first, second = slots.take("ada"), slots.take("ada")
    assert first is not None
    assert second is not None
    assert slots.take("ada") is None
    assert slots.has_all("ada")
    assert not slots.has_all("bob")
    # others have the rest
    assert slots.take("bob") is not None
    assert slots.take("eve") is not None
    assert slots.take("joe") is None
    # and a place comes back once, however often it is given back
    first.release()
    first.release()
    assert slots.take("ada") is not None
    assert slots.take("ada") is None


def test_there_is_always_a_thread_for_what_is_quick():
    for streams in (1, 6, 16, 100, 500):
        for more in (1, 2, 8, 16, 64):
            made = Settings(streams=streams, api_threads=streams + more)
            assert made.long_requests <= max(1, (made.threads - made.streams) * 3 // 4)
            assert 1 <= made.long_requests_each <= max(1, made.threads // 4)
            assert made.streams_each <= max(1, streams // 4)


def test_with_nothing_set_one_owner_has_a_quarter_of_the_threads():
    made = Settings()
    assert (made.threads, made.long_requests, made.long_requests_each, made.streams_each) == (32, 12, 8, 4)
