"""The sandbox: what it converts, and what becomes of a child that does anything else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from engines.base import EngineError, Transient
from engines.stylegan import network_file
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import GeneratorConfig
from engines.stylegan.reading import sandbox
from engines.stylegan.reading.sandbox import SandboxLimits, convert
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan_pickles import TINY

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT.parent / "shared" / "golden" / "stylegan2"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "stranger.pkl"
    path.parent.mkdir()
    path.write_bytes(pickles.official_file(pickles.network(TINY, pickles.random_tensors(TINY))))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "network.safetensors"


def leaves_nothing(target: Path) -> bool:
    """Neither a target nor anything beside it."""
    return not list(target.parent.iterdir())


# --- what is converted ------------------------------------------------------------------------------


def test_a_pickle_becomes_a_file_of_ours(source: Path, target: Path) -> None:
    # when
    made = convert(source, target)
    # then
    assert made.config == TINY
    assert made.bytes == target.stat().st_size
    assert made.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert made.origin == {"format": "stylegan2-ada-pytorch", "network": "G_ema"}
    assert list(target.parent.iterdir()) == [target]
    _, tensors = network_file.read(target)
    expected = pickles.random_tensors(TINY)
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)
    # and when it is sent in again, as fp32 and as fp16
    assert convert(target, target.with_name("again")).sha256 == made.sha256
    assert convert(target, target.with_name("half"), half=True).bytes < made.bytes


@pytest.mark.parametrize("name", ["u64_c0", "r32_c3"])
def test_both_styles_of_a_network_become_the_same_file(name: str, target: Path) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    old = convert(GOLDEN / name / "network_p3_oldstyle.pkl", target.with_name("old"))
    new = convert(GOLDEN / name / "network_p4.pkl", target)
    assert old == new
    expected = safetensors.numpy.load_file(GOLDEN / name / "weights.safetensors")
    _, tensors = network_file.read(target)
    assert all(tensors[key].tobytes() == expected[f"G_ema.{key}"].tobytes() for key in tensors)


def test_what_cannot_be_used_is_said(source: Path, target: Path) -> None:
    source.write_bytes(b"\x80\x04cos\nsystem\n(X\x04\x00\x00\x00lstR.")
    with pytest.raises(BadNetwork, match=r"asks for os\.system, which no network needs"):
        convert(source, target)
    assert leaves_nothing(target)


def test_a_target_that_was_there_stays_when_it_fails(source: Path, target: Path) -> None:
    target.write_bytes(b"before")
    source.write_bytes(b"\x80\x04N.")
    with pytest.raises(BadNetwork):
        convert(source, target)
    assert target.read_bytes() == b"before"


def test_a_source_that_is_absent_or_too_large(source: Path, target: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not there") as caught:
        convert(tmp_path / "absent.pkl", target)
    assert not isinstance(caught.value, BadNetwork)
    with pytest.raises(BadNetwork, match="at most 1,000 are read"):
        convert(source, target, SandboxLimits(file_bytes=1000))
    assert leaves_nothing(target)


# --- limits, in a real child ------------------------------------------------------------------------


def test_a_child_without_memory(source: Path, target: Path) -> None:
    """Weights of 64 MB in fp16 must be widened; there is memory for half of it."""
    config = GeneratorConfig(c_dim=0, img_resolution=8, img_channels=3, channel_base=16_384, channel_max=1024)
    tensors = {name: array.astype(np.float16) for name, array in pickles.random_tensors(config).items()}
    source.write_bytes(pickles.official_file(pickles.network(config, tensors)))
    with pytest.raises(BadNetwork, match="memory"):
        convert(source, target, SandboxLimits(memory_bytes=60_000_000))
    assert leaves_nothing(target)


def test_a_child_that_would_write_too_much(source: Path, target: Path) -> None:
    """Half the size comes in than would go out."""
    config = GeneratorConfig(c_dim=0, img_resolution=4, img_channels=3, channel_base=256, channel_max=64)
    tensors = {name: array.astype(np.float16) for name, array in pickles.random_tensors(config).items()}
    source.write_bytes(pickles.official_file(pickles.network(config, tensors)))
    most = source.stat().st_size * 3 // 2
    with pytest.raises(BadNetwork, match="would be larger than"):
        convert(source, target, SandboxLimits(file_bytes=most))
    assert leaves_nothing(target)
    convert(source, target, SandboxLimits(file_bytes=most), half=True)


# --- children of other kinds ------------------------------------------------------------------------

CHILDREN = {
    "dies before it begins": ("raise SystemExit(3)", EngineError, "could not begin"),
    "says nothing": ("", EngineError, "could not begin"),
    "dies in the middle": ("print('started', flush=True); raise SystemExit(3)", BadNetwork, "no network"),
    "crashes": (
        "import os, signal; print('started', flush=True); os.kill(os.getpid(), signal.SIGSEGV)",
        BadNetwork,
        "no network",
    ),
    "is killed": (
        "import os, signal; print('started', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        Transient,
        "short of memory",
    ),
    "uses up its processor time": (
        "import os, signal; print('started', flush=True); os.kill(os.getpid(), signal.SIGXCPU)",
        BadNetwork,
        "more time than a network needs",
    ),
    "answers garbage": ("print('started'); print('\\x00\\xff{{{' * 5000)", BadNetwork, "no network"),
    "answers something else": ("print('started'); print('[1, 2]')", BadNetwork, "no network"),
    "answers nonsense nested deep": ("print('started'); print('[' * 4000)", BadNetwork, "no network"),
    "says done and wrote nothing": (
        "print('started'); print('{\"done\": true}')",
        BadNetwork,
        "made no network",
    ),
    "says done and wrote garbage": (
        "print('started'); open(asked['target'], 'w').write('x' * 100); print('{\"done\": true}')",
        BadNetwork,
        "not a safetensors file",
    ),
    "says done and left a link": (
        "import os; print('started'); os.symlink('/etc/passwd', asked['target']); print('{\"done\": true}')",
        BadNetwork,
        "made no network",
    ),
    "says done and dies": (
        "print('started'); print('{\"done\": true}', flush=True); raise SystemExit(1)",
        BadNetwork,
        "no",
    ),
    "fails for a full disk": (
        "print('started'); print('{\"failed\": \"No space left\"}')",
        Transient,
        "No space left",
    ),
    "sends terminal codes": (
        "print('started'); print('{\"bad_network\": \"\\\\u001b[31mred\"}')",
        BadNetwork,
        r"\?\[31mred",
    ),
    "never ends": (
        "import time; print('started', flush=True); time.sleep(1000)",
        Transient,
        "more than 0.5 seconds",
    ),
}


@pytest.mark.parametrize("name", CHILDREN)
def test_whatever_the_child_does(
    name: str, source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, error, words = CHILDREN[name]
    (tmp_path / "strange_child.py").write_text(
        f"import json, sys\nasked = json.loads(sys.argv[1])\n{program}\n"
    )
    monkeypatch.setattr(sandbox, "_CHILD", "strange_child")
    monkeypatch.setattr(sandbox, "_ROOT", tmp_path)
    seconds = 0.5 if "0.5" in words else 60.0
    with pytest.raises(error, match=words) as caught:
        convert(source, target, SandboxLimits(seconds=seconds))
    assert type(caught.value) is error
    assert leaves_nothing(target)


def test_tick_is_called_and_what_it_raises_ends_the_child(
    source: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: a child that says who it is and then waits
    mark = tmp_path / "pid"
    program = f"import os, time\nopen({str(mark)!r} + '~', 'w').write(str(os.getpid()))\n"
    program += f"os.rename({str(mark)!r} + '~', {str(mark)!r})\ntime.sleep(1000)\n"
    (tmp_path / "strange_child.py").write_text(program)
    monkeypatch.setattr(sandbox, "_CHILD", "strange_child")
    monkeypatch.setattr(sandbox, "_ROOT", tmp_path)

    class Enough(Exception):
        pass

    def tick() -> None:
        if mark.exists():
            raise Enough

    # when
    with pytest.raises(Enough):
        convert(source, target, SandboxLimits(seconds=120.0), tick=tick)
    # then
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
    assert leaves_nothing(target)


def test_a_file_that_would_be_walked_for_days_ends_in_seconds(source: Path, target: Path) -> None:
    """Of processor time, which its own limit measures: what ran into that would be told so."""
    source.write_bytes(pickles.recalled_list(texts=140_000, calls=50_000))
    with pytest.raises(BadNetwork, match="more than 300000 steps"):
        convert(source, target, SandboxLimits(cpu_seconds=5))
