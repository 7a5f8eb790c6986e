"""The example of docs/scheduling.md, line by line: what the page says is what happens."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.states import Priority
from tests.jobs.conftest import owner

PAGE = (Path(__file__).parents[4] / "docs" / "scheduling.md").read_text()


def row(name):
    """The cells of a row of the page's table."""
    found = re.search(rf"^\| {name} \|(.+)\|$", PAGE, re.MULTILINE)
    return [cell.strip() for cell in found[1].split("|")]


def test_the_page_tells_what_happens(store, submit):
    names = [
        cell.split()[0] for cell in re.search(r"^\|  ?\| (A1 .+) \|$", PAGE, re.MULTILINE)[1].split(" | ")
    ]
    owners = {
        letter: owner(store.database, name) for letter, name in zip("ABC", ("ann", "ben", "cem"), strict=True)
    }
    ids, taken = {}, []

    def send(name, priority=Priority.NORMAL):
        ids[name] = submit(owner_id=owners[name[0]], priority=priority)

    def take(count):
        known = {job.id: name for name, job in ids.items()}
        for _ in range(count):
            (job,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
            taken.append(known[job.id])

    for number in range(1, 7):
        send(f"A{number}")
    take(2)
    for number in range(1, 4):
        send(f"B{number}")
    take(2)
    send("C1", Priority.HIGH)
    send("C2", Priority.LOW)
    take(7)

    assert names == list(ids)
    assert [int(cell) for cell in row("turn")] == [ids[name].turn for name in names]
    assert [int(cell) for cell in row("taken as number")] == [taken.index(name) + 1 for name in names]
