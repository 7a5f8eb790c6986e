"""/v1/networks: the door, whose networks are whose, and jobs that name one."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import replace
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

import engines
from engines.base import EngineSpec, NetworkRef, Params, network_sha256
from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.store import NewArtifact
from storage.base import StorageUnavailable
from storage.memory import MemoryStorage
from tests.api.helpers import Api, problem
from tests.examples import examples

PICKLE = b"\x80\x04\x95" + bytes(range(200)) * 50
SAFETENSORS = (2).to_bytes(8, "little") + b"{}" + b"x" * 100
#: What torch.save wrote before it wrote ZIP archives: first the pickle of a number.
OLD_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + b"x" * 100
CONFIG = {"resolution": 64, "channels": 3, "classes": 2, "z_dim": 32, "w_dim": 48}
CONFIG |= {"class_names": ["Rose", "oak"], "has_average": False}
OCTETS = "application/octet-stream"


class PainterParams(Params):
    """Names one network, perhaps two more."""

    network: Annotated[str, NetworkRef("stylegan", shipped=("planets",))] = Field(
        default="planets", description="The network."
    )
    others: list[Annotated[str, NetworkRef("stylegan")]] | None = Field(
        default=None, max_length=4, description="More networks."
    )


PAINTER = EngineSpec(
    name="painter",
    title="Painter",
    description="Paints.",
    params=PainterParams,
    produces=("image/png",),
    example={"network": "planets"},
    model_for=lambda params: network_sha256(params.network) or params.network,
    cost=lambda _params: 2.0,
    network_cost=lambda config: config["resolution"] / 16,
)


@pytest.fixture(autouse=True)
def _painter(monkeypatch):
    """One more engine."""
    real_names, real_spec = engines.names, engines.spec
    monkeypatch.setattr(engines, "names", lambda: (*real_names(), "painter"))
    monkeypatch.setattr(engines, "spec", lambda name: PAINTER if name == "painter" else real_spec(name))


def send(api: Api, name="flowers", data=PICKLE, **more: Any):
    """As a form."""
    form = {"file": (io.BytesIO(data), "style.pkl"), "name": name, **more}
    return api.post("/v1/networks", data=form)


def stream(api: Api, query="name=flowers", data=PICKLE, **more: Any):
    """As the body itself."""
    return api.post(f"/v1/networks?{query}", data=data, content_type=OCTETS, **more)


@pytest.fixture
def convert(store, storage):
    """Play the worker that converts the next upload; `to` is what comes out, None: it is refused."""

    def work(to: bytes | None = b"tensors") -> str:
        (job,) = store.claim("wrk_1", "cpu", engines=["stylegan_import"], lease_seconds=60)
        upload = FileStore(store.database).get(job.params["source"], job.owner_id)
        with storage.open(upload.key) as source:
            assert hashlib.sha256(source.read()).hexdigest() == upload.sha256
        if to is None:
            store.fail(job.id, job.attempt, code="bad_network", detail="This is no network.")
            return ""
        sha256 = hashlib.sha256(to).hexdigest()
        key = f"jobs/{job.id}/{job.attempt}/out/{sha256}.safetensors"
        storage.put(key, io.BytesIO(to))
        made = NewArtifact("n", key, OCTETS, len(to), sha256, meta={"config": CONFIG, "seed": 0})
        store.succeed(job.id, job.attempt, [made])
        return sha256

    return work


@pytest.fixture
def ready(convert):
    def make(api: Api, name="flowers", to=b"tensors", **more: Any) -> dict[str, Any]:
        answer = send(api, name, PICKLE + name.encode(), **more)
        assert answer.status_code == 202, answer.text
        convert(to)
        return dict(api.get(f"/v1/networks/{answer.json['id']}").json)

    return make


def uploaded(api: Api) -> list[dict[str, Any]]:
    """What is listed besides the shipped ones."""
    return [one for one in api.get("/v1/networks").json["networks"] if not one["shipped"]]


def paint(api: Api, **params: Any):
    return api.post("/v1/jobs", json={"engine": "painter", "params": params})


# --- the door -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [send, stream])
@pytest.mark.parametrize("data", [PICKLE, SAFETENSORS])
def test_an_upload_is_accepted_converted_and_ready(api, convert, way, data):
    answer = way(api, data=data)
    assert answer.status_code == 202, answer.text
    found = answer.json
    assert answer.headers["Location"] == f"/v1/networks/{found['id']}"
    assert (found["name"], found["state"], found["own"], found["shared"]) == (
        "flowers",
        "converting",
        True,
        False,
    )
    assert (found["sha256"], found["bytes"], found["config"], found["problem"]) == (None, None, None, None)
    assert found["upload_bytes"] == len(data)
    assert api.get(f"/v1/jobs/{found['job_id']}").json["engine"] == "stylegan_import"
    sha256 = convert()
    found = api.get(answer.headers["Location"]).json
    assert (found["state"], found["sha256"], found["bytes"], found["config"]) == ("ready", sha256, 7, CONFIG)
    assert uploaded(api) == [found]
    assert api.get(f"/v1/jobs/{found['job_id']}").json["artifacts"] == []
    assert api.get("/v1/files").json["files"] == []


def test_what_could_not_be_converted_says_why(api, convert):
    found = send(api).json
    convert(None)
    found = api.get(f"/v1/networks/{found['id']}").json
    assert found["state"] == "failed"
    assert found["problem"] == {"code": "bad_network", "detail": "This is no network."}


@pytest.mark.parametrize("way", [send, stream])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_network"),
        (b"\x80", "unknown_network_format"),
        (b"\x80\x09" + PICKLE, "unknown_network_format"),
        (b"PK\x03\x04" + b"x" * 100, "unknown_network_format"),
        (b"<html>", "unknown_network_format"),
        ((2**60).to_bytes(8, "little") + b"{}", "unknown_network_format"),
        (OLD_TORCH, "unknown_network_format"),
        ((2).to_bytes(8, "little"), "unknown_network_format"),
    ],
)
def test_what_is_no_network_is_refused_and_nothing_stays(api, storage, way, data, code):
    found = problem(way(api, data=data), 422, code)
    assert found["errors"][0]["field"] == "file"
    assert uploaded(api) == []
    assert list(storage.list("files")) == []


def test_an_old_checkpoint_of_torch_is_told_what_to_send(api):
    found = problem(send(api, data=OLD_TORCH), 422, "unknown_network_format")
    assert "torch.save" in found["detail"]
    assert ".pkl" in found["detail"]


NAMES = ["", "Flowers", "flöwers", "a b", "../x", "-x", ".x", "net_" + "0" * 32, "net_x", "a\n", "x" * 65,
         "x" * 10_000, "a\0", "花"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["form", "query"])
def test_a_name_that_is_none_is_refused(api, storage, name, way):
    if way == "form":
        answer = send(api, name)
    else:
        answer = api.post("/v1/networks", query_string={"name": name}, data=PICKLE, content_type=OCTETS)
    found = problem(answer, 422, "invalid_request")
    assert found["errors"][0]["field"] == "name"
    assert len(answer.text) < 2000
    assert list(storage.list("files")) == []


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True).filter(
        lambda n: not n.startswith("net_")
    )
)
def test_every_name_within_the_rule_is_taken_and_jobs_may_name_it(name):
    assert PainterParams.model_validate({"network": name}).network == name


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(name=st.text(max_size=80))
def test_names_in_params_follow_the_same_rule_as_names_of_uploads(api, name):
    answer = api.post("/v1/networks", query_string={"name": name}, data=b"", content_type=OCTETS)
    codes = {"empty_network": True, "invalid_request": False}
    try:
        PainterParams.model_validate({"network": name})
        taken = not name.startswith("net_")
    except ValueError:
        taken = False
    assert codes[answer.json["code"]] == taken


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.binary(max_size=64))
def test_no_bytes_are_more_than_a_refusal_or_an_upload(api, data):
    answer = stream(api, data=data)
    assert answer.status_code in (202, 409, 422), answer.text


def test_forms_that_are_wrong(api, storage):
    problem(api.post("/v1/networks", data={"name": "x"}), 415, "unsupported_media_type")
    plain = {"content_type": "multipart/form-data"}
    problem(api.post("/v1/networks", data={"name": "x"}, **plain), 422, "missing")
    one = (io.BytesIO(PICKLE), "a.pkl")
    two = [(io.BytesIO(PICKLE), "a.pkl"), (io.BytesIO(PICKLE), "b.pkl")]
    problem(api.post("/v1/networks", data={"name": "x", "file": two}), 422, "too_many_files")
    problem(api.post("/v1/networks", data={"name": "x", "network": one}), 422, "missing")
    problem(send(api, colour="red"), 422, "invalid_request")
    problem(send(api, shared="perhaps"), 422, "invalid_request")
    problem(send(api, kind="diffusion"), 422, "invalid_request")
    problem(send(api, name=["a", "b"]), 422, "given_twice")
    problem(api.post("/v1/networks?name=a", data={"name": "b", "file": (io.BytesIO(PICKLE), "x")}), 422,
            "given_twice")  # fmt: skip
    problem(api.post("/v1/networks?nane=a", data=PICKLE, content_type=OCTETS), 400, "unknown_parameter")
    problem(api.post("/v1/networks", data=PICKLE, content_type=OCTETS), 422, "invalid_request")
    problem(api.post("/v1/networks", json={"name": "x"}), 415, "unsupported_media_type")
    problem(
        api.post("/v1/networks", data=b"no form", content_type="multipart/form-data"), 422, "invalid_request"
    )
    assert list(storage.list("files")) == []


@pytest.mark.parametrize("way", [send, stream])
def test_over_the_limit_is_an_error_of_its_own(make_app, make_key, storage, way):
    app = make_app(max_network_bytes=len(PICKLE) - 1, max_upload_bytes=100)
    api = Api(app, make_key())
    found = problem(way(api), 413, "network_too_large")
    assert found["limit"] == len(PICKLE) - 1
    exact = Api(make_app(max_network_bytes=len(PICKLE), max_upload_bytes=100), api.key)
    assert way(exact).status_code == 202, "the limit of other uploads is another one"
    small = Api(exact.app, make_key("bob", max_upload_bytes=1000))
    assert problem(way(small), 413, "network_too_large")["limit"] == 1000
    assert len(list(storage.list("files"))) == 1


def test_a_form_far_over_the_limit_is_not_taken_in(make_app, make_key):
    api = Api(make_app(max_network_bytes=1000), make_key())
    problem(send(api, data=PICKLE * 20), 413, "network_too_large")


def raw(api: Api, body: Any, length: int):
    """With a body that the test's client does not look at."""
    environ = {"wsgi.input": body, "CONTENT_LENGTH": str(length)}
    return api.post("/v1/networks?name=x", content_type=OCTETS, environ_overrides=environ)


class Broken(io.RawIOBase):
    """A connection that ends in the middle."""

    def __init__(self) -> None:
        self.left = 3

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("gone")
        data = (PICKLE * 100)[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


def test_a_client_that_hangs_up_leaves_nothing(api, storage, store):
    problem(raw(api, Broken(), 10**7), 400, "bad_request")
    problem(raw(api, io.BytesIO(PICKLE), 2 * len(PICKLE)), 400, "bad_request")
    assert uploaded(api) == []
    assert list(storage.list("files")) == []
    assert FileStore(store.database).due_cleanups(), "and is looked after at once"


def test_an_object_store_that_is_away_is_a_503_and_nothing_is_accepted(make_app, make_key):
    class Away(MemoryStorage):
        def put(self, *_args: Any, **_more: Any):
            raise StorageUnavailable("away")

    api = Api(make_app(storage=Away()), make_key())
    problem(stream(api), 503, "storage_unavailable")
    assert uploaded(api) == []
    assert api.get("/v1/jobs").json["jobs"] == []


def test_the_body_is_never_held_in_memory(make_app, make_key):
    """A store that looks at how it is given the bytes."""

    class Watching(MemoryStorage):
        most = 0

        def put(self, key, stream, *, media_type=OCTETS):
            total = 0
            while data := stream.read(1 << 20):
                Watching.most, total = max(Watching.most, len(data)), total + len(data)
            return replace(super().put(key, io.BytesIO(b"x"), media_type=media_type), size=total)

    class Endless(io.RawIOBase):
        left = 64 * 2**20

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), self.left)
            buffer[:size] = (b"\x80\x04" + bytes(size))[:size]
            Endless.left -= size
            return size

    api = Api(make_app(storage=Watching()), make_key())
    answer = raw(api, Endless(), Endless.left)
    assert answer.status_code == 202, answer.text
    assert answer.json["upload_bytes"] == 64 * 2**20
    assert Watching.most <= 1 << 20


def test_too_many_waiting_jobs_are_too_many_conversions(api, admin):
    owner = admin.get("/v1/owners").json["owners"][-1]["id"]
    assert admin.request("PATCH", f"/v1/owners/{owner}", json={"max_queued": 1}).status_code == 200
    assert send(api, "a").status_code == 202
    problem(send(api, "b"), 429, "too_many_queued")


def test_who_may_not_send_is_told_before_a_byte_is_read(api, admin):
    owner = admin.get("/v1/owners").json["owners"][-1]["id"]
    admin.request("PATCH", f"/v1/owners/{owner}", json={"max_queued": 1})
    send(api, "a")
    read = []

    class Watched(io.BytesIO):
        def read(self, *given):
            read.append(given)
            return super().read(*given)

    for kind in ("multipart/form-data; boundary=x", OCTETS):
        answer = api.post("/v1/networks?name=b", input_stream=Watched(b"x" * 1000), content_type=kind)
        problem(answer, 429, "too_many_queued")
    assert read == []


def test_too_many_networks(api, monkeypatch):
    assert send(api, "a").status_code == 202
    monkeypatch.setenv("ATELIER_MAX_NETWORKS", "1")
    for way in (send(api, "b"), stream(api, "name=b")):
        problem(way, 409, "too_many_networks")
    assert send(api, "a").status_code == 202
    monkeypatch.setenv("ATELIER_MAX_NETWORKS", "0")  # any number
    assert [way.status_code for way in (send(api, "b"), stream(api, "name=c"))] == [202, 202]


# --- again, and at once ---------------------------------------------------------------------------


def test_the_same_again_is_the_same_network(api, convert):
    first = send(api)
    again = stream(api)
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    convert()
    again = send(api)
    assert (again.status_code, again.json["state"]) == (200, "ready")
    assert len(api.get("/v1/jobs").json["jobs"]) == 1


def test_a_name_that_is_taken(api, other, convert):
    first = send(api).json
    assert problem(send(api, data=PICKLE + b"x"), 409, "name_taken")["network_id"] == first["id"]
    assert send(other, data=PICKLE + b"x").status_code == 202
    convert(None)
    assert send(api, data=PICKLE + b"x").status_code == 202, "what failed gives way"


# --- whose ----------------------------------------------------------------------------------------


def test_others_see_nothing_of_it(api, other, ready):
    network = ready(api)
    where = f"/v1/networks/{network['id']}"
    problem(other.get(where), 404, "not_found")
    problem(other.delete(where), 404, "not_found")
    problem(paint(other, network=network["id"]), 422, "network_not_found")
    problem(paint(other, network="flowers"), 422, "network_not_found")
    problem(paint(other, network=f"{network['id']}@{network['sha256']}"), 422, "network_not_found")
    assert uploaded(other) == []
    # who sends the same gets the same answers as the first one
    answer = send(other, data=PICKLE + b"flowers").json
    assert (answer["state"], answer["sha256"], answer["bytes"]) == ("converting", None, None)


def test_only_admins_share_and_everybody_may_use_it(api, other, admin, ready):
    problem(send(api, shared="true"), 403, "forbidden")
    problem(stream(api, "name=x&shared=true"), 403, "forbidden")
    network = ready(admin, shared="true")
    where = f"/v1/networks/{network['id']}"
    seen = other.get(where).json
    assert (seen["shared"], seen["own"], seen["job_id"]) == (True, False, None)
    assert [n["id"] for n in uploaded(other)] == [network["id"]]
    assert paint(other, network="flowers").status_code == 202
    problem(other.delete(where), 403, "forbidden")
    assert admin.delete(where).status_code == 204
    problem(paint(other, network="flowers"), 422, "network_not_found")


def test_an_admin_sees_and_deletes_anybodys_but_uses_only_their_own(api, admin, ready):
    network = ready(api)
    where = f"/v1/networks/{network['id']}"
    assert admin.get(where).json["own"] is False
    problem(paint(admin, network=network["id"]), 422, "network_not_found")
    assert admin.delete(where).status_code == 204
    problem(api.get(where), 404, "not_found")


def test_the_list_pages_and_filters(api, ready, convert):
    ids = [ready(api, name, name.encode())["id"] for name in "abc"]
    failed = send(api, "d").json["id"]
    convert(None)
    first = api.get("/v1/networks?limit=2&state=ready").json
    second = api.get(f"/v1/networks?limit=2&state=ready&cursor={first['next_cursor']}").json
    listed = [n["id"] for n in first["networks"] + second["networks"] if not n["shipped"]]
    assert listed == ids[::-1]
    assert [n["name"] for n in second["networks"] if n["shipped"]] == ["planets", "planets-preview"]
    assert len(first["networks"]) == 2
    assert second["next_cursor"] is None
    assert [n["id"] for n in api.get("/v1/networks?state=failed").json["networks"]] == [failed]
    assert api.get("/v1/networks?kind=other").json["networks"] == []
    problem(api.get("/v1/networks?state=lost"), 400, "invalid_request")
    problem(api.get("/v1/networks?cursor=x"), 400, "invalid_request")


@pytest.mark.parametrize("network_id", ["net_" + "0" * 32, "net_x", "flowers", "%00"])
def test_unknown_ones_are_404(api, network_id):
    for method in ("GET", "DELETE"):
        problem(api.request(method, f"/v1/networks/{network_id}"), 404, "not_found")


def test_without_a_key_there_is_nothing(anonymous):
    problem(send(anonymous), 401, "unauthorized")
    problem(anonymous.get("/v1/networks"), 401, "unauthorized")


def test_deleting_while_it_is_converted(api, store):
    network = send(api).json
    assert api.delete(f"/v1/networks/{network['id']}").status_code == 204
    assert api.get(f"/v1/jobs/{network['job_id']}").json["state"] == "canceled"
    assert send(api, data=PICKLE + b"x").status_code == 202
    assert store.claim("wrk_1", "cpu", engines=["stylegan_import"], lease_seconds=60)


# --- jobs that name one ---------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "id", "pinned"])
def test_a_job_is_pinned_to_the_bytes(api, store, ready, by):
    network = ready(api)
    pinned = f"{network['id']}@{network['sha256']}"
    named = {"name": "flowers", "id": network["id"], "pinned": pinned}[by]
    job = paint(api, network=named, others=["flowers", network["id"]])
    assert job.status_code == 202, job.text
    assert job.json["params"]["network"] == pinned
    assert job.json["params"]["others"] == [pinned, pinned]
    row = store.get(job.json["id"])
    assert row.model == f"painter:{network['sha256']}", "workers that have it loaded are preferred"
    assert NetworkStore(store.database).file_of_job(row.id, network["sha256"]).size == network["bytes"]


def test_a_job_costs_what_its_network_makes_of_it(api, store, ready):
    found = ready(api)
    jobs = [paint(api, network=name).json["id"] for name in ("planets", "flowers", found["id"])]
    assert [store.get(job).cost for job in jobs] == [2.0, 8.0, 8.0]


def test_a_job_keeps_what_it_was_accepted_with(api, store, ready):
    network = ready(api)
    job = paint(api, network="flowers").json
    assert api.delete(f"/v1/networks/{network['id']}").status_code == 204
    networks = NetworkStore(store.database)
    assert networks.free() == []
    later = ready(api, "flowers", b"other")
    assert paint(api, network="flowers").json["params"]["network"] == f"{later['id']}@{later['sha256']}"
    assert api.get(f"/v1/jobs/{job['id']}").json["params"]["network"].endswith(network["sha256"])
    assert api.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    assert networks.free() == [network["sha256"]]
    # and who tries it again is told
    problem(api.post(f"/v1/jobs/{job['id']}/retry"), 422, "network_not_found")


def test_a_retry_takes_the_very_same(api, ready):
    network = ready(api)
    job = paint(api, network="flowers").json
    api.post(f"/v1/jobs/{job['id']}/cancel")
    again = api.post(f"/v1/jobs/{job['id']}/retry")
    assert again.status_code == 202, again.text
    assert again.json["params"]["network"] == f"{network['id']}@{network['sha256']}"


def test_networks_that_cannot_be_used_yet_or_ever(api, convert):
    send(api)
    for dry in ("", "?dry_run=true"):
        body = {"engine": "painter", "params": {"network": "flowers"}}
        found = problem(api.post(f"/v1/jobs{dry}", json=body), 409, "network_not_ready")
        assert found["errors"][0]["field"] == "network"
    convert(None)
    found = problem(paint(api, network="flowers"), 422, "network_failed")
    assert "This is no network." in found["detail"]
    problem(paint(api, network="tulips"), 422, "network_not_found")
    problem(paint(api, others=["planets"]), 422, "network_not_found")
    problem(paint(api, network="Not A Name"), 422, "invalid_params")
    problem(paint(api, network=7), 422, "invalid_params")


def test_a_hash_that_is_not_the_networks_is_refused(api, ready):
    network = ready(api)
    problem(paint(api, network=f"{network['id']}@{'0' * 64}"), 422, "network_not_found")


def test_shipped_ones_need_no_row_and_an_own_one_goes_before(api, ready, store):
    job = paint(api).json
    assert job["params"]["network"] == "planets"
    assert store.get(job["id"]).model == "painter:planets"
    mine = ready(api, "planets")
    assert paint(api).json["params"]["network"] == f"{mine['id']}@{mine['sha256']}"


def test_the_shipped_ones_are_listed_and_nobody_deletes_them(api, admin):
    (found,) = [
        n for n in api.get("/v1/networks?kind=stylegan").json["networks"] if n["name"] == "planets-preview"
    ]
    assert (found["id"], found["kind"], found["state"]) == ("planets-preview", "stylegan", "ready")
    assert (found["shipped"], found["shared"], found["own"]) == (True, True, False)
    assert (found["config"]["resolution"], found["config"]["classes"]) == (64, 12)
    assert "mars" in found["config"]["class_names"]
    assert found["bytes"] > 1_000_000
    assert len(found["sha256"]) == 64
    assert api.get("/v1/networks?state=converting").json["networks"] == []
    problem(admin.delete("/v1/networks/planets-preview"), 404, "not_found")
    # one that says nothing of itself
    (bare,) = [n for n in api.get("/v1/networks").json["networks"] if n["name"] == "planets"]
    assert (bare["shipped"], bare["config"], bare["bytes"]) == (True, None, None)


def test_a_name_that_is_none_is_answered_with_those_there_are(api, other, admin, ready, convert):
    ready(api, "mine")
    ready(admin, "everybodys", b"shared", shared="true")
    ready(other, "theirs", b"other")
    send(api, "broken", PICKLE + b"broken")
    convert(None)
    found = problem(paint(api, network="nosuch"), 422, "network_not_found")
    told = "There is no network nosuch for this engine; there are mine, everybodys, planets."
    assert found["detail"] == found["errors"][0]["message"] == told
    found = problem(paint(other, others=["nosuch"]), 422, "network_not_found")
    assert found["detail"].endswith("there are theirs, everybodys.")


# --- what a network cannot do ---------------------------------------------------------------------


def draw(api: Api, dry: str = "", **params: Any):
    return api.post(f"/v1/jobs{dry}", json={"engine": "stylegan", "params": params})


@pytest.mark.parametrize("dry", ["", "?dry_run=true"])
def test_a_class_that_the_network_lacks_is_refused_at_once(api, dry, store):
    found = problem(draw(api, dry, seeds="1", **{"class": "Marx"}), 422, "invalid_params")
    (wrong,) = found["errors"]
    assert (wrong["field"], wrong["code"]) == ("class", "bad_input")
    assert wrong["message"] == found["detail"]
    assert wrong["message"].startswith("This network has no class 'Marx'; it has ceres, earth, ")
    assert store.claim("wrk_1", "gpu", engines=["stylegan"], lease_seconds=60) == []


@pytest.mark.parametrize("dry", ["", "?dry_run=true"])
def test_a_class_may_be_written_in_capitals(api, dry):
    answer = draw(api, dry, seeds="1", **{"class": "MARS"})
    assert answer.status_code == (200 if dry else 202), answer.text
    assert answer.json["params"]["class"] == "mars"
    assert answer.json["params"]["network"] == "planets-preview"


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"class": "tulip"}, "class", "it has Rose, oak"),
        ({"class": 2}, "class", "classes 0 to 1"),
        ({"points": ["AAAAAA=="]}, "points", "48 numbers"),
        ({"truncation": 0.7}, "truncation", "must be 1"),
        ({"walk": "zip", "frames": 7200, "count": 10}, "walk", "mp4 takes them"),
    ],
)
def test_an_uploaded_network_is_known_by_what_its_conversion_said(api, ready, params, field, words):
    ready(api)
    found = problem(draw(api, network="flowers", **({"truncation": 1.0} | params)), 422, "invalid_params")
    (wrong,) = found["errors"]
    assert wrong["field"] == field
    assert words in wrong["message"]


def test_it_is_asked_again_when_a_job_is_tried_again_and_by_whatever_name(api, ready):
    network = ready(api)
    job = draw(api, network=network["id"], truncation=1.0, **{"class": "ROSE"})
    assert job.status_code == 202, job.text
    assert job.json["params"]["class"] == "Rose"
    api.post(f"/v1/jobs/{job.json['id']}/cancel")
    assert api.post(f"/v1/jobs/{job.json['id']}/retry").json["params"]["class"] == "Rose"


def test_what_an_older_conversion_did_not_store_is_left_to_the_engine(api, ready, monkeypatch):
    for name in ("class_names", "has_average"):
        monkeypatch.delitem(CONFIG, name)
    network = ready(api)
    assert network["config"]["class_names"] is None
    answer = draw(api, network="flowers", **{"class": "tulip"})
    assert answer.status_code == 202, answer.text


def test_a_repeated_request_is_the_same_job_whatever_the_name_means_by_now(api, ready):
    network = ready(api)
    body, headers = {"engine": "painter", "params": {"network": "flowers"}}, {"Idempotency-Key": "k"}
    first = api.post("/v1/jobs", json=body, headers=headers).json
    api.delete(f"/v1/networks/{network['id']}")
    ready(api, "flowers", b"other")
    assert api.post("/v1/jobs", json=body, headers=headers).json["id"] == first["id"]


def test_a_form_can_name_one(api, ready):
    network = ready(api)
    job = api.post(
        "/v1/jobs", data={"engine": "painter", "network": "flowers"}, content_type="multipart/form-data"
    )
    assert job.json["params"]["network"] == f"{network['id']}@{network['sha256']}"


def test_clients_can_see_which_params_are_networks(api):
    schema = api.get("/v1/engines/painter").json["params_schema"]["properties"]
    assert schema["network"]["x-network"] == {"kind": "stylegan", "shipped": ["planets"]}
    assert schema["others"]["anyOf"][0]["items"]["x-network"] == {"kind": "stylegan", "shipped": []}
    assert json.loads(json.dumps(schema)) == schema


def test_nobody_converts_by_hand_what_is_no_upload_of_theirs(api, other, store):
    """The converter is an engine like any other, and takes no file but a network's upload."""
    mine = send(api).json
    upload = store.get(mine["job_id"]).params["source"]
    body = {"engine": "stylegan_import", "params": {"source": upload}}
    problem(other.post("/v1/jobs", json=body), 422, "file_not_found")
    picture = api.upload().json["id"]
    problem(api.post("/v1/jobs", json={**body, "params": {"source": picture}}), 422, "wrong_media_type")
