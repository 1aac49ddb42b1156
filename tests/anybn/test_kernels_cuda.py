"""The CUDA loops compile for sm_80 and sm_90 without a GPU, and compute what the portable row computes where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import anybn
from anybn.kernels import use

SOURCE = Path(anybn.__file__).parent / "kernels" / "cuda_source.cu"
NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
TYPES = {
    "float32": ("float", "float", 4, ()),
    "float64": ("double", "double", 2, ()),
    "float16": ("__half", "float", 8, ("-DWITH_HALF",)),
    "bfloat16": ("__nv_bfloat16", "float", 8, ("-DWITH_BFLOAT",)),
}


@pytest.mark.skipif(NVCC is None, reason="needs nvcc")
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("vector", [1, "full"])
def test_compiles_without_spills(arch, dtype, vector, tmp_path):
    """Every element type compiles for both architectures, without warnings, and no kernel spills registers."""
    element, computing, full, extra = TYPES[dtype]
    lanes = full if vector == "full" else 1
    options = [f"-DBN_T={element}", f"-DBN_A={computing}", f"-DBN_V={lanes}", *extra]
    command = [
        NVCC,
        f"-arch={arch}",
        "-std=c++17",
        "-cubin",
        "-Xptxas",
        "-v",
        "-o",
        str(tmp_path / "o.cubin"),
        *options,
        str(SOURCE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    spills = re.findall(r"(\d+) bytes spill stores", done.stderr)
    assert len(spills) == 8
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
