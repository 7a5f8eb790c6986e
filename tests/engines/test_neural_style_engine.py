"""The whole neural_style engine through its context: outputs, metadata, stopping, resuming, memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engines import images
from engines.base import BadInput, EngineError, Interrupted, OutOfMemory, Output
from engines.neural_style import patches
from engines.neural_style.engine import Engine
from engines.neural_style.model import VGG19
from engines.neural_style.spec import NeuralStyleParams
from tests.engines.recording import RecordingContext

Photo = Callable[[str, int], Image.Image]
MakeContext = Callable[..., RecordingContext]
BASE = {"content": "art_photo", "style": "art_painting", "size": 80, "quality": "draft", "seed": 5}
CPU = torch.device("cpu")


@pytest.fixture
def pictures(photo: Photo) -> dict[str, Image.Image]:
    return {
        "art_photo": photo("chelsea", 120),
        "art_painting": photo("coffee", 100),
        "art_other": photo("rocket", 90),
    }


@pytest.fixture
def engine() -> Engine:
    engine = Engine(CPU)
    engine.setup()
    engine.report_every = 0.0
    return engine


@pytest.fixture(scope="module")
def random_vgg() -> VGG19:
    torch.manual_seed(0)
    return VGG19()


def params(**changes: Any) -> NeuralStyleParams:
    return NeuralStyleParams.model_validate({**BASE, **changes})


def only(engine: Engine, wanted: NeuralStyleParams, context: RecordingContext) -> Output:
    (output,) = engine.run(wanted, context)
    return output


def opened(output: Output) -> Image.Image:
    assert isinstance(output.data, bytes)
    return Image.open(io.BytesIO(output.data))


# ---- outputs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("png", "result.png"), ("jpeg", "result.jpg")])
def test_one_picture_with_its_record(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], kind: str, name: str
) -> None:
    # when
    output = only(engine, params(format=kind), make_context(pictures))
    # then
    assert (output.name, output.media_type) == (name, images.MEDIA_TYPES[kind])
    assert opened(output).size == (80, 53)
    meta = dict(output.meta)
    assert (meta["seed"], meta["method"], meta["width"], meta["height"]) == (5, "patches", 80, 53)
    assert (meta["strength"], meta["quality"], meta["style_weights"]) == (0.5, "draft", [1.0])
    assert json.loads(json.dumps(meta)) == meta
    assert images.read_metadata(output.data if isinstance(output.data, bytes) else b"") == meta


def test_no_reference_reaches_the_record(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    output = only(engine, params(), make_context(pictures))
    assert "art_" not in json.dumps(dict(output.meta))


def test_small_pictures_are_enlarged_to_the_size_asked_for(
    engine: Engine, make_context: MakeContext, photo: Photo
) -> None:
    context = make_context({"art_photo": photo("chelsea", 20), "art_painting": photo("coffee", 10)})
    assert opened(only(engine, params(size=64), context)).size == (64, 42)


def test_a_one_pixel_photo_works(engine: Engine, make_context: MakeContext, photo: Photo) -> None:
    context = make_context({"art_photo": Image.new("RGB", (1, 1)), "art_painting": photo("coffee", 40)})
    assert opened(only(engine, params(size=64), context)).size == (64, 64)


def test_the_same_seed_gives_the_same_file(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    first, second = (only(engine, params(), make_context(pictures)).data for _ in range(2))
    assert first == second


@pytest.mark.parametrize("mode", ["match", "luma"])
def test_colours_are_preserved(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], mode: str
) -> None:
    def chroma_error(preserve: str) -> float:
        result = opened(only(engine, params(preserve_color=preserve), make_context(pictures)))
        content = images.fit(pictures["art_photo"], 80)
        pair = [torch.from_numpy(images.as_array(picture)) for picture in (result, content)]
        chroma = [array - array.mean(-1, keepdim=True) for array in pair]
        return float((chroma[0].mean((0, 1)) - chroma[1].mean((0, 1))).abs().max())

    assert chroma_error(mode) < 0.03 < chroma_error("none")


def test_a_style_of_weight_zero_is_not_even_read(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    # given: two styles, the second absent and of no weight
    alone = only(engine, params(), make_context(pictures))
    unread = params(style=["art_painting", "art_absent"], style_weights=[2, 0])
    # when
    output = only(engine, unread, make_context(pictures))
    # then
    assert opened(output).tobytes() == opened(alone).tobytes()
    assert output.meta["style_weights"] == [1.0, 0.0]


def test_two_styles(engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]) -> None:
    both = only(engine, params(style=["art_painting", "art_other"]), make_context(pictures))
    assert both.meta["styles"] == 2
    assert opened(both).tobytes() != opened(only(engine, params(), make_context(pictures))).tobytes()


def test_unreadable_files_are_bad_input(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], tmp_path: Path
) -> None:
    context = make_context(pictures)
    (tmp_path / "text.png").write_text("no picture")
    context.files["art_painting"] = tmp_path / "text.png"
    with pytest.raises(BadInput):
        only(engine, params(), context)


# ---- progress, stopping, resuming ------------------------------------------------------------------------


def test_progress_rises_and_previews_have_the_final_aspect(
    engine: Engine, make_context: MakeContext, photo: Photo
) -> None:
    context = make_context({"art_photo": photo("rocket", 150), "art_painting": photo("coffee", 90)})
    seen: list[tuple[int, int]] = []
    report = context.progress

    def with_previews(fraction: float, message: str = "", **given: Any) -> None:
        if given["preview"] is not None and len(context.reports) % 40 == 0:
            seen.append(Image.open(io.BytesIO(given["preview"]())).size)
        report(fraction, message, **given)

    context.progress = with_previews  # type: ignore[method-assign]
    result = opened(only(engine, params(size=150), context))
    fractions = [entry.fraction for entry in context.reports]
    assert fractions == sorted(fractions)
    assert set(seen) == {result.size}
    assert {entry.message for entry in context.reports} >= {"level 1 of 2", "level 2 of 2"}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_an_interrupted_job_continues_to_the_same_file(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], share: float
) -> None:
    # given: a whole run, and one that was stopped on the way
    wanted = params(size=128)
    whole_context = make_context(pictures)
    whole = only(engine, wanted, whole_context).data
    context = make_context(pictures, stop_at=round(share * len(whole_context.reports)))
    with pytest.raises(Interrupted):
        only(engine, wanted, context)
    # when: another worker continues
    resumed = make_context(pictures, checkpoint=context.checkpoint)
    output = only(Engine(CPU), wanted, resumed)
    # then
    assert output.data == whole
    assert resumed.reports[1].fraction >= context.reports[-1].fraction - 0.1


@pytest.mark.parametrize("change", [{"seed": 6}, {"strength": 0.6}, {"size": 96}, {"style": "art_other"}])
def test_a_checkpoint_of_other_parameters_is_ignored(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], change: dict[str, Any]
) -> None:
    # given
    context = make_context(pictures, stop_at=60)
    with pytest.raises(Interrupted):
        only(engine, params(), context)
    assert context.checkpoint
    # when
    stale = only(engine, params(**change), make_context(pictures, checkpoint=context.checkpoint))
    # then
    assert stale.data == only(engine, params(**change), make_context(pictures)).data


# ---- memory ----------------------------------------------------------------------------------------------

CPU_FAULT = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


def failing(real: Callable[..., Any], faults: list[BaseException], calls: list[dict[str, Any]]) -> Any:
    """The real function, but its first calls raise the faults."""

    def call(*args: Any, **options: Any) -> Any:
        calls.append(options)
        if faults:
            raise faults.pop(0)
        return real(*args, **options)

    return call


@pytest.mark.parametrize(
    "fault", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(CPU_FAULT), MemoryError()]
)
def test_patches_try_again_with_smaller_tiles(
    engine: Engine,
    make_context: MakeContext,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(patches, "transport", failing(patches.transport, [fault], calls))
    output = only(engine, params(), make_context(pictures))
    assert [call["tile"] for call in calls] == [patches.TILE, patches.SMALL_TILE]
    assert opened(output).size == (80, 53)


def test_a_second_failure_is_out_of_memory(
    engine: Engine,
    make_context: MakeContext,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults: list[BaseException] = [MemoryError(), RuntimeError(CPU_FAULT)]
    monkeypatch.setattr(patches, "transport", failing(patches.transport, faults, []))
    with pytest.raises(OutOfMemory, match="80 pixels"):
        only(engine, params(), make_context(pictures))


def test_other_faults_are_not_retried(
    engine: Engine,
    make_context: MakeContext,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[dict[str, Any]] = []
    faulty = failing(patches.transport, [RuntimeError("shape mismatch")], calls)
    monkeypatch.setattr(patches, "transport", faulty)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        only(engine, params(), make_context(pictures))
    assert len(calls) == 1


# ---- gatys -----------------------------------------------------------------------------------------------


@pytest.fixture
def quick_gatys(monkeypatch: pytest.MonkeyPatch, random_vgg: VGG19) -> Engine:
    """Random weights and few iterations: the way through, not the picture."""
    monkeypatch.setattr("engines.neural_style.engine.GATYS_ITERATIONS", {"draft": (4, 3)})
    engine = Engine(CPU, vgg=random_vgg)
    engine.report_every = 0.0
    return engine


def test_gatys_through_the_engine(
    quick_gatys: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    context = make_context(pictures, keep_previews=True)
    output = only(quick_gatys, params(method="gatys", preserve_color="luma"), context)
    assert opened(output).size == (80, 53)
    assert output.meta["method"] == "gatys"
    assert output.meta["precision"] in ("bfloat16", "float32")
    assert all(Image.open(io.BytesIO(data)).size == (80, 53) for data in context.previews)


def test_gatys_continues_to_the_same_file(
    quick_gatys: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    wanted = params(method="gatys")
    whole = only(quick_gatys, wanted, make_context(pictures)).data
    context = make_context(pictures, stop_at=3)
    with pytest.raises(Interrupted):
        only(quick_gatys, wanted, context)
    resumed = make_context(pictures, checkpoint=context.checkpoint)
    assert only(quick_gatys, wanted, resumed).data == whole
    assert len(resumed.reports) == 2


def test_gatys_tries_again_smaller_and_says_so(
    quick_gatys: Engine,
    make_context: MakeContext,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = torch.OutOfMemoryError("CUDA out of memory.")
    optimiser = quick_gatys._optimiser()
    monkeypatch.setattr(optimiser, "paint", failing(optimiser.paint, [fault], []))
    output = only(quick_gatys, params(method="gatys"), make_context(pictures))
    assert output.meta["reduced_size"] == 56
    assert max(opened(output).size) == 56


def test_gatys_without_weights_says_what_to_do(
    engine: Engine,
    make_context: MakeContext,
    pictures: dict[str, Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path / "none"))
    with pytest.raises(EngineError, match="atelier weights pull vgg19"):
        only(engine, params(method="gatys"), make_context(pictures))


def test_auto_is_patches_on_a_cpu(
    quick_gatys: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    assert only(quick_gatys, params(method="auto"), make_context(pictures)).meta["method"] == "patches"


# ---- device ----------------------------------------------------------------------------------------------


def test_the_device_is_named(engine: Engine) -> None:
    assert engine.device == "cpu"


def test_the_environment_chooses_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    assert Engine().device == "cpu"
    monkeypatch.setenv("ATELIER_DEVICE", "abacus")
    with pytest.raises(ValueError, match="abacus"):
        Engine()


# ---- several pictures ------------------------------------------------------------------------------------


def test_several_pictures_are_those_of_the_single_seeds_to_the_bit(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    # when
    outputs = list(engine.run(params(count=3, format="jpeg"), make_context(pictures)))
    # then
    assert [output.name for output in outputs] == ["result-5.jpg", "result-6.jpg", "result-7.jpg"]
    assert [output.meta["seed"] for output in outputs] == [5, 6, 7]
    alone = [only(engine, params(seed=s, format="jpeg"), make_context(pictures)) for s in (5, 6, 7)]
    assert [output.data for output in outputs] == [one.data for one in alone]
    assert [output.meta for output in outputs] == [one.meta for one in alone]
    assert len({output.data for output in outputs}) == 3


def test_progress_is_that_of_the_whole(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    context = make_context(pictures)
    list(engine.run(params(count=2), context))
    fractions = [report.fraction for report in context.reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0, abs=0.05)
    assert {report.message.partition(",")[0] for report in context.reports} == {
        "picture 1 of 2",
        "picture 2 of 2",
    }


@pytest.mark.parametrize("share", [0.2, 0.5, 0.55, 0.9])
def test_interrupted_pictures_continue_where_they_were(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image], share: float
) -> None:
    # given: a whole run, and one that was stopped in its first, or in its second picture
    wanted = params(count=2)
    whole_context = make_context(pictures)
    whole = list(engine.run(wanted, whole_context))
    stop_at = round(share * len(whole_context.reports))
    context = make_context(pictures, stop_at=stop_at)
    with pytest.raises(Interrupted):
        list(engine.run(wanted, context))
    # when: another worker continues
    resumed = make_context(pictures, checkpoint=context.checkpoint)
    outputs = list(Engine(CPU).run(wanted, resumed))
    # then
    assert [(o.name, o.data, o.meta) for o in outputs] == [(o.name, o.data, o.meta) for o in whole]
    assert resumed.reports[1].fraction >= context.reports[-1].fraction - 0.1
    assert len(resumed.reports) <= len(whole_context.reports) - stop_at + 20


def test_pictures_of_other_parameters_are_not_taken_from_a_checkpoint(
    engine: Engine, make_context: MakeContext, pictures: dict[str, Image.Image]
) -> None:
    done = make_context(pictures, stop_at=len(_reports(engine, make_context(pictures))) + 3)
    with pytest.raises(Interrupted):
        list(engine.run(params(count=2), done))
    other = params(count=2, strength=0.7)
    resumed = list(engine.run(other, make_context(pictures, checkpoint=done.checkpoint)))
    assert resumed[0].data == only(engine, params(strength=0.7), make_context(pictures)).data


def _reports(engine: Engine, context: RecordingContext) -> list[Any]:
    """Those of one picture alone."""
    only(engine, params(), context)
    return context.reports
