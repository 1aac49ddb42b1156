"""Plans: pure, cached, and right for every layout; the namespace lookup and the kernel table around them."""

import pickle
from importlib.metadata import EntryPoint

import numpy as np
import pytest

import anybn
from anybn import kernels
from anybn.functional import lane
from anybn.kernels import table
from anybn.kernels.base import Kernel
from anybn.kernels.portable import PORTABLE
from anybn.namespace import dtype_name, of
from anybn.plan import _CACHE, _CACHE_LIMIT, plan


@pytest.mark.parametrize(
    ("shape", "axis", "reduce", "stat_shape", "count", "layout"),
    [
        ((8, 3), 1, (0,), (1, 3), 8, (8, 3, 1)),
        ((8, 3, 4, 5), 1, (0, 2, 3), (1, 3, 1, 1), 160, (8, 3, 20)),
        ((8, 4, 5, 3), -1, (0, 1, 2), (1, 1, 1, 3), 160, (160, 3, 1)),
        ((3, 8), 0, (1,), (3, 1), 8, (1, 3, 8)),
        ((2, 3, 4, 5), (1, 2), (0, 3), (1, 3, 4, 1), 10, (2, 12, 5)),
        ((2, 3, 4, 5), (-1, 1), (0, 2), (1, 3, 1, 5), 8, None),
        ((None, 3, 4), 1, (0, 2), (1, 3, 1), None, (None, 3, 4)),
    ],
)
def test_plan(shape, axis, reduce, stat_shape, count, layout):
    """Axes, shapes, count and the 3-D view of each layout."""
    made = plan(shape, axis)
    assert (made.reduce, made.stat_shape, made.count, made.layout) == (reduce, stat_shape, count, layout)
    assert made.ndim == len(shape)
    assert made.batch_axis == reduce[0]


def test_plans_are_cached_hashable_and_picklable():
    """The same shape gives the same object; a plan travels and is a key."""
    one = plan((8, 3), 1)
    assert plan((8, 3), 1) is one
    assert plan([8, 3], 1) is one
    assert {one: 1}[plan((8, 3), (1,))] == 1
    assert pickle.loads(pickle.dumps(one)) == one


def test_the_cache_is_bounded():
    """Thousands of shapes do not pile up."""
    for n in range(2, 3000):
        plan((n, 3), 1)
    assert len(_CACHE) <= _CACHE_LIMIT


def test_true_is_no_axis_even_after_one_was():
    """True == 1, but an answer from the cache must not skip the check."""
    plan((9, 3), 1)
    with pytest.raises(ValueError, match="axis is out of range"):
        plan((9, 3), True)


@pytest.mark.parametrize("name", ["float32", "int32", "uint8", "bool"])
def test_dtype_names_are_the_same_everywhere(lib, name):
    """One plain name for each dtype, in every library."""
    assert dtype_name(lib.array([0, 1], name).dtype) == name


def test_namespace_of_a_subclass():
    """nn.Parameter is a tensor, and found without asking again."""
    torch = pytest.importorskip("torch")
    assert of(torch.nn.Parameter(torch.ones(2))).xp is of(torch.ones(2)).xp


def test_masked_arrays_are_refused():
    """A NumPy masked array's mask would be ignored silently: it is refused with the way out."""
    masked = np.ma.masked_array(np.ones((4, 3), np.float32), mask=np.zeros((4, 3), bool))
    with pytest.raises(TypeError, match=r"a NumPy subclass .*: got numpy.*MaskedArray; .* try .* mask="):
        anybn.batch_norm(masked, training=True)


def test_why_marks_what_computes():
    """The table names every row, says why not, and marks the one that computes."""
    verdicts = anybn.why(np.ones((4, 3), np.float32))
    assert [verdict.kernel for verdict in verdicts] == [row.name for row in kernels.rows()]
    text = str(verdicts)
    assert text.count("->") == 1
    assert f"-> {verdicts.chosen}" in text
    with kernels.use("portable"):
        only = anybn.why(np.ones((4, 3), np.float32))
    assert only.chosen == "portable"
    assert "only 'portable' is in use" in str(only)


def test_use_is_undone_by_an_exception():
    """The context gives the table back whatever happens inside."""
    before = anybn.why(np.ones((64, 3), np.float32)).chosen
    with pytest.raises(ZeroDivisionError), kernels.use("portable"):
        1 / 0  # noqa: B018
    assert anybn.why(np.ones((64, 3), np.float32)).chosen == before


def test_third_party_rows_come_first(monkeypatch):
    """A package adds a row by the entry-point group; it is asked first, and what it refuses goes on to ours."""
    calls = []

    def forward(request, x, params, weights, eps):
        calls.append(request.plan.shape)
        return PORTABLE.forward(request, x, params, weights, eps)

    theirs = Kernel(
        name="theirs",
        refuses=lambda request: None if request.plan.channels == 3 else "three channels only",
        since="1.0",
        tolerance=0.0,
        forward=forward,
    )
    monkeypatch.setattr(EntryPoint, "load", lambda self: theirs)
    monkeypatch.setattr(table, "entry_points", lambda group: [EntryPoint("theirs", "a:b", group)])
    monkeypatch.setattr(table, "_found", None)
    monkeypatch.setattr(lane, "_LANES", {})  # what earlier calls remember of a table without theirs
    anybn.batch_norm(np.ones((4, 3), np.float32), training=True)
    anybn.batch_norm(np.ones((4, 2), np.float32), training=True)
    assert calls == [(4, 3)]
    assert anybn.why(np.ones((4, 2), np.float32))[0] == ("theirs", "three channels only")
    assert anybn.why(np.ones((4, 3), np.float32), training=False)[0].reason == "has no evaluate"


def test_the_portable_row_is_last_and_does_everything():
    """Whatever is asked, somebody computes it."""
    assert kernels.rows()[-1] is PORTABLE
    assert PORTABLE.ops == ("forward", "evaluate", "moments", "backward", "backward_evaluate")
