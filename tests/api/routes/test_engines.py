"""/v1/engines: what can be made."""

from __future__ import annotations

from tests.api.helpers import problem


def test_engines_describe_themselves(api):
    names = [e["name"] for e in api.get("/v1/engines").json["engines"]]
    assert "neural_style" in names
    assert "echo" not in names
    everything = [e["name"] for e in api.get("/v1/engines?hidden=true").json["engines"]]
    assert "echo" in everything
    assert "stylegan_import" not in everything, "it runs by itself"
    assert "by hand" in api.get("/v1/engines/stylegan_import").json["description"]
    style = api.get("/v1/engines/neural_style").json
    assert style["files"]["style"]["multiple"] is True
    assert style["files"]["content"]["multiple"] is False
    assert style["params_schema"]["properties"]["content"]["x-artifact"]
    problem(api.get("/v1/engines/alchemy"), 404, "engine_not_found")
    problem(api.get("/v1/engines?hidden=perhaps"), 400, "invalid_request")
