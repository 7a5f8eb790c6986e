"""Engines in the language of who asks: `lang`, then Accept-Language, then English."""

from __future__ import annotations

import pytest

from tests.api.helpers import problem


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("?lang=de", None, "de"),
        ("?lang=PL", None, "pl"),
        ("?lang=ru_RU", None, "ru"),
        ("?lang=de-AT", "pl", "de"),
        ("?lang=fr", "pl", "en"),  # who says it outright means it
        ("", "de", "de"),
        ("", "de-AT,en;q=0.5", "de"),
        ("", "fr-CH, fr;q=0.9, pl;q=0.8, *;q=0.5", "pl"),
        ("", "en;q=0.2, ru;q=0.7", "ru"),
        ("", "de;q=0", "en"),
        ("", "*", "en"),
        ("", "nonsense;;;=", "en"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/engines", "/v1/engines/planets"])
def test_the_language_that_is_wanted(api, path, query, header, language):
    answer = api.get(f"{path}{query}", headers={"Accept-Language": header} if header else {})

    assert answer.status_code == 200
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"]
    shown = {one["name"]: one for one in answer.json.get("engines", [answer.json])}["planets"]
    title = {"en": "Planets", "de": "Planeten", "pl": "Planety", "ru": "Планеты"}[language]
    assert shown["title"] == title


def test_all_of_a_form_is_in_it(api):
    engine = api.get("/v1/engines/neural_style?lang=de").json
    strength = engine["params_schema"]["properties"]["strength"]
    assert strength["title"] == "Stärke"
    assert strength["description"].startswith("0 behält")
    assert strength["x-ui"] == {
        "group": "look",
        "role": "strength",
        "ends": ["behält die Einzelheiten", "malt frei"],
    }
    quality = engine["params_schema"]["properties"]["quality"]
    assert quality["x-ui"]["choices"] == {"draft": "Entwurf", "normal": "Normal", "best": "Beste"}
    groups = engine["params_schema"]["x-ui"]["groups"]
    assert groups == {"subject": "Motiv", "look": "Aussehen", "result": "Ergebnis"}


def test_what_results_say_is_in_it_too(api):
    labels = api.get("/v1/engines/planet_classifier?lang=pl").json["labels"]
    assert (labels["moon"], labels["not_a_planet"]) == ("Księżyc", "To nie planeta")
    assert api.get("/v1/engines/planets").json["labels"] == {}


@pytest.mark.parametrize("tag", ["", "d%20e", "deutsch-und-viel-zu-lang-fuer-ein-tag", "de%00", "1"])
def test_what_is_no_tag_is_refused(api, tag):
    found = problem(api.get(f"/v1/engines?lang={tag}"), 400, "invalid_request")
    assert found["errors"][0]["field"] == "lang"


def test_the_document_says_so(anonymous):
    paths = anonymous.get("/openapi.json").json["paths"]
    for path in ("/v1/engines", "/v1/engines/{name}"):
        names = {one["name"] for one in paths[path]["get"]["parameters"]}
        assert {"lang", "Accept-Language"} <= names
        assert "Content-Language" in paths[path]["get"]["responses"]["200"]["headers"]
