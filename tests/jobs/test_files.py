"""Files: nothing referenced is deleted, nothing unreferenced is kept for ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.errors import IdempotencyConflict, InUse, NotFound
from jobs.files import FileStore
from jobs.store import NewArtifact
from tests.jobs.conftest import owner


@pytest.fixture
def files(database):
    return FileStore(database)


def add(files, owner_id):
    file_id = files.reserve()
    return files.add(
        file_id, owner_id, NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 3, "0" * 64)
    )


def test_another_owner_s_file_is_not_found(files, database):
    row = add(files, owner(database))
    bob = owner(database, "bob")
    with pytest.raises(NotFound):
        files.get(row.id, bob)
    with pytest.raises(NotFound):
        files.delete(row.id, bob)
    assert files.get_many([row.id], bob) == {}
    assert files.get(row.id).id == row.id


def test_a_file_that_a_waiting_job_reads_stays(files, store, submit):
    job = submit()
    row = add(files, job.owner_id)
    reader = submit(inputs=[row.id, row.id])
    with pytest.raises(InUse):
        files.delete(row.id, job.owner_id)
    store.cancel(reader.id, None)
    files.delete(row.id, job.owner_id)
    with pytest.raises(NotFound):
        files.get(row.id)


def test_a_deleted_file_s_folder_is_cleaned_and_a_kept_one_s_keys_are_not(files, database):
    owner_id = owner(database)
    kept, deleted = add(files, owner_id), add(files, owner_id)
    files.delete(deleted.id, owner_id)
    (cleanup,) = files.due_cleanups()
    assert cleanup.prefix == f"files/{deleted.id}"
    assert files.unreferenced([kept.key, deleted.key]) == [deleted.key]
    files.cleaned(cleanup.id)
    assert files.due_cleanups() == []


def test_an_upload_that_never_ended_is_cleaned_when_its_time_is_up(files):
    file_id = files.reserve()
    assert files.due_cleanups() == []
    files.database.write(
        lambda c: c.exec_driver_sql("UPDATE cleanups SET due_at = '2000-01-01 00:00:00.000'")
    )
    assert [c.prefix for c in files.due_cleanups()] == [f"files/{file_id}"]


def test_a_key_used_by_many_at_once_keeps_one_file(files, database):
    owner_id = owner(database)

    def upload(_number):
        file_id = files.reserve()
        made = NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 3, "0" * 64)
        return files.add_once(file_id, owner_id, made, "k")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(upload, range(16)))
    assert len({row.id for row, _ in answers}) == 1
    assert [made for _, made in answers].count(True) == 1
    assert len(files.page(owner_id)) == 1
    with pytest.raises(IdempotencyConflict):
        files.by_key(owner_id, "k", "1" * 64)
