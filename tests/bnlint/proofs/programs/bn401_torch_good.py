"""Running statistics of a PyTorch batch norm after a hundred small batches."""

import numpy as np
import torch
from torch import nn

bn = nn.BatchNorm1d(16, momentum=0.01)


def measure():
    """How far the running mean is from the mean of the data, on average over the last steps."""
    random = torch.Generator().manual_seed(0)
    errors = []
    for _ in range(500):
        bn(torch.randn(8, 16, generator=random))
        errors.append(bn.running_mean.abs().mean().item())
    return {"error": np.mean(errors[-50:])}
