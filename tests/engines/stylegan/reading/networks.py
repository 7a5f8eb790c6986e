"""Networks of every configuration, as official files hold them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import pickle_reader
from engines.stylegan.reading.official import Official
from tests.engines import stylegan_pickles as pickles

JUDGE = DiscriminatorConfig(
    c_dim=2, img_resolution=8, img_channels=1, channel_base=16, channel_max=4, cmap_dim=3
)


def opened(generator: Any, **others: Any) -> Official:
    return Official(pickle_reader.parse(memoryview(pickles.official_file(generator, **others))))


def written(config: GeneratorConfig, **options: Any) -> Official:
    return opened(pickles.network(config, pickles.random_tensors(config), **options))


def refusal(found: Official, what: str = "generator") -> str:
    with pytest.raises(BadNetwork) as caught:
        getattr(found, what)()
    return str(caught.value)


COMMON: dict[str, Any] = {
    "c_dim": st.sampled_from([0, 1, 3]),
    "img_resolution": st.sampled_from([4, 8, 16]),
    "img_channels": st.sampled_from([1, 3, 4]),
    "channel_base": st.integers(16, 100),
    "channel_max": st.integers(1, 9),
    "conv_clamp": st.sampled_from([None, 256.0, 0.75]),
    "resample_filter": st.sampled_from(
        [(1.0, 3.0, 3.0, 1.0), None, (1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 4.0, 6.0, 4.0, 1.0)]
    ),
    "architecture": st.sampled_from(["skip", "resnet", "orig"]),
    "mapping_layers": st.integers(1, 3),
    "mapping_lr": st.sampled_from([0.01, 1.0]),
}
GENERATORS = st.builds(
    GeneratorConfig,
    **COMMON,
    z_dim=st.integers(1, 5),
    w_dim=st.integers(1, 5),
    mapping_embed=st.none() | st.integers(6, 8),
    mapping_width=st.none() | st.integers(6, 8),
    w_avg_beta=st.sampled_from([None, 0.995, 0.998]),
    use_noise=st.booleans(),
)


def _judge(**settings: Any) -> DiscriminatorConfig:
    """Without planes of deviation that do not share the channels evenly, which are refused."""
    smallest = min(settings["channel_base"] // 4, settings["channel_max"])
    planes = settings.pop("mbstd_num_channels")
    return DiscriminatorConfig(**settings, mbstd_num_channels=0 if smallest % max(planes, 1) else planes)


DISCRIMINATORS = st.builds(
    _judge,
    **COMMON | {"img_resolution": st.sampled_from([8, 16])},
    cmap_dim=st.none() | st.integers(10, 12),
    mbstd_group_size=st.sampled_from([None, 4, 32]),
    mbstd_num_channels=st.sampled_from([0, 1, 2]),
    freeze_layers=st.sampled_from([0, 1, 3]),
)
