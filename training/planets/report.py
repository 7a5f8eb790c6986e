"""The tables of an evaluation, as Markdown: what `evaluate.py` prints and keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: What our generator is to reach of the baseline's FID and recall.
FID_PART, RECALL_TIMES = 0.5, 2.0


def markdown(found: dict[str, Any]) -> str:
    """Everything that metrics.json holds, for people."""
    real, features = found["real"], found["features"]
    parts = [
        f"Against all {real['pictures']} real pictures of {found['size']} px; features of {features['of']} "
        f"({features['numbers']} numbers); seed {found['seed']}.",
        _overall(found),
        *_targets(found),
    ]
    for run in found["ours"]:
        parts += [f"{run['name']}, by world:", _worlds(run, real["agreement"])]
    parts += [
        "How near planets come to training pictures: distances to the nearest one or its mirror image. Real: "
        "from each to the nearest other. Held out: from a tenth of the real ones to the nearest of the rest.",
        _memorisation(found),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Iterable[str]) -> str:
    columns = [cell.strip() for cell in head.split("|")]
    line = "| " + " | ".join(columns) + " |"
    return "\n".join([line, "|---" * len(columns) + "|", *(f"| {row} |" for row in rows)])


def _numbers(found: dict[str, Any]) -> str:
    kid = found["kid"]
    return (
        f"{found['fid']:.4g} | {kid['mean'] * 1e3:.3g} ± {kid['deviation'] * 1e3:.2g} "
        f"| {found['precision']:.3f} | {found['recall']:.3f}"
    )


def _overall(found: dict[str, Any]) -> str:
    real = found["real"]
    rows = [
        f"half of the real pictures against the other ({real['halves']['made_pictures']} each) | "
        f"{_numbers(real['halves'])} | {real['agreement']['all']:.1%} | |"
    ]
    for run in (*found["ours"], *found["baselines"]):
        right = f"{run['agreement']['all']:.1%}" if "agreement" in run else ""
        rows.append(
            f"{run['name']} ({run['made_pictures']}) | {_numbers(run)} | {right} "
            f"| {run['parameters']:,} | {run['pictures_per_second']:.0f}"
        )
    head = "set (pictures) | FID | KID x 1000 | precision | recall | recognised | parameters | pictures/s"
    return _table(head, rows)


def _targets(found: dict[str, Any]) -> list[str]:
    """Our first against the best FID and the best recall among the baselines."""
    if not found["baselines"]:
        return []
    ours = found["ours"][0]
    fid, recall = ours["fid"], ours["recall"]
    best_fid = min(run["fid"] for run in found["baselines"])
    best_recall = max(run["recall"] for run in found["baselines"])
    mark = {True: "met", False: "MISSED"}
    return [
        _table(
            f"{ours['name']} | measured | target |",
            [
                f"FID / the baseline's | {fid:.4g} / {best_fid:.4g} = {fid / best_fid:.3f} "
                f"| <= {FID_PART} | {mark[fid <= FID_PART * best_fid]}",
                f"recall / the baseline's | {recall:.3f} / {best_recall:.3f}"
                + (f" = {recall / best_recall:.2f}" if best_recall else "")
                + f" | >= {RECALL_TIMES:g}x | {mark[recall > 0 and recall >= RECALL_TIMES * best_recall]}",
            ],
        )
    ]


def _worlds(run: dict[str, Any], real_agreement: dict[str, float]) -> str:
    rows = [
        f"{world} ({found['real_pictures']}, {found['made_pictures']}) | {_numbers(found)} "
        f"| {run['agreement'][world]:.1%} | {real_agreement[world]:.1%}"
        for world, found in run["worlds"].items()
    ]
    head = "world (real, made) | FID | KID x 1000 | precision | recall | recognised | real ones recognised"
    return _table(head, rows)


def _memorisation(found: dict[str, Any]) -> str:
    rows = []
    for run in (*found["ours"], *found["baselines"]):
        for space, one in run["memorisation"].items():
            nearer = " | ".join(f"{share:.1%}" for share in one["nearer_than"].values())
            rows.append(
                f"{run['name']} ({one['planets']}), {space} | {_spread(one['generated'])} "
                f"| {_spread(one['real_to_other_real'])} | {_spread(one['held_out_to_rest'])} "
                f"| {nearer} | {one['authentic']:.1%}"
            )
    head = (
        "planets, compared by | 1 % / 5 % / median | real | held out | nearer than the nearest 1 % of real "
        "| than 5 % | authentic"
    )
    return _table(head, rows)


def _spread(quantiles: dict[str, float]) -> str:
    return " / ".join(f"{quantiles[share]:.3g}" for share in ("0.01", "0.05", "0.5"))
