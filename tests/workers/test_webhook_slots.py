"""Who may send how much at once."""

from __future__ import annotations

from workers.webhook_slots import Slots


def fill(slots: Slots, host: str, owner: str = "ada") -> int:
    """Take all the room there is; how much it was."""
    room = slots.room(host)
    for _ in range(room):
        slots.take(host, owner)
    return room


def answer(slots: Slots, *hosts: str, quick: bool = True) -> None:
    """One delivery to each, and what it was like."""
    for host in hosts:
        slots.take(host, "ada")
        slots.give_back(host, "ada", quick=quick)


def test_a_host_that_answers_gets_its_share_and_no_more():
    slots = Slots(10, per_host=4, doubtful=5)
    answer(slots, "a", "b", "c")

    assert fill(slots, "a") == 4
    assert slots.room("a") == 0
    assert fill(slots, "b") == 4
    assert fill(slots, "c") == 2
    slots.give_back("a", "ada", quick=True)
    assert slots.room("d") == 1


def test_new_and_slow_hosts_share_a_part_of_the_slots():
    slots = Slots(20, per_host=8, doubtful=5, per_doubtful_host=2)
    answer(slots, "quick")
    answer(slots, "slow", quick=False)

    assert [fill(slots, host) for host in ("slow", "new1", "new2", "new3")] == [2, 2, 1, 0]
    assert fill(slots, "quick") == 8


def test_trust_is_earned_and_lost_by_the_last_answer():
    slots = Slots(20, per_host=8, per_doubtful_host=2)
    assert slots.room("a") == 2
    answer(slots, "a")
    assert slots.room("a") == 8
    answer(slots, "a", quick=False)
    assert slots.room("a") == 2


def test_a_host_that_turns_slow_while_it_holds_many_gets_no_more():
    slots = Slots(20, per_host=8, per_doubtful_host=2)
    answer(slots, "a")
    fill(slots, "a")
    slots.give_back("a", "ada", quick=False)

    assert slots.room("a") == 0


def test_an_owner_of_many_hosts_has_a_share_too():
    slots = Slots(per_owner=3)
    for host in ("a", "b", "c"):
        slots.take(host, "ada")
    slots.take("d", "bob")

    assert slots.crowded() == ["ada"]
    slots.give_back("a", "ada", quick=True)
    assert slots.crowded() == []


def test_hosts_take_turns():
    slots = Slots()
    assert slots.order(["a", "b", "c"]) == ["a", "b", "c"]
    slots.take("a", "ada")
    assert slots.order(["a", "b", "c"]) == ["b", "c", "a"]
    slots.take("b", "ada")
    slots.give_back("b", "ada", quick=True)
    slots.give_back("a", "ada", quick=True)
    assert slots.order(["a", "b", "c"]) == ["c", "a", "b"]
