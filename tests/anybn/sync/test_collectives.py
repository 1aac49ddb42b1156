"""How many messages a batch norm sends, counted where torch itself dispatches its collectives."""

import pytest

torch = pytest.importorskip("torch")

import torch.distributed as dist  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import anybn  # noqa: E402
from anybn.sync.torch import Across  # noqa: E402


class Collectives(TorchDispatchMode):
    """Notes every operation of torch.distributed, and how many numbers it hands over."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "c10d":
            sent = args[1] if "allgather" in func.name() else args[0]
            self.seen.append((func.name().partition("::")[2], sum(one.numel() for one in sent)))
        return func(*args, **(kwargs or {}))


@pytest.fixture
def reduce(tmp_path):
    """A reducer of a group of one process, which has seen 5 channels forward and backward."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    across = Across()
    x = torch.randn(4, 5)
    anybn.batch_norm(x, training=True, reduce=across)
    anybn.batch_norm_backward(x, x, training=True, reduce=across)
    yield across
    dist.destroy_process_group()


def test_one_message_forward_and_one_backward(reduce):
    """Forward 2 C + 1 numbers and their mark, autograd's backward 2 C, the explicit backward 4 C + 1 and their mark."""
    x = torch.randn(4, 5, requires_grad=True)
    with Collectives() as forward:
        y, _ = anybn.batch_norm(x, training=True, reduce=reduce)
    loss = (y**3).sum()
    with Collectives() as backward:
        loss.backward()
    with Collectives() as explicit:
        anybn.batch_norm_backward(x.detach(), x.detach(), training=True, reduce=reduce)
    assert forward.seen == [("allgather_", 12)]
    assert backward.seen == [("allreduce_", 10)]
    assert explicit.seen == [("allgather_", 22)]


def test_a_new_size_costs_one_message_more_once(reduce):
    """The first time the processes find out whether they agree."""
    seen = []
    for _ in range(2):
        with Collectives() as forward:
            anybn.batch_norm(torch.randn(4, 6), training=True, reduce=reduce)
        seen.append([name for name, _ in forward.seen])
    assert seen == [["allgather_", "allgather_"], ["allgather_"]]


def test_evaluation_sends_nothing(reduce):
    """Running statistics are the same everywhere already."""
    layer = anybn.BatchNorm(5, xp=torch, reduce=reduce)
    with Collectives() as found:
        layer(torch.randn(4, 5), training=False)
    assert found.seen == []


def test_a_layer_reduces_by_itself_unless_told_otherwise(reduce):
    """reduce= of the constructor holds for every training call; None in a call switches it off."""
    layer = anybn.BatchNorm(5, xp=torch, reduce=reduce)
    x = torch.randn(4, 5)
    with Collectives() as shared:
        y = layer(x, training=True)
    with Collectives() as alone:
        layer(x, training=True, reduce=None)
    assert [name for name, _ in shared.seen] == ["allgather_"]
    assert alone.seen == []
    torch.testing.assert_close(y, anybn.batch_norm(x, training=True)[0])
