"""The tables of an evaluation, word by word."""

from __future__ import annotations

from typing import Any

import pytest

from training.planets import report


def measured(fid: float, recall: float, **more: Any) -> dict[str, Any]:
    numbers = {"fid": fid, "recall": recall, "precision": 0.5, "kid": {"mean": 0.0012, "deviation": 0.0003}}
    return numbers | {"made_pictures": 48, "real_pictures": 60} | more


def spread(middle: float) -> dict[str, float]:
    return {"0.01": middle / 4, "0.05": middle / 2, "0.25": middle, "0.5": middle, "0.75": middle}


NEAR = {
    "planets": 20, "generated": spread(2.0), "real_to_other_real": spread(4.0),
    "held_out_to_rest": spread(8.0), "nearer_than": {"0.01": 0.05, "0.05": 0.1}, "authentic": 0.975,
}  # fmt: skip


def run(name: str, fid: float, recall: float, **more: Any) -> dict[str, Any]:
    return measured(fid, recall, **more) | {
        "name": name, "parameters": 1_234_567, "pictures_per_second": 99.6, "memorisation": {"pixels": NEAR},
    }  # fmt: skip


@pytest.fixture
def found() -> dict[str, Any]:
    ours = run("ours", 5.0, 0.4, agreement={"all": 0.9, "mars": 0.8}, worlds={"mars": measured(7.0, 0.3)})
    return {
        "size": 64, "seed": 3, "features": {"of": "the classifier", "numbers": 256},
        "real": {"pictures": 120, "agreement": {"all": 0.99, "mars": 0.97}, "halves": measured(1.0, 0.9)},
        "ours": [ours], "baselines": [run("theirs", 10.0, 0.1)],
    }  # fmt: skip


def rows(text: str, name: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_targets_are_met_or_missed():
    def told(ours, *others):
        found = {"ours": [{"name": "ours", **ours}], "baselines": list(others)}
        return report._targets(found)[0]

    good = told({"fid": 5.0, "recall": 0.4}, {"fid": 10.0, "recall": 0.1}, {"fid": 12.0, "recall": 0.2})
    assert good.count("| met |") == 2
    bad = told({"fid": 5.1, "recall": 0.39}, {"fid": 10.0, "recall": 0.1}, {"fid": 12.0, "recall": 0.2})
    assert bad.count("| MISSED |") == 2
    nothing = told({"fid": 1.0, "recall": 0.0}, {"fid": 10.0, "recall": 0.0})
    assert nothing.count("| MISSED |") == 1  # twice nothing is nothing


def test_a_target_tells_both_numbers_and_their_part(found):
    (table,) = report._targets(found)
    assert rows(table, "FID") == [["FID / the baseline's", "5 / 10 = 0.500", "<= 0.5", "met"]]
    assert rows(table, "recall") == [["recall / the baseline's", "0.400 / 0.100 = 4.00", ">= 2x", "met"]]


def test_without_a_baseline_there_is_no_target(found):
    found["baselines"] = []
    assert report._targets(found) == []
    assert "target" not in report.markdown(found)


def test_everything_that_was_measured_is_in_a_table(found):
    text = report.markdown(found)
    assert text.startswith(
        "Against all 120 real pictures of 64 px; features of the classifier (256 numbers); seed 3."
    )
    (halves,) = rows(text, "half of the real pictures")
    assert halves[1:6] == ["1", "1.2 ± 0.3", "0.500", "0.900", "99.0%"]
    overall, near = rows(text, "ours (")
    assert overall == ["ours (48)", "5", "1.2 ± 0.3", "0.500", "0.400", "90.0%", "1,234,567", "100"]
    assert near == ["ours (20), pixels", "0.5 / 1 / 2", "1 / 2 / 4", "2 / 4 / 8", "5.0%", "10.0%", "97.5%"]
    (mars,) = rows(text, "mars")
    assert mars == ["mars (60, 48)", "7", "1.2 ± 0.3", "0.500", "0.300", "80.0%", "97.0%"]


def test_a_baseline_that_knows_no_worlds_has_an_empty_cell(found):
    overall, _ = rows(report.markdown(found), "theirs (")
    assert overall[5] == ""


def test_every_row_has_as_many_cells_as_its_head(found):
    for table in report.markdown(found).split("\n\n"):
        lines = table.splitlines()
        if lines[0].startswith("|"):
            assert {line.count("|") for line in lines} == {lines[0].count("|")}, table
