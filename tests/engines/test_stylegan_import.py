"""The conversion job's engine: from an upload to a file of ours with what the house says of it."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import engines
from engines.base import Interrupted
from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import GeneratorConfig
from engines.stylegan.reading.shapes import expected_shapes
from tests.engines.recording import RecordingContext

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "stylegan2"
TINY = GeneratorConfig(
    c_dim=2,
    img_resolution=8,
    img_channels=1,
    channel_base=64,
    channel_max=8,
    z_dim=6,
    w_dim=4,
    mapping_layers=1,
)


class Hostile:
    """Runs a command when a pickle of it is loaded."""

    def __reduce__(self):
        return print, ("executed",)


KNOWN = {"class_names": [], "has_average": True}


@pytest.fixture
def run(make_context: Callable[..., RecordingContext]):
    """`run(file)`: what the engine makes of it."""
    engine = engines.load("stylegan_import")
    params = engines.spec("stylegan_import").params.model_validate({"source": "art_0", "seed": 5})

    def convert(file: Path, **options):
        context = make_context(**options)
        context.files["art_0"] = file
        return list(engine.run(params, context))

    return convert


def written(tmp_path: Path, config: GeneratorConfig = TINY, classes: tuple[str, ...] = ()) -> Path:
    random = np.random.default_rng(1)
    tensors = {name: random.standard_normal(shape) for name, shape in expected_shapes(config).items()}
    path = tmp_path / "mine.safetensors"
    network_file.write(path, config, tensors, classes=classes)
    return path


def test_one_output_named_by_its_hash_with_what_it_is(run, tmp_path):
    (made,) = run(written(tmp_path))
    sha256 = hashlib.sha256(made.data.read_bytes()).hexdigest()
    assert made.name == f"{sha256}.safetensors"
    assert made.media_type in engines.spec("stylegan_import").produces
    config = {"resolution": 8, "channels": 1, "classes": 2, "z_dim": 6, "w_dim": 4, **KNOWN}
    assert made.meta == {"seed": 5, "config": config}
    assert network_file.read(made.data)[0] == TINY


def test_names_of_classes_are_among_what_it_says(run, tmp_path):
    (made,) = run(written(tmp_path, classes=("rose", "oak")))
    assert made.meta["config"]["class_names"] == ["rose", "oak"]


def test_an_official_pickle(run):
    file = GOLDEN / "r32_c3" / "network_p4.pkl"
    if not file.is_file():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    (made,) = run(file)
    assert made.meta["config"] == {
        "resolution": 32,
        "channels": 3,
        "classes": 3,
        "z_dim": 48,
        "w_dim": 40,
        **KNOWN,
    }


def test_what_is_no_network_is_refused(run, tmp_path, capfd):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Hostile(), protocol=4))
    with pytest.raises(BadNetwork):
        run(tmp_path / "x.pkl")
    assert "executed" not in capfd.readouterr().out


def test_pictures_that_nobody_could_show_are_refused(run, tmp_path):
    five = written(tmp_path, TINY.model_copy(update={"img_channels": 5}))
    with pytest.raises(BadNetwork, match="5 channels"):
        run(five)


def test_a_cancel_ends_it_and_leaves_nothing(run, tmp_path):
    with pytest.raises(Interrupted):
        run(written(tmp_path), stop_at=2)
    assert list((tmp_path / "scratch").iterdir()) == []
