"""The files of a request: as they came, looked at, stored; in this order, for there is no other."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engines
from accept import Means
from accept.inputs import Checked, Inputs
from jobs.errors import AtelierError, BadFile, InvalidParams
from tests.accept.conftest import files_of
from tests.api.helpers import data_uri, picture
from tests.examples import examples

STYLE = engines.spec("neural_style")
URL = "https://example.com/a.png"


def checked(means: Means, owner_id: str, params: dict[str, Any], uploads: Any = ()) -> Checked:
    """These params, taken to be valid."""
    inputs = Inputs(STYLE, params, uploads)
    return inputs.check(means, owner_id, inputs.params)


def test_what_was_sent_with_a_request_is_only_a_name_in_its_params(lite, eve):
    # given
    sent = {"content": data_uri(picture()), "style": [URL], "size": 64}
    upload = ("style", "b.png", io.BytesIO(picture(color="red")))
    # when
    inputs = Inputs(STYLE, sent, [upload])
    # then
    content, (url, style) = inputs.params["content"], inputs.params["style"]
    assert url == URL
    assert all(name.startswith("art_") and len(name) == 36 for name in (content, style))
    assert sent["style"] == [URL], "what the caller gave is as it was"
    assert files_of(lite, eve) == []


def test_a_fingerprint_is_of_the_bytes():
    def of(color: str) -> dict[str, Any]:
        return Inputs(STYLE, {"content": data_uri(picture(color=color)), "style": URL}).fingerprint()

    assert of("red") == of("red") != of("blue")
    assert of("red")["content"].startswith("sha256:")
    assert of("red")["style"] == URL


def test_a_single_upload_goes_beside_what_the_field_names():
    upload = ("style", "b.png", io.BytesIO(picture()))
    assert len(Inputs(STYLE, {"style": URL}, [upload]).params["style"]) == 2


def test_what_is_checked_can_be_kept_once_and_undone_once(lite, eve):
    # given
    found = checked(
        lite, eve, {"content": data_uri(picture()), "style": [data_uri(picture(color="red")), URL]}
    )
    assert found.size() == len(picture()) + len(picture(color="red"))
    assert found.fingerprint()["content"].startswith("sha256:")
    # when
    params, ids = found.keep()
    # then
    assert found.keep() == (params, ids)
    assert ids == [params["content"], params["style"][0]]
    assert set(lite.files.get_many(ids, eve)) == set(ids)
    found.undo()
    found.undo()
    assert files_of(lite, eve) == []


def test_a_file_that_the_params_do_not_name_is_neither_looked_at_nor_kept(lite, eve):
    """The engine's own model may leave one out."""
    inputs = Inputs(STYLE, {"content": data_uri(b"no picture")})
    found = inputs.check(lite, eve, {"content": URL})
    assert found.size() == 0
    assert found.keep() == ({"content": URL}, [])


def test_files_that_are_there_stay_when_the_job_comes_to_nothing(lite, eve):
    _, (own, _) = checked(lite, eve, {"content": data_uri(picture()), "style": data_uri(picture())}).keep()
    found = checked(lite, eve, {"content": own, "style": [own]})
    assert found.keep()[1] == [own, own]
    found.undo()
    assert lite.files.get(own, eve).id == own


@pytest.mark.parametrize("url", ["http://example.com/a.png", "https://10.0.0.1/", "https://a:b@example.com/"])
def test_a_url_that_no_worker_would_fetch_is_refused_of_its_field(lite, eve, url):
    with pytest.raises(InvalidParams) as refused:
        checked(lite, eve, {"content": URL, "style": [URL, url]})
    assert refused.value.extra["errors"][0]["field"] == "style"


def test_every_engine_says_which_files_it_takes(lite, eve):
    made, (own, *_) = checked(lite, eve, {"content": data_uri(picture()), "style": URL}).keep()
    spec = engines.spec("stylegan_import")
    inputs = Inputs(spec, {"source": made["content"]})
    with pytest.raises(BadFile) as refused:
        inputs.check(lite, eve, inputs.params)
    assert refused.value.problem_code == "wrong_media_type"
    assert lite.files.get(own, eve)


@given(
    st.lists(st.tuples(st.sampled_from(["content", "style", "size", ""]), st.text(), st.binary(max_size=99))),
    st.fixed_dictionaries(
        {}, optional={"content": st.text() | st.binary().map(data_uri), "style": st.lists(st.text())}
    ),
)
@settings(max_examples=examples(150), deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
def test_no_bytes_and_no_text_are_more_than_a_refusal(lite, eve, sent, params):
    uploads = [(field, name, io.BytesIO(data)) for field, name, data in sent]
    try:
        found = checked(lite, eve, params, uploads)
    except AtelierError:
        found = None
    assert found is None or found.size() == 0, "none of this is a picture"
    assert files_of(lite, eve) == []
