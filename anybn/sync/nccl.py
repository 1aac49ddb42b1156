"""`Across`: CuPy's NCCL communicator."""

import cupy
from array_api_compat import cupy as xp
from cupy.cuda import nccl

from anybn._typing import Array
from anybn.core.merge import Joint
from anybn.state import Moments
from anybn.sync.message import Kind, agree, kind_of, pack, unpack, unpack_joint

_TYPES = {32: nccl.NCCL_FLOAT32, 64: nccl.NCCL_FLOAT64}


class Across:
    """Merges moments over the ranks of an NCCL communicator; give it to ``reduce=``.

    Parameters
    ----------
    communicator : cupy.cuda.nccl.NcclCommunicator
    """

    def __init__(self, communicator: "nccl.NcclCommunicator") -> None:
        self.communicator = communicator
        self._agreed: set[Kind] = set()

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all ranks' values together, the same on every rank."""
        rows = self._exchanged(kind_of(moments), pack(xp, moments))
        return unpack(xp, list(rows), tuple(moments.mean.shape))

    def joint(self, moments: Moments, dy: Array, dy_d: Array) -> Joint:
        """Return the moments and sums of a backward pass, merged over all ranks."""
        rows = self._exchanged(kind_of(moments, backward=True), pack(xp, moments, dy, dy_d))
        return unpack_joint(xp, list(rows), tuple(moments.mean.shape))

    def _exchanged(self, kind: Kind, message: Array) -> Array:
        if kind not in self._agreed:
            rows = self._gathered(cupy.asarray(kind, dtype=cupy.float64), nccl.NCCL_FLOAT64)
            agree([Kind(*(int(one) for one in row)) for row in rows.get()])
            self._agreed.add(kind)
        return self._gathered(message, _TYPES[kind.bits])

    def _gathered(self, message: Array, kind: int) -> Array:
        rows = cupy.empty((self.communicator.size(), message.size), dtype=message.dtype)
        stream = cupy.cuda.get_current_stream().ptr
        self.communicator.allGather(message.data.ptr, rows.data.ptr, message.size, kind, stream)
        return rows
