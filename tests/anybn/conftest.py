"""The `lib` fixture: every array library of the enum `Backend` that is installed here, one after the other.

Nothing is imported here but when it is used, so that the tests that need no arrays run where there is no NumPy.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest

from anybn import kernels

if TYPE_CHECKING:
    import numpy as np


class Backend(Enum):
    """name = (module that must be there, namespace that the tests use)"""

    NUMPY = ("numpy", "numpy")
    NUMPY_READONLY = ("numpy", "numpy", "read-only")
    STRICT = ("array_api_strict", "array_api_strict")
    TORCH = ("torch", "array_api_compat.torch")
    TORCH_PORTABLE = ("torch", "array_api_compat.torch", "without faster kernels")
    JAX = ("jax", "jax.numpy")
    DASK = ("dask", "array_api_compat.dask.array")
    CUPY = ("cupy", "array_api_compat.cupy")

    @property
    def missing(self) -> str | None:
        """What is not installed, or None."""
        return None if importlib.util.find_spec(self.value[0]) else self.value[0]


@dataclass(frozen=True)
class Lib:
    """One array library and the way from and to NumPy."""

    backend: Backend
    xp: Any

    @property
    def name(self) -> str:
        return self.backend.name.lower()

    def array(self, values: Any, dtype: str = "float32") -> Any:
        """NumPy values as an array of this library."""
        import numpy as np

        host = np.array(values, dtype=dtype)
        if self.backend is Backend.NUMPY_READONLY:
            host.flags.writeable = False
        if self.backend in (Backend.NUMPY, Backend.NUMPY_READONLY):
            return host
        if self.backend is Backend.DASK:
            return self.xp.asarray(host, chunks=max(1, host.shape[0] // 2) if host.ndim else -1)
        return self.xp.asarray(host)

    def numpy(self, array: Any) -> "np.ndarray":
        """Back to NumPy, computing what is lazy."""
        import numpy as np

        if self.backend is Backend.STRICT:
            return np.asarray(array._array)
        if self.backend is Backend.CUPY:
            return array.get()
        if self.backend in (Backend.TORCH, Backend.TORCH_PORTABLE):
            return array.detach().cpu().numpy()
        return np.asarray(array)


@pytest.fixture(params=list(Backend), ids=lambda backend: backend.name.lower())
def lib(request: pytest.FixtureRequest) -> Iterator[Lib]:
    """An array library; skipped, with the reason counted, where it is not installed.

    Read-only NumPy and one of two torches go without faster kernels, so that the portable one is tested everywhere.
    """
    backend: Backend = request.param
    if backend.missing:
        pytest.skip(f"needs {backend.missing}")
    if backend is Backend.CUPY:
        cupy = importlib.import_module("cupy")
        if not cupy.cuda.is_available():
            pytest.skip("no GPU for cupy")
    found = Lib(backend, importlib.import_module(backend.value[1]))
    with kernels.use("portable") if backend in (Backend.NUMPY_READONLY, Backend.TORCH_PORTABLE) else nullcontext():
        yield found


@pytest.fixture
def xp(lib: Lib) -> Any:
    """The namespace of `lib`."""
    return lib.xp
