"""`training/stylegan/train.py` as a user runs it, and what it is made of: options, files, the judge."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from engines.stylegan import network_file
from engines.stylegan.model import Generator
from tests.training.stylegan.datasets import TINY
from training.stylegan import shipping
from training.stylegan.dataset import Pictures
from training.stylegan.options import TRANSFER_AUGMENT_KIMG, low_precision, parsed, recipe_of
from training.stylegan.recipes import recipe
from training.stylegan.samples import COLUMNS, ROWS, row_labels, sheet
from training.stylegan.train import Run, main
from training.stylegan.training import NETWORKS, Training

torch.set_num_threads(1)

ROOT = Path(__file__).parents[3]
COMMAND = ("-m", "training.stylegan.train")
GOLDEN = ROOT.parent / "shared" / "golden" / "stylegan2" / "u64_c0"
CPU = torch.device("cpu")
MACHINE = ["--threads", "1", "--device", "cpu"]


def arguments(data: Path, run: Path, *more: str) -> list[str]:
    return [str(data), "--out", str(run), *TINY, *MACHINE, *more]


@dataclass
class Ended:
    """What `main` returned and said."""

    returncode: int
    stderr: str


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ended]]:
    """`train(data, run, ...)`: the program in this process, which spares imports of torch."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ended(data: Path, run: Path, *more: str) -> Ended:
        return Ended(main(arguments(data, run, *more)), capsys.readouterr().err)

    yield ended
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_run_leaves_everything_and_goes_on_where_it_stopped(data, tmp_path, train):
    # when
    first = train(data, tmp_path / "run", "--cond", "--kimg", "0.088", "--evaluate-kimg", "0.04")
    # then
    assert first.returncode == 0, first.stderr
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] == 22
    header = network_file.read_header(tmp_path / "run" / "best.safetensors")
    assert header.classes == ("a", "b")
    assert header.origin["images"] == "88"
    sheets = sorted(file.name for file in (tmp_path / "run").glob("samples-*.png"))
    assert sheets == ["samples-000000.0.png", "samples-000000.1.png"]
    with Image.open(tmp_path / "run" / sheets[1]) as opened:
        assert opened.size == (COLUMNS * 16, 2 * 16)
    (line,) = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    numbers = json.loads(line)
    assert numbers["images"] == 80
    assert {"loss/r1", "loss/path", "score/real", "augment", "images_per_second"} <= numbers.keys()
    # when: the same again, for longer, and measured from now on
    more = ("--evaluate-kimg", "0.04", "--metric", "fid")
    second = train(data, tmp_path / "run", "--cond", "--kimg", "0.1", *more)
    # then
    assert second.returncode == 0, second.stderr
    assert network_file.read_header(tmp_path / "run" / "best.safetensors").origin["images"] == "100"
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert last["images"] == 100
    assert last["fid"] == torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["more"]["best"]
    assert "at 0.1 kimg" in second.stderr
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] == 25
    # when: other settings
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    other = train(data, tmp_path / "run", "--cond", "--kimg", "0.2", "--seed", "2")
    # then
    assert other.returncode == 1
    assert "seed" in other.stderr
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


def test_after_ctrl_c_a_run_goes_on(data, tmp_path, train):
    log = tmp_path / "run" / "log.jsonl"
    launched = [sys.executable, *COMMAND, *arguments(data, tmp_path / "run")]
    with subprocess.Popen(launched, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 300
            while not log.is_file() or not log.read_text():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            assert process.wait(200) == 130
        finally:
            process.kill()
    steps = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"]
    assert steps >= 20
    assert network_file.read_header(tmp_path / "run" / "best.safetensors").origin["images"] == str(4 * steps)
    # when
    again = train(data, tmp_path / "run", "--kimg", str(4 * (steps + 2) / 1000))
    # then
    assert again.returncode == 0, again.stderr
    assert f"at {4 * steps / 1000:.1f} kimg" in again.stderr
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] == steps + 2


def test_a_run_on_two_processes_goes_on_on_one(data, tmp_path, train):
    # when
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    both = subprocess.run(
        [*launch, *COMMAND, *arguments(data, tmp_path / "run", "--kimg", "0.08")],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    # then
    assert both.returncode == 0, both.stderr
    assert both.stderr.count("16 pictures of 16 px") == 1
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 1
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert (state["steps"], state["recipe"]["discriminator"]["mbstd_group_size"]) == (20, 2)
    # when
    alone = train(data, tmp_path / "run", "--kimg", "0.088")
    # then
    assert alone.returncode == 0, alone.stderr
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["steps"] == 22


def test_a_damaged_checkpoint_is_told_and_stays(data, tmp_path, train):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"half of it")
    done = train(data, tmp_path / "run")
    assert done.returncode == 1
    assert "is no checkpoint, or a damaged one" in done.stderr
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == b"half of it"


def test_what_is_no_dataset_is_refused(tmp_path, train):
    (tmp_path / "data.zip").write_bytes(b"no archive")
    done = train(tmp_path / "data.zip", tmp_path / "run")
    assert done.returncode == 1
    assert "neither a folder nor a ZIP" in done.stderr
    assert not (tmp_path / "run").exists()


class TestOptions:
    @staticmethod
    def made(data: Path, *more: str, gpus: int = 1):
        options = parsed(None, [str(data), "--out", "x", *more])
        return recipe_of(options, Pictures(data, labels=options.cond), gpus)

    def test_the_configuration_is_what_was_named(self, data):
        assert self.made(data) == recipe("auto", 16)
        assert self.made(data, "--config", "paper256", "--cond") == recipe("paper256", 16, classes=2)

    def test_what_is_asked_for_goes_before(self, data):
        found = self.made(
            data, *TINY, "--gamma", "3", "--p", "0.2", "--path-length", "0", "--freeze-d", "2", "--seed", "9"
        )
        assert (found.batch, found.gamma, found.path_length, found.seed) == (4, 3.0, 0.0, 9)
        assert (found.augment_p, found.augment_target) == (0.2, None)
        assert (found.generator.channel_base, found.discriminator.channel_max) == (128, 8)
        assert (found.generator.z_dim, found.generator.w_dim) == (8, 8)
        assert found.discriminator.freeze_layers == 2
        assert self.made(data, "--augment", "none").augment is None

    def test_groups_fit_into_the_batch_of_a_gpu(self, data):
        assert self.made(data, "--batch", "8", gpus=4).discriminator.mbstd_group_size == 2

    def test_after_a_transfer_augmentation_grows_faster_and_the_average_keeps_what_it_knows(self, data):
        assert self.made(data).average_ramp == 0.05
        assert self.made(data, "--from", "style.pkl").average_ramp is None
        assert self.made(data, "--from", "style.pkl").augment_kimg == TRANSFER_AUGMENT_KIMG
        assert self.made(data, "--from", "style.pkl", "--augment-kimg", "7").augment_kimg == 7.0

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--batch", "0"],
            ["--gamma", "-1"],
            ["--p", "2"],
            ["--target", "-7"],
            ["--mapping-layers", "0"],
            ["--freeze-d", "-1"],
        ],
    )
    def test_what_cannot_be_is_refused_by_its_option(self, data, wrong):
        with pytest.raises(ValueError, match=rf"^{wrong[0]}: Input should be [^\n]*$"):
            self.made(data, *wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            ["--config", "auto2"],
            ["--augment", "bgx"],
            ["--minutes", "soon"],
            ["--evaluate-kimg", "inf"],
            ["--threads", "0"],
            ["--p", "0.2", "--target", "0.6"],
        ],
    )
    def test_a_wrong_command_line_ends_the_program(self, data, wrong):
        with pytest.raises(SystemExit):
            self.made(data, *wrong)

    def test_precisions(self):
        assert low_precision("float32", CPU) is None
        assert low_precision("bf16", CPU) is torch.bfloat16
        assert low_precision("auto", torch.device("cuda")) is torch.float16


class TestBeginning:
    @staticmethod
    def begun(data: Path, out: Path, begin: Path, *more: str) -> str:
        """What is told of a run that begins with another network."""
        options = parsed(None, [str(data), "--out", str(out), "--from", str(begin), *TINY, *more])
        pictures = Pictures(data)
        training = Training(recipe_of(options, pictures, 1), pictures, CPU)
        told = io.StringIO()
        try:
            Run(training, options, pictures, Console(file=told), 1).begin()
        finally:
            training.close()
        return told.getvalue()

    def test_all_of_a_run_of_the_same_sizes_is_taken_over(self, data, trained, tmp_path):
        told = self.begun(data, tmp_path, trained)
        (fit, of_all) = re.findall(r"(\d+) of (\d+) tensors fit", told)[0]
        assert fit == of_all
        assert "anew" not in told

    def test_what_does_not_fit_is_told_on_both_sides(self, data, trained, tmp_path):
        told = self.begun(data, tmp_path, trained / "best.safetensors", "--mapping-layers", "1")
        assert "anew begin discriminator." in told
        assert "no place here have average.mapping.fc1." in told
        assert "--config" in told

    def test_a_network_of_which_nothing_fits_is_refused(self, data, tmp_path):
        torch.save({name: {"x": torch.zeros(1)} for name in NETWORKS}, tmp_path / "other.pt")
        with pytest.raises(ValueError, match=r"nothing in .* fits"):
            self.begun(data, tmp_path, tmp_path / "other.pt")


class TestFiles:
    def test_what_is_shipped_can_be_read_and_is_registered(self, trained, tmp_path):
        # when
        path = shipping.ship(trained / "best.safetensors", "discs", tmp_path / "weights", pictures="sixteen")
        # then
        config, tensors = network_file.read(path)
        network = Generator(config)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
        entry = json.loads((tmp_path / "weights" / "weights.json").read_text())["discs.safetensors"]
        assert entry["pictures"] == "sixteen"
        assert len(entry["sha256"]) == 64

    def test_what_is_too_large_is_not_shipped(self, tmp_path, monkeypatch):
        monkeypatch.setattr(shipping, "MOST_BYTES", 10)
        (tmp_path / "best.safetensors").write_bytes(b"x" * 11)
        with pytest.raises(ValueError, match="11 bytes; 10 can be shipped"):
            shipping.ship(tmp_path / "best.safetensors", "discs", tmp_path / "weights")
        assert not (tmp_path / "weights").exists()

    def test_a_network_of_64_px_that_can_be_shipped(self, tmp_path):
        """The sizes that docs and the shipped network take."""
        config = recipe("auto", 64).generator.model_dump() | {
            "channel_base": 4096,
            "channel_max": 256,
            "z_dim": 256,
            "w_dim": 256,
        }
        generator = Generator(type(recipe("auto", 64).generator).model_validate(config))
        shipping.write(tmp_path / "best.safetensors", generator, (), {})
        assert (tmp_path / "best.safetensors").stat().st_size < shipping.MOST_BYTES

    def test_a_sheet_has_a_row_for_each_class(self, data):
        generator = Generator(
            recipe("auto", 16, classes=2).generator.model_copy(update={"channel_base": 64, "channel_max": 4})
        ).eval()
        labels = row_labels(Pictures(data, labels=True))
        assert labels.tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert sheet(generator, labels, CPU, 1).size == (COLUMNS * 16, 2 * 16)
        assert row_labels(Pictures(data)).shape == (ROWS, 0)
