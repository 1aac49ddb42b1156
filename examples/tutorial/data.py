"""Two classes of measurements, far from zero and on a large scale."""

import torch


def measurements(seed, count):
    """Features (count, 8) and labels (count,)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (count,), generator=generator)
    x = 20 + 5 * torch.randn(count, 8, generator=generator) + 6 * y[:, None]
    return x, y


def batches(seed, count, size=64, by_class=False):
    """Batches of `size`; `by_class` as they come from a folder per class."""
    x, y = measurements(seed, count)
    order = torch.argsort(y) if by_class else torch.arange(count)
    return [(x[part], y[part]) for part in order.split(size)]
