"""What else torch's users do over processes, and how a merge differs from torch's own SyncBatchNorm; run for real, on gloo."""

import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")

from processes import close, run_gloo  # noqa: E402 - needs NumPy

import anybn  # noqa: E402
from anybn.sync.torch import Across  # noqa: E402


def test_groups_second_derivatives_weights_types_and_ddp(tmp_path):
    """Each as one process has it: groups of some processes, a gradient penalty, gradients of weights, 16 and 64 bits, DDP."""
    for found in run_gloo("engine_gloo_more.py", 4, tmp_path):
        assert found.pop("stranger"), "a process outside of the group is told so"
        assert len(found) == 12
        for name, difference in found.items():
            assert difference <= 1e-6, name


@pytest.mark.parametrize("size", [2, 4])
def test_where_torch_is_right_we_are_equal(tmp_path, size):
    """Uneven shards (one empty, one of a single sample): y, gradients, running mean and unbiased running variance.

    What is sent, in numbers: forward 2 C + 1 both, ours one more as proof that it is whole; backward 2 C both.
    """
    for part in run_gloo("engine_syncbn.py", size, tmp_path):
        for name in ("y", "dx", "dscale", "doffset", "mean"):
            close(part[f"ours-{name}"], part[f"theirs-{name}"])
        np.testing.assert_allclose(part["ours-var"][:4], part["theirs-var"][:4], rtol=2e-6)
        assert part["theirs-sent"].tolist() == [13, 12]
        assert part["ours-sent"].tolist() == [14, 12]


def test_where_a_variance_is_small_torch_has_lost_it(tmp_path):
    """A variance that travels as 1 / sqrt(var + eps) keeps no digits far below eps; a sum of squares keeps all of them."""
    parts = run_gloo("engine_syncbn.py", 4, tmp_path)
    x = np.concatenate([part["x"] for part in parts]).astype(np.float64)
    true = 0.1 * x.var((0, 2, 3), ddof=1)
    theirs, ours = (np.abs(parts[0][f"{who}-var"] - true) / true for who in ("theirs", "ours"))
    assert ours.max() < 2e-7
    assert theirs[-1] > 5e-4
    assert theirs[-2] > 5e-6


def test_without_a_process_group_the_error_says_how_to_start_one():
    """The usual mistake in a notebook."""
    with pytest.raises(anybn.SyncError, match="init_process_group"):
        anybn.batch_norm(torch.ones(4, 3), training=True, reduce=Across())
