"""The CUDA loops compile for sm_80 and sm_90 without a GPU, and compute what the portable row computes where there is one."""

import re
import shutil
import subprocess

import pytest

import anybn
from anybn.kernels import use
from anybn.kernels.cuda_launch import ELEMENTS, SOURCE, options

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


@pytest.mark.skipif(NVCC is None, reason="needs nvcc")
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", ELEMENTS)
@pytest.mark.parametrize("vector", [1, "full"])
def test_compiles_without_spills(arch, dtype, vector, tmp_path):
    """Every element type compiles for both architectures, without warnings, and no kernel spills registers."""
    lanes = ELEMENTS[dtype].lanes if vector == "full" else 1
    command = [
        NVCC,
        f"-arch={arch}",
        "-cubin",
        "-Xptxas",
        "-v",
        "-o",
        str(tmp_path / "o.cubin"),
        *options(dtype, lanes),
        str(SOURCE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    spills = re.findall(r"(\d+) bytes spill stores", done.stderr)
    assert len(spills) == 10
    assert set(spills) == {"0"}


def test_cupy_agrees_with_the_portable_row():
    """y and the gradients are those of the portable row, for every dtype and layout, and the same each time."""
    cp = pytest.importorskip("cupy")
    for dtype, bound in (("float32", 1e-5), ("float64", 1e-12), ("float16", 4e-3)):
        for shape, axis in (
            ((16, 32, 28, 28), 1),
            ((4096, 64), 1),
            ((7, 9, 11, 5), -1),
            ((65536, 3), 1),
            ((3, 1, 10007), 1),
        ):
            x = (cp.random.RandomState(1).standard_normal(shape) + 2).astype(dtype)
            kind = "float64" if dtype == "float64" else "float32"
            params = anybn.Params(cp.full(shape[axis], 1.5, kind), cp.full(shape[axis], -0.5, kind))
            assert anybn.why(x, params, axis=axis).chosen == "cupy-cuda", str(anybn.why(x, params, axis=axis))
            y, _ = anybn.batch_norm(x, params, training=True, axis=axis)
            again, _ = anybn.batch_norm(x, params, training=True, axis=axis)
            assert bool((y == again).all())
            grads = anybn.batch_norm_backward(x, x, params, training=True, axis=axis)
            with use("portable"):
                wanted, _ = anybn.batch_norm(x, params, training=True, axis=axis)
                want_grads = anybn.batch_norm_backward(x, x, params, training=True, axis=axis)
            assert float(cp.abs(y.astype("f8") - wanted.astype("f8")).max()) <= bound
            assert float(cp.abs(grads.x.astype("f8") - want_grads.x.astype("f8")).max()) <= 10 * bound


def test_cupy_large_means_cost_nothing():
    """The error of y is at most 1e-6 for standard deviation 1, whatever the mean."""
    cp = pytest.importorskip("cupy")
    for mean in (0.0, 1e3, 1e5, 1e7):
        x = (cp.random.RandomState(1).standard_normal((65536, 4)) + mean).astype("float32")
        y, _ = anybn.batch_norm(x, training=True)
        wide = x.astype("float64")
        wanted = (wide - wide.mean(0)) / cp.sqrt(wide.var(0) + 1e-5)
        assert float(cp.abs(y - wanted).max()) <= 1e-6


@pytest.fixture
def cuda():
    """torch, where it has a GPU, and CuPy, which compiles the loops."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("cupy")
    if not torch.cuda.is_available():
        pytest.skip("no GPU for torch")
    return torch


def leaves_of(torch, x):
    """x and parameters that want gradients, and dy."""
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    scale, offset = (torch.rand(x.shape[1], dtype=kind, device="cuda") + 0.5 for _ in range(2))
    return [one.detach().requires_grad_() for one in (x, scale, offset)], torch.randn_like(x)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("layout", ["first", "last", "gaps", "rows"])
def test_torch_on_a_gpu_agrees_with_the_portable_row(cuda, layout, dtype, training):
    """y and all gradients of tensors on a GPU are those of the portable row, for each layout and dtype."""
    torch = cuda
    x = torch.randn(8, 12, 9, 17, device="cuda") + 2
    x = {
        "first": lambda: x,
        "last": lambda: x.contiguous(memory_format=torch.channels_last),
        "gaps": lambda: x[:, :, ::2, 1:],
        "rows": x[:, :, 0, 0].contiguous,
    }[layout]().to(getattr(torch, dtype))
    leaves, dy = leaves_of(torch, x)
    state = anybn.RunningStats(leaves[1].detach() * 0, leaves[1].detach())

    def run():
        y, _ = anybn.batch_norm(leaves[0], anybn.Params(*leaves[1:]), state, training=training)
        return y.detach(), *torch.autograd.grad(y, leaves, dy)

    assert anybn.why(x, anybn.Params(*leaves[1:]), training=training).chosen == "torch-cuda"
    found = run()
    with use("portable"):
        wanted = run()
    bound = {"float32": 4e-6, "float64": 1e-12, "float16": 4e-3, "bfloat16": 4e-2}[dtype]
    for one, other in zip(found, wanted, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        size = 1 + other.double().abs().max()
        assert (one.double() - other.double()).abs().max() <= 10 * bound * size


def test_torch_on_a_gpu_large_means_cost_nothing(cuda):
    """The error of y is at most 1e-6 for standard deviation 1, whatever the mean."""
    for mean in (0.0, 1e3, 1e5, 1e7):
        x = torch_numbers(cuda, mean)
        y, _ = anybn.batch_norm(x, training=True)
        wide = x.double()
        wanted = (wide - wide.mean(0)) / (wide.var(0, correction=0) + 1e-5).sqrt()
        assert (y.double() - wanted).abs().max() <= 1e-6


def torch_numbers(torch, mean):
    """Rows of 4 channels."""
    return (torch.randn(65536, 4, device="cuda", dtype=torch.float64) + mean).float()


def test_torch_on_a_gpu_keeps_to_the_current_stream(cuda):
    """Work on a stream of one's own waits for what is before it there, and for nothing else."""
    torch = cuda
    stream = torch.cuda.Stream()
    x = torch.randn(64, 32, 28, 28, device="cuda")
    wanted, _ = anybn.batch_norm(x * 2 + 1, training=True)
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        late = x * 2 + 1
        y, _ = anybn.batch_norm(late, training=True)
        assert not stream.query()
    stream.synchronize()
    torch.testing.assert_close(y, wanted)


def test_torch_on_a_gpu_gradients_of_gradients(cuda):
    """Gradients of gradients pass torch's own check."""
    torch = cuda
    leaves, _ = leaves_of(torch, torch.randn(4, 3, 5, device="cuda", dtype=torch.float64))
    assert torch.autograd.gradgradcheck(
        lambda x, scale, offset: anybn.batch_norm(x, anybn.Params(scale, offset), training=True)[0], leaves
    )
