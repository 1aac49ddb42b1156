"""How the CUDA loops are launched: grids, blocks, splits and arguments. Knows addresses; whose memory and which compiler a `Device` knows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from anybn._typing import Array
from anybn.plan import Plan, plan


class Element(NamedTuple):
    """An element type: its name in CUDA, the type it is computed in, elements in 16 bytes, bytes, and the headers it needs."""

    cuda: str
    computed: str
    lanes: int
    size: int
    header: str = ""

    @property
    def kind(self) -> str:
        """Name of the dtype of statistics and parameters."""
        return "float64" if self.computed == "double" else "float32"


ELEMENTS = {
    "float32": Element("float", "float", 4, 4),
    "float64": Element("double", "double", 2, 8),
    "float16": Element("__half", "float", 8, 2, "-DWITH_HALF"),
    "bfloat16": Element("__nv_bfloat16", "float", 8, 2, "-DWITH_BFLOAT"),
}
SOURCE = Path(__file__).with_name("cuda_source.cu")
THREADS = 256


def options(dtype: str, vector: int) -> tuple[str, ...]:
    """Return the compiler's options for a dtype and so many elements per load."""
    element = ELEMENTS[dtype]
    made = f"-DBN_T={element.cuda}", f"-DBN_A={element.computed}", f"-DBN_V={vector}", "-std=c++17", element.header
    return tuple(option for option in made if option)


class Device(Protocol):
    """Where the loops run: memory for what they make, and the launch itself, on the caller's stream."""

    processors: int

    def empty(self, count: int, kind: str) -> Array:
        """Return uninitialised memory of so many numbers of a dtype."""
        ...

    def address(self, array: Array) -> int:
        """Return where an array's first number lies."""
        ...

    def run(
        self,
        dtype: str,
        vector: int,
        name: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        arguments: Sequence[Any],
    ) -> None:
        """Launch a loop; arguments are NumPy scalars, addresses as uint64."""
        ...


class Launch:
    """The loops over contiguous operands of one shape."""

    def __init__(self, plan: Plan, dtype: str, device: Device, *operands: Array) -> None:
        layout = plan.layout
        assert layout is not None
        self.outer, self.channels, self.inner = (int(size) for size in layout if size is not None)
        self.count, self.total = self.outer * self.inner, self.outer * self.channels * self.inner
        self.kind = ELEMENTS[dtype].kind
        self._dtype, self._device = dtype, device
        self._vector = self._lanes([device.address(one) for one in operands])

    def _lanes(self, addresses: list[int]) -> int:
        """Return the elements per load: as many as divide the innermost size and as all addresses allow."""
        element = ELEMENTS[self._dtype]
        vector = element.lanes
        along = self.inner if self.inner > 1 else self.channels
        while vector > 1 and (along % vector or any(one % (vector * element.size) for one in addresses)):
            vector //= 2
        return vector

    def _run(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *arguments: Any) -> None:
        self._device.run(self._dtype, self._vector, name, grid, block, arguments)

    def _at(self, *arrays: Array | None) -> tuple[Any, ...]:
        # A parameter that is absent is a null pointer.
        return tuple(np.uint64(0 if one is None else self._device.address(one)) for one in arrays)

    def _sums(self, name: str, parts: int, *arrays: Array) -> tuple[Array, int, int]:
        """Return part[parts, splits, wide], splits and wide; the work is split until it fills the processors."""
        wanted, empty = 8 * self._device.processors, self._device.empty
        if self.inner > 1:
            splits = max(1, min(-(-wanted // self.channels), self.count // (THREADS * 4), 65535))
            part = empty(parts * splits * self.channels, "float64")
            sizes = np.int64(self.outer), np.int64(self.channels), np.int64(self.inner)
            self._run(f"{name}_planes", (self.channels, splits), (THREADS,), *self._at(*arrays, part), *sizes)
            return part, splits, self.channels
        copies = 1
        while self.channels * copies < 32 and self.outer % (2 * copies) == 0:
            copies *= 2
        wide, rows = self.channels * copies, self.outer // copies
        blocks = -(-wide // 32)
        splits = max(1, min(-(-wanted // blocks), -(-rows // 32), 65535))
        part = empty(parts * splits * wide, "float64")
        sizes = np.int64(rows), np.int64(wide), np.int64(self.channels)
        self._run(f"{name}_columns", (blocks, splits), (32, 8), *self._at(*arrays, part), *sizes)
        return part, splits, wide

    def _per_channel(self) -> tuple[tuple[int], tuple[int]]:
        return (-(-self.channels // 128),), (128,)

    def _vectors(self, *rows: int) -> tuple[Array, ...]:
        return tuple(self._device.empty(count * self.channels, self.kind) for count in rows)

    def statistics(self, x: Array, eps: float, scale: Array | None, offset: Array | None) -> tuple[Array, ...]:
        """Return line, mean and m2."""
        part, splits, wide = self._sums("sums", 2, x)
        outputs = self._vectors(3, 1, 1)
        sizes = np.int64(splits), np.int64(wide), np.int64(self.channels), np.int64(self.inner)
        numbers = np.float64(self.count), np.float64(eps)
        self._run(
            "finish", *self._per_channel(), *self._at(x, part), *sizes, *numbers, *self._at(scale, offset, *outputs)
        )
        return outputs

    def given(self, eps: float, mean: Array, var: Array, scale: Array | None, offset: Array | None) -> Array:
        """Return the line for given statistics."""
        (line,) = self._vectors(3)
        arrays = self._at(mean, var, scale, offset, line)
        self._run("given", *self._per_channel(), np.int64(self.channels), np.float64(eps), *arrays)
        return line

    def gradients(
        self, x: Array, dy: Array, eps: float, scale: Array | None, center: Array, m2: Array
    ) -> tuple[Array, ...]:
        """Return line, d_scale and d_offset."""
        return self._gradients("gradient_finish", x, dy, eps, scale, center, m2)

    def gradients_given(
        self, x: Array, dy: Array, eps: float, scale: Array | None, mean: Array, var: Array
    ) -> tuple[Array, ...]:
        """Return line, d_scale and d_offset where the statistics are constants."""
        return self._gradients("gradient_given", x, dy, eps, scale, mean, var)

    def _gradients(
        self, name: str, x: Array, dy: Array, eps: float, scale: Array | None, center: Array, spread: Array
    ) -> tuple[Array, ...]:
        part, splits, wide = self._sums("gradient", 3, x, dy, center)
        outputs = self._vectors(4, 1, 1)
        sizes = np.int64(splits), np.int64(wide), np.int64(self.channels)
        numbers = np.float64(self.count), np.float64(eps)
        arrays = self._at(scale, center, spread, *outputs)
        self._run(name, *self._per_channel(), *self._at(part), *sizes, *numbers, *arrays)
        return outputs

    def apply(self, name: str, *arrays: Array) -> None:
        """Run an element-wise loop, ``apply(x, y, line)`` or ``gradient_apply(x, dy, dx, line)``."""
        vectors = -(-self.total // self._vector)
        blocks = min(-(-vectors // THREADS), 32 * self._device.processors)
        sizes = np.int64(self.total), np.int64(self.channels), np.int64(self.inner)
        self._run(name, (blocks,), (THREADS,), *self._at(*arrays), *sizes)


def in_memory_order(made: Plan, strides: Sequence[int]) -> Plan | None:
    """Return the plan of the same data with its axes as they lie in memory; None where there are gaps or the channels are apart."""
    shape = [int(size or 0) for size in made.shape]
    order = sorted((i for i in range(made.ndim) if shape[i] > 1), key=lambda i: -strides[i])
    expected = 1
    for i in reversed(order):
        if strides[i] != expected:
            return None
        expected *= shape[i]
    places = [order.index(i) + 1 for i in made.axis if shape[i] > 1]
    if places != list(range(places[0], places[0] + len(places)) if places else []):
        return None
    # Axes of one number are left out; one in front is the reduced one where there is no other, one behind a lone channel.
    sizes = (1, *(shape[i] for i in order), 1)
    return plan(sizes, tuple(places) or len(sizes) - 1)


def forward(
    device: Device, made: Plan, dtype: str, x: Array, y: Array, eps: float, scale: Array | None, offset: Array | None
) -> tuple[Array, Array]:
    """Write y; return mean and m2. x and y lie as the plan says, scale and offset are vectors of the computing type."""
    launch = Launch(made, dtype, device, x, y)
    line, mean, m2 = launch.statistics(x, eps, scale, offset)
    launch.apply("apply", x, y, line)
    return mean, m2


def evaluate(
    device: Device, made: Plan, dtype: str, x: Array, y: Array, eps: float, mean: Array, var: Array,
    scale: Array | None, offset: Array | None,
) -> None:  # fmt: skip
    """Write y by given statistics."""
    launch = Launch(made, dtype, device, x, y)
    launch.apply("apply", x, y, launch.given(eps, mean, var, scale, offset))


def backward(
    device: Device, made: Plan, dtype: str, operands: tuple[Array, Array, Array], eps: float, scale: Array | None,
    center: Array, spread: Array, *, constant: bool = False,
) -> tuple[Array, Array]:  # fmt: skip
    """Write dx of ``operands = (dy, x, dx)``; return d_scale and d_offset. ``spread`` is m2, or the variance of a ``constant``."""
    dy, x, dx = operands
    launch = Launch(made, dtype, device, x, dy, dx)
    sums = launch.gradients_given if constant else launch.gradients
    line, d_scale, d_offset = sums(x, dy, eps, scale, center, spread)
    launch.apply("gradient_apply", x, dy, dx, line)
    return d_scale, d_offset
