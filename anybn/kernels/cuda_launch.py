"""Launching the CUDA loops on CuPy arrays. Imported by the first call with a CuPy array."""

from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp

from anybn.plan import Plan

TYPES = {
    "float32": ("float", "float", 4, "", cp.float32),
    "float64": ("double", "double", 2, "", cp.float64),
    "float16": ("__half", "float", 8, "-DWITH_HALF", cp.float32),
    "bfloat16": ("__nv_bfloat16", "float", 8, "-DWITH_BFLOAT", cp.float32),
}
"""dtype: element, computing type, elements in 16 bytes, headers, computing dtype."""

SOURCE = Path(__file__).with_name("cuda_source.cu")
THREADS = 256


def options(dtype: str, vector: int) -> tuple[str, ...]:
    """Return the compiler's options for a dtype."""
    element, computing, _, header, _ = TYPES[dtype]
    made = (f"-DBN_T={element}", f"-DBN_A={computing}", f"-DBN_V={vector}", "-std=c++17", header)
    return tuple(option for option in made if option)


@cache
def _module(dtype: str, vector: int, device: int) -> Any:
    return cp.RawModule(code=SOURCE.read_text("utf-8"), options=options(dtype, vector))


@cache
def _processors(device: int) -> int:
    return int(cp.cuda.Device(device).attributes["MultiProcessorCount"])


class Launch:
    """The loops over contiguous operands of one shape, on the current stream."""

    def __init__(self, plan: Plan, dtype: str, *operands: Any) -> None:
        layout = plan.layout
        assert layout is not None
        self.outer, self.channels, self.inner = (int(size) for size in layout if size is not None)
        self.count, self.total = self.outer * self.inner, self.outer * self.channels * self.inner
        self.kind = TYPES[dtype][4]
        device = int(operands[0].device.id)
        self._dtype, self._device = dtype, device
        self._vector = self._lanes(operands)
        self._module = _module(dtype, self._vector, device)

    def _lanes(self, operands: tuple[Any, ...]) -> int:
        """Return the elements per load: as many as divide the innermost size and as all addresses allow."""
        vector = TYPES[self._dtype][2]
        along = self.inner if self.inner > 1 else self.channels
        while vector > 1 and (along % vector or any(one.data.ptr % (vector * one.itemsize) for one in operands)):
            vector //= 2
        return vector

    def _run(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        self._module.get_function(name)(grid, block, arguments)

    def _sums(self, name: str, parts: int, *arrays: Any) -> tuple[Any, int, int]:
        """Return part[parts, splits, wide], splits and wide; the work is split until it fills the processors."""
        wanted = 8 * _processors(self._device)
        if self.inner > 1:
            splits = max(1, min(-(-wanted // self.channels), self.count // (THREADS * 4), 65535))
            part = cp.empty((parts, splits, self.channels), cp.float64)
            sizes = cp.int64(self.outer), cp.int64(self.channels), cp.int64(self.inner)
            self._run(f"{name}_planes", (self.channels, splits), (THREADS,), *arrays, part, *sizes)
            return part, splits, self.channels
        copies = 1
        while self.channels * copies < 32 and self.outer % (2 * copies) == 0:
            copies *= 2
        wide, rows = self.channels * copies, self.outer // copies
        blocks = -(-wide // 32)
        splits = max(1, min(-(-wanted // blocks), -(-rows // 32), 65535))
        part = cp.empty((parts, splits, wide), cp.float64)
        sizes = cp.int64(rows), cp.int64(wide), cp.int64(self.channels)
        self._run(f"{name}_columns", (blocks, splits), (32, 8), *arrays, part, *sizes)
        return part, splits, wide

    def _per_channel(self) -> tuple[tuple[int], tuple[int]]:
        return (-(-self.channels // 128),), (128,)

    def statistics(self, x: Any, eps: float, scale: Any, offset: Any) -> tuple[Any, Any, Any]:
        """Return line, mean and m2."""
        part, splits, wide = self._sums("sums", 2, x)
        line, mean, m2 = (cp.empty(rows * self.channels, self.kind) for rows in (3, 1, 1))
        sizes = cp.int64(splits), cp.int64(wide), cp.int64(self.channels), cp.int64(self.inner)
        numbers = cp.float64(self.count), cp.float64(eps)
        self._run("finish", *self._per_channel(), x, part, *sizes, *numbers, *_pointers(scale, offset), line, mean, m2)
        return line, mean, m2

    def gradients(self, x: Any, dy: Any, eps: float, scale: Any, center: Any, m2: Any) -> tuple[Any, Any, Any]:
        """Return line, d_scale and d_offset."""
        part, splits, wide = self._sums("gradient", 3, x, dy, center)
        line, d_scale, d_offset = (cp.empty(rows * self.channels, self.kind) for rows in (4, 1, 1))
        sizes = cp.int64(splits), cp.int64(wide), cp.int64(self.channels)
        numbers = cp.float64(self.count), cp.float64(eps)
        outputs = line, d_scale, d_offset
        self._run(
            "gradient_finish", *self._per_channel(), part, *sizes, *numbers, *_pointers(scale), center, m2, *outputs
        )
        return outputs

    def apply(self, name: str, *arrays: Any) -> None:
        """Run an element-wise loop, ``apply(x, y, line)`` or ``gradient_apply(x, dy, dx, line)``."""
        vectors = -(-self.total // self._vector)
        blocks = min(-(-vectors // THREADS), 32 * _processors(self._device))
        sizes = cp.int64(self.total), cp.int64(self.channels), cp.int64(self.inner)
        self._run(name, (blocks,), (THREADS,), *arrays, *sizes)


def _pointers(*arrays: Any) -> tuple[Any, ...]:
    # An absent parameter is a null pointer.
    return tuple(cp.uint64(0) if one is None else one for one in arrays)
