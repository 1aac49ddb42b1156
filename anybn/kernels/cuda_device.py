"""The CUDA loops on a real device, compiled and launched by CuPy: on CuPy's memory, or on torch's, on either's current stream."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cupy as cp

from anybn._typing import Array
from anybn.kernels.cuda_launch import SOURCE, options


@cache
def _loop(dtype: str, vector: int, name: str, device: int) -> Any:
    return _module(dtype, vector, device).get_function(name)


@cache
def _module(dtype: str, vector: int, device: int) -> Any:
    return cp.RawModule(code=SOURCE.read_text("utf-8"), options=options(dtype, vector))


class OfCupy:
    """CuPy's memory and current stream."""

    def __init__(self, device: int) -> None:
        self._device = device
        self.processors = int(cp.cuda.Device(device).attributes["MultiProcessorCount"])

    def empty(self, count: int, kind: str) -> Array:
        """Return uninitialised memory of so many numbers of a dtype."""
        return cp.empty(count, kind)

    def address(self, array: Array) -> int:
        """Return where an array's first number lies."""
        return int(array.data.ptr)

    def run(
        self,
        dtype: str,
        vector: int,
        name: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        arguments: Sequence[Any],
    ) -> None:
        """Launch a loop."""
        _loop(dtype, vector, name, self._device)(grid, block, tuple(arguments))


class OfTorch(OfCupy):
    """torch's memory and current stream: what the loops make comes from torch's allocator, which knows that stream."""

    def __init__(self, device: int) -> None:
        super().__init__(device)
        import torch

        self._torch = torch
        self._where = torch.device("cuda", device)

    def empty(self, count: int, kind: str) -> Array:
        """Return uninitialised memory of so many numbers of a dtype."""
        return self._torch.empty(count, dtype=getattr(self._torch, kind), device=self._where)

    def address(self, array: Array) -> int:
        """Return where a tensor's first number lies."""
        return int(array.data_ptr())

    def run(
        self,
        dtype: str,
        vector: int,
        name: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        arguments: Sequence[Any],
    ) -> None:
        """Launch a loop on torch's current stream."""
        stream = cp.cuda.ExternalStream(self._torch.cuda.current_stream(self._where).cuda_stream, self._device)
        with cp.cuda.Device(self._device), stream:
            super().run(dtype, vector, name, grid, block, arguments)


@cache
def of_cupy(device: int) -> OfCupy:
    """Return the device of this number, for CuPy arrays."""
    return OfCupy(device)


@cache
def of_torch(device: int) -> OfTorch:
    """Return the device of this number, for torch tensors."""
    return OfTorch(device)
