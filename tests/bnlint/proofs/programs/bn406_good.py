import torch
import torch.nn as nn

net = nn.Sequential(nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))


def measure():
    """Variance of what the first norm gives in evaluation: it learned to give 1 in training."""
    torch.manual_seed(0)
    x = 2 + torch.randn(4096, 8)
    norm = next(layer for layer in net if isinstance(layer, nn.BatchNorm1d))
    seen = []
    norm.register_forward_hook(lambda _module, _given, out: seen.append(out))
    for _ in range(200):
        net(x)
    seen.clear()
    net.eval()(x)
    return {"variance": seen[0].var(0).mean().item()}
