import torch
import torch.nn as nn

net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def measure():
    """How many numbers would learn nothing: their gradient is zero but for rounding."""
    random = torch.Generator().manual_seed(0)
    net(torch.randn(64, 4, generator=random)).square().mean().backward()
    return {"idle": sum(int((p.grad.abs() < 1e-6).all()) * p.numel() for p in net.parameters())}
