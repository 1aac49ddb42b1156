"""`Across`: CuPy's NCCL communicator."""

import cupy
from array_api_compat import cupy as xp
from cupy.cuda import nccl

from anybn._typing import Array
from anybn.state import Moments
from anybn.sync.message import agree, code, pack, unpack

_TYPES = {32: nccl.NCCL_FLOAT32, 64: nccl.NCCL_FLOAT64}


class Across:
    """Merges moments over the ranks of an NCCL communicator; give it to ``reduce=``.

    Parameters
    ----------
    communicator : cupy.cuda.nccl.NcclCommunicator
    """

    def __init__(self, communicator: "nccl.NcclCommunicator") -> None:
        self.communicator = communicator
        self._agreed: set[tuple[int, int]] = set()

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all ranks' values together, the same on every rank."""
        message = pack(xp, moments)
        header = (int(message.shape[0]), code(message.dtype))
        if header not in self._agreed:
            rows = self._gathered(cupy.asarray(header, dtype=cupy.float64), nccl.NCCL_FLOAT64)
            agree([(int(row[0]), int(row[1])) for row in rows.get()])
            self._agreed.add(header)
        rows = self._gathered(message, _TYPES[header[1]])
        return unpack(xp, list(rows), tuple(moments.mean.shape))

    def total(self, *sums: Array) -> tuple[Array, ...]:
        """Return the sums added up over all ranks: what the backward pass needs."""
        packed = cupy.concatenate([one.reshape(-1) for one in sums])
        result = cupy.empty_like(packed)
        stream = cupy.cuda.get_current_stream().ptr
        self.communicator.allReduce(
            packed.data.ptr, result.data.ptr, packed.size, _TYPES[code(packed.dtype)], nccl.NCCL_SUM, stream
        )
        parts = cupy.split(result, [sum(one.size for one in sums[: k + 1]) for k in range(len(sums) - 1)])
        return tuple(part.reshape(one.shape) for part, one in zip(parts, sums, strict=True))

    def _gathered(self, message: Array, kind: int) -> Array:
        rows = cupy.empty((self.communicator.size(), message.size), dtype=message.dtype)
        stream = cupy.cuda.get_current_stream().ptr
        self.communicator.allGather(message.data.ptr, rows.data.ptr, message.size, kind, stream)
        return rows
