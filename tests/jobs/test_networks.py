"""Networks: what an upload becomes, whoever else has the same, and whatever becomes of its conversion."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.errors import Forbidden, NameTaken, NotFound
from jobs.networks import TooManyNetworks
from jobs.states import NetworkState
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner
from tests.jobs.networks import House, digest


@pytest.fixture
def house(store) -> House:
    return House(store)


def test_an_upload_is_a_row_an_upload_and_a_job_that_reads_it(house):
    row, made = house.add()
    assert made
    assert (row.state, row.sha256, row.config, row.size) == ("converting", None, None, None)
    job = house.store.get(row.job_id, house.ada)
    assert (job.converts, job.engine, job.state) == (row.id, "converter", "queued")
    (upload,) = house.files.page(house.ada)
    assert upload.sha256 == row.upload_sha256
    assert house.due() == set()


def test_the_same_again_is_the_same_network(house):
    first, _ = house.add()
    again, made = house.add()
    assert (again.id, made) == (first.id, False)
    house.succeed(house.claim())
    again, made = house.add()
    assert (again.id, again.state, made) == (first.id, "ready", False)
    assert len(house.networks.page(house.ada)) == 1


def test_another_file_does_not_take_a_name(house):
    first, _ = house.add()
    with pytest.raises(NameTaken) as taken:
        house.add(data="other")
    assert taken.value.extra == {"network_id": first.id}
    house.succeed(house.claim())
    with pytest.raises(NameTaken):
        house.add(data="other")
    with pytest.raises(NameTaken):
        house.add(shared=True)
    assert house.add(of=house.bob)[1], "another owner's names are theirs"


def test_an_owner_has_so_many_and_no_more(house, monkeypatch):
    monkeypatch.setenv("ATELIER_MAX_NETWORKS", "2")
    first, _ = house.add("a", "a")
    house.add("b", "b")
    # a third is refused and leaves nothing, at the door and behind it
    with pytest.raises(TooManyNetworks):
        house.networks.check_room(house.ada, "c")
    with pytest.raises(TooManyNetworks):
        house.add("c", "c")
    assert {row.name for row in house.networks.page(house.ada)} == {"a", "b"}
    assert len(house.store.page(house.ada)) == 2
    # the same again is none more, and others have their own number
    house.networks.check_room(house.ada, "a")
    assert house.add("a", "a")[0].id == first.id
    house.networks.check_room(house.bob, "c")
    house.add("c", "c", of=house.bob)
    # one that went makes room
    house.networks.delete(first.id, house.ada)
    house.networks.check_room(house.ada, "c")
    house.add("c", "c")


def test_a_shared_name_is_one_network(house):
    house.ready(shared=True)
    assert house.add(of=house.bob)[1], "a private one may have the name of a shared one"
    with pytest.raises(NameTaken):
        house.add("flowers", "theirs", of=owner(house.store.database, "eve"), shared=True)


def test_one_that_failed_does_not_become_a_second_shared_one(house):
    house.add()
    job = house.claim()
    house.store.fail(job.id, job.attempt, code="bad_network", detail="")
    house.ready(of=house.bob, shared=True)
    with pytest.raises(NameTaken):
        house.add(shared=True)
    assert house.networks.page(house.ada)[1].state == "failed", "and nothing of that happened"


def test_the_same_bytes_are_stored_once_and_nobody_sees_that(house):
    first = house.ready()
    second, made = house.add("mine", of=house.bob)
    assert made
    assert second.state == "converting", "as if nobody had them"
    key = house.succeed(house.claim())
    second = house.networks.get(second.id)
    assert (second.sha256, second.size) == (first.sha256, first.size)
    # the second object is superfluous, and the first one stays for as long as one of them is there
    assert house.files.unreferenced([key]) == [key]
    assert f"jobs/{second.job_id}" in house.due()
    house.networks.delete(first.id, house.ada)
    assert house.networks.free() == []
    house.networks.delete(second.id, house.bob)
    assert house.networks.free() == [first.sha256]
    assert f"jobs/{first.job_id}" in house.due()


def test_deleting_frees_the_file_when_the_last_job_has_ended(house):
    row = house.ready()
    (file,) = house.networks.walk()
    waiting, done = house.painting(row), house.painting(row)
    house.networks.delete(row.id, house.ada)
    with pytest.raises(NotFound):
        house.networks.get(row.id)
    job = house.claim("painter")
    assert house.networks.file_of_job(job.id, row.sha256).key == file.key
    assert house.networks.free() == [], "two jobs go on"
    house.store.succeed(job.id, job.attempt, [])
    assert house.networks.free() == [], "one goes on"
    house.store.cancel(done.id if job.id == waiting.id else waiting.id, None)
    assert house.files.unreferenced([file.key]) == []
    assert house.networks.free() == [row.sha256]
    assert house.files.unreferenced([file.key]) == [file.key]
    assert house.networks.walk() == []


def test_a_job_cannot_be_accepted_with_a_file_that_is_gone(house):
    row = house.ready()
    house.networks.delete(row.id, house.ada)
    house.networks.free()
    with pytest.raises(NotFound, match="network"):
        house.painting(row)


def test_a_job_reads_only_what_it_was_accepted_with(house):
    first, second = house.ready(), house.ready("b", "other")
    job = house.painting(first)
    with pytest.raises(NotFound):
        house.networks.file_of_job(job.id, second.sha256)


@pytest.mark.parametrize("running", [False, True])
def test_deleting_while_it_is_converted_cancels_that(house, running):
    row, _ = house.add()
    job = house.claim() if running else house.store.get(row.job_id)
    assert house.networks.delete(row.id, house.ada)
    assert house.networks.page(house.ada) == []
    assert house.add(data="other")[1], "the name is free at once"
    if running:
        # its success was on its way
        assert house.store.cancel_requested(job.id, job.attempt)
        house.succeed(job)
        assert house.networks.free() == [digest("flowers")]
    else:
        assert house.store.get(job.id).state == "canceled"
    assert [file.name for file in house.files.page(house.ada)] == ["flowers.pkl"], "the new one's"


def test_deleting_when_the_conversion_job_was_deleted_before(house):
    row = house.ready()
    house.store.delete(row.job_id, house.ada)
    assert house.networks.get(row.id).state == "ready"
    (file,) = house.networks.walk()
    assert house.files.unreferenced([file.key]) == [], "the job's folder is cleaned around it"
    assert not house.networks.delete(row.id, house.ada)


def test_networks_outlive_the_retention_of_results(house):
    row = house.ready()
    (file,) = house.networks.walk()
    pass_days(house.store.database, 10)
    assert house.store.expire_results(house.ada, 86400.0) == [row.job_id]
    assert house.files.unreferenced([file.key]) == []
    assert house.networks.free() == []


def test_who_sees_what(house):
    mine, theirs = house.ready(), house.ready("theirs", "b", of=house.bob)
    shared = house.ready("roses", "c", of=house.bob, shared=True)
    assert [row.id for row in house.networks.page(house.ada)] == [shared.id, mine.id]
    assert [row.id for row in house.networks.page(house.ada, before=shared.id)] == [mine.id]
    assert house.networks.page(house.ada, state=NetworkState.FAILED) == []
    assert house.networks.page(house.ada, kind="other") == []
    with pytest.raises(NotFound):
        house.networks.get(theirs.id, house.ada)
    with pytest.raises(NotFound):
        house.networks.delete(theirs.id, house.ada)
    with pytest.raises(Forbidden):
        house.networks.delete(shared.id, house.ada)
    assert house.networks.get(theirs.id).id == theirs.id, "an admin sees all"


def test_a_name_means_ones_own_before_a_shared_one(house):
    shared = house.ready(of=house.bob, shared=True)
    refs = ["flowers", shared.id, "nothing"]
    found = house.networks.resolve(house.ada, "stylegan", refs)
    assert {ref: row.id for ref, row in found.items()} == {"flowers": shared.id, shared.id: shared.id}
    mine = house.ready(data="mine")
    found = house.networks.resolve(house.ada, "stylegan", refs)
    assert {ref: row.id for ref, row in found.items()} == {"flowers": mine.id, shared.id: shared.id}
    assert house.networks.resolve(house.bob, "stylegan", [mine.id]) == {}
    assert house.networks.resolve(house.ada, "other", refs) == {}


def test_the_same_upload_many_times_at_once_is_one_network(house):
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: house.add(), range(6)))
    assert len({row.id for row, _ in results}) == 1
    assert [made for _, made in results].count(True) == 1
    assert house.claim()
    assert house.store.claim("wrk_1", "cpu", engines=["converter"], lease_seconds=60) == []


def test_different_uploads_of_one_name_at_once_leave_one(house):
    def add(n):
        try:
            return house.add(data=f"{n}")[0].id
        except NameTaken:
            return None

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(add, range(6)))
    assert sum(one is not None for one in results) == 1
