"""Networks of these tests are tiny and their processes many: threads would only wait for each other."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
