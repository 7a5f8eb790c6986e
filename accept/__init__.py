"""How a job is made, by whomever: a request, a schedule, another job. No Flask here, and no torch.

    request = Request(owner_id, engine, params, uploads)       what is asked for; nothing was looked up yet
    prepared = request.prepare(means)                          nothing speaks against it; nothing was stored
    row, made = submit(means, request, key=...)                both, its files stored, and its row committed

Each step is reached from the one before it alone. Whoever commits the row rings the queue.

    means.py         the stores and limits that it takes
    prepared.py      Request -> Prepared -> NewJob
    submission.py    from the request to the row, once for each Idempotency-Key
    parts.py         the jobs that a running job asks for
    scheduled.py     the jobs that schedules make
    conversion.py    the jobs that convert uploaded networks
    engine_names.py  an engine by its name
    wire.py          what may be asked for with any job
    options.py       how a job is to be treated, whatever its engine
    validation.py    its params, by the engine's own model
    pinning.py       the networks that the params name
    needs.py         the weights that they need
    inputs.py        the files that they name or bring
    uploads.py       one file, through the door and into the store
    quota.py         whether one more job of an owner's may wait
    stored.py        whether there is room for more bytes of theirs
    field_errors.py  what is wrong, beside the field where it is
    hints.py         what was probably meant
"""

from accept.conversion import conversion, converters
from accept.means import Means
from accept.prepared import Prepared, Request, fingerprint_of
from accept.scheduled import check_scheduled, make_scheduled
from accept.submission import earlier_job, submit

__all__ = [
    "Means",
    "Prepared",
    "Request",
    "check_scheduled",
    "conversion",
    "converters",
    "earlier_job",
    "fingerprint_of",
    "make_scheduled",
    "submit",
]
