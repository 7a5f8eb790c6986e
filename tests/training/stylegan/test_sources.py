"""Networks to begin with, whoever wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engines.stylegan.bad_network import BadNetwork
from training.stylegan.dataset import Pictures
from training.stylegan.recipes import recipe
from training.stylegan.sources import networks
from training.stylegan.training import NETWORKS, Training

GOLDEN = Path(__file__).parents[3].parent / "shared" / "golden" / "stylegan2" / "u64_c0"
CPU = torch.device("cpu")


def test_another_run(trained):
    state = torch.load(trained / "checkpoint.pt", weights_only=True)
    for path in (trained, trained / "checkpoint.pt"):
        found = networks(path)
        assert set(found) == {"generator", "discriminator", "average"}
        for name, tensors in found.items():
            assert all(torch.equal(tensors[key], state[name][key]) for key in state[name])


def test_a_file_of_ours(trained):
    found = networks(trained / "best.safetensors")
    average = torch.load(trained / "checkpoint.pt", weights_only=True)["average"]
    assert set(found) == {"average"}
    for name, tensor in found["average"].items():
        assert torch.allclose(tensor, average[name], rtol=1e-3, atol=1e-3)


def test_an_official_pickle_is_taken_over_whole(tmp_path):
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    # given
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "0.png")
    pictures = Pictures(tmp_path)
    base = recipe("auto", 64)
    sizes = {"channel_base": 1024, "channel_max": 32}
    generator = base.generator.model_dump() | sizes | {"z_dim": 64, "w_dim": 64, "mapping_layers": 3}
    discriminator = base.discriminator.model_dump() | sizes
    training = Training(base.changed(generator=generator, discriminator=discriminator), pictures, CPU)
    # when
    missing = training.adopt(networks(GOLDEN / "network_p3_oldstyle.pkl"))
    training.close()
    # then
    assert missing == []
    with np.load(GOLDEN / "io.npz", allow_pickle=False) as arrays:
        z = torch.from_numpy(arrays["z"]).float()
        expected, scores = (torch.from_numpy(arrays[n]) for n in ("img_const_psi1.0", "D_logits"))
    with torch.no_grad():
        assert torch.allclose(training.average(z), expected, atol=2e-5)
        assert torch.allclose(training.discriminator(expected), scores, atol=1e-5)


@pytest.mark.parametrize("name", ["x.pt", "x.pkl", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense of some length", b"\x80\x02K\x01."])
def test_what_is_no_network_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadNetwork):
        networks(tmp_path / name)


def test_of_a_checkpoint_nothing_is_executed_and_only_networks_are_taken(trained, tmp_path):
    state = torch.load(trained / "checkpoint.pt", weights_only=True)
    torch.save({name: state[name] for name in NETWORKS} | {"more": [1]}, tmp_path / "checkpoint.pt")
    assert set(networks(tmp_path)) == set(NETWORKS)
    torch.save({name: state[name] for name in NETWORKS[:2]}, tmp_path / "checkpoint.pt")
    with pytest.raises(BadNetwork, match="no checkpoint of a run"):
        networks(tmp_path)
    torch.save({name: Path("x") for name in NETWORKS}, tmp_path / "checkpoint.pt")
    with pytest.raises(BadNetwork, match="no checkpoint of a run"):
        networks(tmp_path)


def test_a_file_that_is_not_there_is_no_bad_network(tmp_path):
    for path in (tmp_path, tmp_path / "x.pkl"):
        with pytest.raises(FileNotFoundError):
            networks(path)
