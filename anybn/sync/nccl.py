"""`Across`: CuPy's NCCL communicator."""

from collections.abc import Sequence
from typing import ClassVar

import cupy
from cupy.cuda import nccl

from anybn._typing import Array
from anybn.sync.exchange import Exchange


class Across(Exchange):
    """Merges moments over the ranks of an NCCL communicator; give it to ``reduce=``.

    Parameters
    ----------
    communicator : cupy.cuda.nccl.NcclCommunicator

    Notes
    -----
    The messages are queued on CuPy's current stream and nothing waits for them, so a rank whose message is of another
    kind than the others' is told only the first time that it sends one; later it is NaN.
    """

    engine: ClassVar[str] = "NCCL"
    libraries: ClassVar[tuple[str, ...]] = ("cupy",)

    def __init__(self, communicator: "nccl.NcclCommunicator") -> None:
        super().__init__()
        self.communicator = communicator

    def _on_host(self, message: Array) -> bool:
        return False

    def _all_gather(self, message: Array) -> Sequence[Array]:
        rows = cupy.zeros((self.communicator.size(), message.size), dtype=message.dtype)
        kind = nccl.NCCL_FLOAT64 if message.dtype == cupy.float64 else nccl.NCCL_FLOAT32
        stream = cupy.cuda.get_current_stream().ptr
        self.communicator.allGather(message.data.ptr, rows.data.ptr, message.size, kind, stream)
        return [*rows]
