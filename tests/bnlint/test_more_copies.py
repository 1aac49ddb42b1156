"""PyTorch: copies and averages of weights, checkpoints, and searches for batch norms."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
PROGRAM = """\
import copy
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))

    def forward(self, x):
        return self.body(x)


def train(loader, optimizer, args):
    net, ema = Net(), Net()
    ema.eval()
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
{body}
    return ema
"""


def reported(body, code):
    """Lines on which `code` is reported, if this stands in the loop."""
    text = PROGRAM.format(body="\n".join(f"        {line}" for line in body.splitlines()))
    return [text.splitlines()[n - 1].strip() for _, n, c in found_in({"t.py": text}, RULES, DEFAULT) if c == code]


ZIP = "for p, q in zip(ema.parameters(), net.parameters()):"
WITHOUT = [
    f"{ZIP}\n    p.data = 0.9 * p.data + 0.1 * q.data",
    f"{ZIP}\n    p.data.mul_(0.9).add_(0.1 * q.data)",
    f"{ZIP}\n    p.data.copy_(q.data)",
    "for q, p in zip(net.parameters(), ema.parameters()):\n    p.data.copy_(q.data)",
    "for (n, p), (k, q) in zip(ema.named_parameters(), net.named_parameters()):\n    p.data.copy_(q.data)",
]
WITH = [
    f"{ZIP}\n    p.data.copy_(q.data)\nfor p, q in zip(ema.buffers(), net.buffers()):\n    p.copy_(q)",
    f"{ZIP}\n    p.data.copy_(q.data)\nema.body[1].running_mean = net.body[1].running_mean",
    f"{ZIP}\n    p.data.copy_(q.data)\ntorch.optim.swa_utils.update_bn(loader, ema)",
    f"{ZIP}\n    p.data.copy_(q.data)\nema.load_state_dict(net.state_dict())",
    f"{ZIP}\n    p.data.copy_(q.data)\nsetattr(ema.body[1], 'running_mean', None)",
    f"{ZIP}\n    print(p.shape, q.shape)",
    f"{ZIP}\n    p.data.copy_(q.data)\n    q.data.copy_(p.data)",
    f"{ZIP}\n    q.requires_grad_(False)",
    "for p, q in zip(ema.parameters(), args.weights):\n    p.data.copy_(q)",
    "for pair in zip(ema.parameters(), net.parameters()):\n    pair[0].data.copy_(pair[1].data)",
    "for p in ema.parameters():\n    p.data.mul_(0.9)",
]


@pytest.mark.parametrize("body", WITHOUT)
def test_a_copy_of_parameters_leaves_the_statistics_behind(body):
    """Averages or plain copies, whichever network comes first."""
    assert reported(body, "BN304") == [body.splitlines()[0]]


@pytest.mark.parametrize("body", WITH)
def test_a_copy_with_buffers_or_no_copy_at_all_is_no_mistake(body):
    """Whoever touches the buffers anywhere knows of them."""
    assert reported(body, "BN304") == []


PARTIAL = [
    "torch.save(net.parameters(), args.path)",
    "torch.save(list(net.parameters()), args.path)",
    "torch.save(dict(net.named_parameters()), args.path)",
    "torch.save([p for p in net.parameters()], args.path)",
    "torch.save({n: p for n, p in net.named_parameters()}, args.path)",
]
WHOLE = [
    "torch.save(net.state_dict(), args.path)",
    "torch.save(net, args.path)",
    "torch.save([p for p in net.parameters() if p.requires_grad], args.path)",
    "torch.save({'net': net.state_dict(), 'step': 1}, args.path)",
    "torch.save(len(list(net.parameters())), args.path)",
]


@pytest.mark.parametrize("body", PARTIAL)
def test_a_checkpoint_of_parameters_holds_no_statistics(body):
    """As an iterator, a list, a dictionary or a comprehension."""
    assert reported(body, "BN308") == [body]


@pytest.mark.parametrize("body", WHOLE)
def test_a_checkpoint_of_everything_or_of_a_chosen_part_is_no_mistake(body):
    """Whoever chooses parameters by a condition saves a part on purpose."""
    assert reported(body, "BN308") == []


AVERAGED = "average = torch.optim.swa_utils.AveragedModel({})\naverage.update_parameters(net)"


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        ("net", True),
        ("net, use_buffers=False", True),
        ("net, use_buffers=True", False),
        ("net, avg_fn=args.average", False),
        ("net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)", False),
        ("net, **args.options", False),
    ],
)
def test_an_average_over_a_run_needs_fresh_statistics(given, lost):
    """Of plain averages; buffers of exponential ones follow, and ``update_bn`` computes them anew."""
    assert bool(reported(AVERAGED.format(given), "BN305")) is lost
    after = AVERAGED.format(given) + "\ntorch.optim.swa_utils.update_bn(loader, average)"
    assert reported(after, "BN305") == []
