"""What the adapters share, engine or not: kinds of messages, damaged ones, arrays that an engine does not carry."""

import math
import subprocess
import sys
from itertools import product

import pytest

np = pytest.importorskip("numpy")

import anybn  # noqa: E402 - only where its arrays can be had
from anybn.sync.message import Kind, kind_of, opened, pack, seal  # noqa: E402


def test_every_kind_has_a_mark_of_its_own():
    """Also where lengths are equal; and float32, which JAX and NCCL may send, holds each of them exactly."""
    kinds = [Kind(*fields) for fields in product((1, 3, 4, 4097, 500_000), (0, 1), (0, 1), (32,), range(5))]
    marks = {float(np.float32(kind.mark)) for kind in kinds}
    assert len(marks) == len(kinds)
    assert all(mark > 0 for mark in marks)


@pytest.mark.parametrize("look", [True, False])
def test_a_damaged_message_is_an_error_or_nan_and_never_a_number(look):
    """A GPU does not wait for a look at each message, so there it is NaN."""
    moments = anybn.moments(np.arange(6.0).reshape(2, 3))
    kind = kind_of(moments, dtype="float64")
    good = seal(np, pack(np, moments), kind.mark)
    bad = good.copy()
    bad[-1] = 0
    assert [row.tolist() for row in opened(np, [good, good], kind.mark, look=look)] == [good[:-1].tolist()] * 2
    if look:
        with pytest.raises(anybn.SyncError, match="of the message of rank 1;"):
            opened(np, [good, bad], kind.mark, look=True)
    else:
        rows = opened(np, [good, bad], kind.mark, look=False)
        assert np.isfinite(rows[0]).all()
        assert all(math.isnan(one) for one in rows[1])


def test_16_bit_moments_are_refused():
    """Their sums of squares would have overflowed already."""
    half = np.ones(3, np.float16)
    with pytest.raises(anybn.BadType, match="dtype float16"):
        kind_of(anybn.Moments(2, half, half))


def test_an_engine_refuses_arrays_that_it_does_not_carry():
    """torch.distributed takes no NumPy arrays; the error names who does."""
    pytest.importorskip("torch")
    from anybn.sync.torch import Across

    with pytest.raises(anybn.BadType, match="got numpy; expected torch"):
        anybn.batch_norm(np.ones((4, 3), np.float32), training=True, reduce=Across())


def test_ghost_batches_are_refused_with_a_sentence():
    """A ghost batch is smaller than a process' batch."""
    with pytest.raises(anybn.Unsupported, match="ghost batches over several processes"):
        anybn.batch_norm(np.ones((4, 3), np.float32), training=True, ghost=2, reduce=lambda moments: moments)


def test_the_nccl_adapter_can_be_imported_where_cupy_is():
    """No GPU is needed for that; its packing and agreement are the code that MPI runs."""
    pytest.importorskip("cupy")
    code = "import anybn.sync.nccl as n, anybn.sync.exchange as e; assert issubclass(n.Across, e.Exchange)"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120)
