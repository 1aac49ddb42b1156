"""Under compilers and lazy libraries: one graph, nothing computed ahead of time, the same numbers."""

import importlib

import numpy as np
import pytest

import anybn

SEMANTICS = ["torch", "torch_cumulative", "haiku", "keras_renorm", "equinox_ema", "keras"]


@pytest.fixture
def torch():
    """torch with a compiler that has forgotten everything."""
    module = pytest.importorskip("torch")
    module._dynamo.reset()
    return module


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_torch_compile_in_one_graph(torch, semantics):
    """fullgraph=True, with and without mask and guard, in training and evaluation; the batch size may change."""
    params, state = anybn.init(3, xp=torch, semantics=semantics)

    def step(x, params, state, training, **options):
        return anybn.batch_norm(x, params, state, training=training, semantics=semantics, **options)

    compiled = torch.compile(step, fullgraph=True, backend="eager")
    expected = state
    for n in (8, 8, 5, 6, 7):
        x = torch.randn(n, 3, 4)
        y, state = compiled(x, params, state, True)
        want, expected = step(x, params, expected, True)
        torch.testing.assert_close(y, want, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(state.var, expected.var)
    torch.testing.assert_close(compiled(x, params, state, False)[0], step(x, params, state, False)[0])
    mask = torch.tensor([True] * 5 + [False] * 2)
    y, state = compiled(x, params, state, True, mask=mask, guard=True)
    want, expected = step(x, params, expected, True, mask=mask, guard=True)
    torch.testing.assert_close(y, want, atol=1e-6, rtol=1e-5)
    assert int(state.steps) == int(expected.steps)


def test_torch_compile_does_not_recompile(torch):
    """Twenty batch sizes and twenty steps cost three compilations, not forty."""
    params, state = anybn.init(3, xp=torch)
    count = importlib.import_module("torch._dynamo.testing").CompileCounter()
    compiled = torch.compile(
        lambda x, state: anybn.batch_norm(x, params, state, training=True), fullgraph=True, backend=count
    )
    for n in range(5, 25):
        _, state = compiled(torch.randn(n, 3, 4), state)
    assert count.frame_count <= 3


def test_torch_compile_backward(torch):
    """The compiled graph is differentiable: the same gradients as eager."""

    def loss(x, scale):
        return anybn.batch_norm(x, anybn.Params(scale), None, training=True)[0].pow(3).sum()

    x, scale = torch.randn(8, 3, requires_grad=True), torch.ones(3, requires_grad=True)
    anybn.init(3, xp=torch)
    got = torch.autograd.grad(torch.compile(loss, fullgraph=True, backend="aot_eager")(x, scale), (x, scale))
    want = torch.autograd.grad(loss(x, scale), (x, scale))
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def test_torch_export(torch):
    """torch.export takes training and evaluation, with a dynamic batch size."""

    class Net(torch.nn.Module):
        def __init__(self, training):
            super().__init__()
            self.flag = training

        def forward(self, x, mean, var):
            y, state = anybn.batch_norm(x, None, anybn.RunningStats(mean, var), training=self.flag)
            return y, state.mean, state.var

    anybn.init(3, xp=torch)
    batch = torch.export.Dim("batch", min=2)
    for training in (True, False):
        net = Net(training)
        example = (torch.randn(6, 3, 4), torch.zeros(3), torch.ones(3))
        shapes = {"x": {0: batch}, "mean": None, "var": None}
        program = torch.export.export(net, example, dynamic_shapes=shapes)
        other = (torch.randn(9, 3, 4), torch.zeros(3), torch.ones(3))
        torch.testing.assert_close(program.module()(*other), net(*other), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_dask_computes_nothing(semantics):
    """Training, evaluation, mask and guard build a graph; no task runs before compute()."""
    dask = pytest.importorskip("dask")
    import array_api_compat.dask.array as xp

    def refuse(*_, **__):
        raise AssertionError("something was computed")

    x = np.random.default_rng(0).normal(3, 2, (8, 3)).astype(np.float32)
    params, state = anybn.init(3, xp=xp, semantics=semantics)
    host_params, host = anybn.init(3, xp=np, semantics=semantics)
    mask = np.array([True] * 6 + [False] * 2)
    with dask.config.set(scheduler=refuse):
        lazy = xp.asarray(x, chunks=2)
        y, state = anybn.batch_norm(lazy, params, state, training=True, semantics=semantics)
        lazy_mask = xp.asarray(mask, chunks=2)
        y, state = anybn.batch_norm(lazy, params, state, training=True, semantics=semantics, mask=lazy_mask, guard=True)
        z, _ = anybn.batch_norm(lazy, params, state, training=False, semantics=semantics)
    _, host = anybn.batch_norm(x, host_params, host, training=True, semantics=semantics)
    want, host = anybn.batch_norm(x, host_params, host, training=True, semantics=semantics, mask=mask, guard=True)
    np.testing.assert_allclose(y.compute(), want, atol=2e-6)
    np.testing.assert_allclose(state.var.compute(), host.var, rtol=1e-5)
    evaluated, _ = anybn.batch_norm(x, host_params, host, training=False, semantics=semantics)
    np.testing.assert_allclose(z.compute(), evaluated, atol=5e-6)


def test_dask_with_an_unknown_batch_size():
    """After boolean indexing dask does not know how many rows there are: the count is lazy, too."""
    pytest.importorskip("dask")
    import array_api_compat.dask.array as xp

    x = np.random.default_rng(0).normal(3, 2, (8, 3)).astype(np.float32)
    lazy = xp.asarray(x, chunks=2)
    unknown = lazy[lazy[:, 0] > 2]
    y, state = anybn.batch_norm(unknown, *anybn.init(3, xp=xp), training=True)
    want, host = anybn.batch_norm(x[x[:, 0] > 2], *anybn.init(3, xp=np), training=True)
    np.testing.assert_allclose(y.compute(), want, atol=2e-6)
    np.testing.assert_allclose(state.var.compute(), host.var, rtol=1e-6)
    mask = xp.asarray(np.arange(8) % 3 > 0, chunks=2)
    y, state = anybn.batch_norm(unknown, *anybn.init(3, xp=xp), training=True, mask=mask[lazy[:, 0] > 2])
    known = (np.arange(8) % 3 > 0)[x[:, 0] > 2]
    want, host = anybn.batch_norm(x[x[:, 0] > 2], *anybn.init(3, xp=np), training=True, mask=known)
    np.testing.assert_allclose(y.compute(), want, atol=2e-6)
    np.testing.assert_allclose(state.var.compute(), host.var, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("semantics", ["torch", "keras", "onnx"])
@pytest.mark.parametrize("batch", [None, 6])
def test_ndonnx_export(tmp_path, training, semantics, batch):
    """A traced call, saved as ONNX, gives NumPy's numbers in onnxruntime; the batch size may be symbolic."""
    ndx = pytest.importorskip("ndonnx")
    onnx = pytest.importorskip("onnx")
    ort = pytest.importorskip("onnxruntime")
    shape = ("N" if batch is None else batch, 3, 4)
    x = ndx.argument(shape=shape, dtype=ndx.float32)
    stats = [ndx.argument(shape=(3,), dtype=ndx.float32) for _ in range(4)]
    params, state = anybn.Params(*stats[:2]), anybn.RunningStats(*stats[2:])
    y, new = anybn.batch_norm(x, params, state, training=training, semantics=semantics)
    names = ("scale", "offset", "mean", "var")
    model = ndx.build(
        {"x": x, **dict(zip(names, stats, strict=True))}, {"y": y, "new_mean": new.mean, "new_var": new.var}
    )
    onnx.save(model, tmp_path / "bn.onnx")
    session = ort.InferenceSession(tmp_path / "bn.onnx", providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    host = {"x": rng.normal(5, 2, (6, 3, 4)).astype(np.float32)}
    host |= {name: rng.uniform(0.5, 2, 3).astype(np.float32) for name in names}
    got = session.run(["y", "new_mean", "new_var"], host)
    want, after = anybn.batch_norm(
        host["x"],
        anybn.Params(host["scale"], host["offset"]),
        anybn.RunningStats(host["mean"], host["var"]),
        training=training,
        semantics=semantics,
    )
    np.testing.assert_allclose(got[0], want, atol=2e-6)
    np.testing.assert_allclose(got[1], after.mean, rtol=1e-6)
    np.testing.assert_allclose(got[2], after.var, rtol=1e-6)
