"""`Across`: MPI through mpi4py, on the arrays' own memory (NumPy; CuPy where the MPI library is CUDA-aware)."""

import sys
import time
from collections.abc import Sequence
from typing import ClassVar

from mpi4py import MPI

from anybn._typing import Array
from anybn.errors import SyncError, explain
from anybn.namespace import of
from anybn.sync.exchange import Exchange

_EAGER = 1e-3  # seconds of asking again at once; after that somebody is late, and others may need the processor
_PAUSE = 5e-5


class Across(Exchange):
    """Merges moments over the ranks of a communicator; give it to ``reduce=``.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm, optional
        ``MPI.COMM_WORLD`` if left out.
    timeout : float
        Seconds to wait for the other ranks before a `SyncError`: MPI itself would wait for ever.

    Notes
    -----
    Upper-case mpi4py calls: buffers, nothing is pickled. Run programs with ``python -m mpi4py``, so that an exception in
    one rank ends them all; a rank that is killed is the MPI library's matter, which ends the others.

    Examples
    --------
    ``y, state = anybn.batch_norm(x, params, state, training=True, reduce=Across())``
    """

    engine: ClassVar[str] = "MPI"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "cupy")

    def __init__(self, communicator: MPI.Intracomm = MPI.COMM_WORLD, *, timeout: float = 1800.0) -> None:
        super().__init__()
        self.communicator, self.timeout = communicator, timeout
        self._given_up: list[tuple[object, ...]] = []

    def _on_host(self, message: Array) -> bool:
        return True  # MPI has waited for the result already

    def _all_gather(self, message: Array) -> Sequence[Array]:
        space = of(message)
        if space.library.name == "cupy":
            # MPI reads the memory from the host's side: what CuPy has queued must have been computed.
            sys.modules["cupy"].cuda.get_current_stream().synchronize()
        with _Explained():
            rows: Array = space.xp.zeros((self.communicator.Get_size(), int(message.shape[0])), dtype=message.dtype)
            self._wait(self.communicator.Iallgather(message, rows), message, rows)
        return [*rows]

    def _wait(self, request: MPI.Request, *buffers: Array) -> None:
        start = time.monotonic()
        while not request.Test():
            waited = time.monotonic() - start
            if waited > self.timeout:
                self._given_up.append((request, *buffers))  # a late rank may still write into them
                raise _failure(f"no answer of every rank within {self.timeout:g} s")
            if waited > _EAGER:
                time.sleep(_PAUSE)


class _Explained:
    """Turns the engine's failure into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, MPI.Exception):
            raise _failure(str(error)) from error


def _failure(got: str) -> SyncError:
    return SyncError(
        explain(
            "the ranks could not exchange their moments",
            got=got,
            expected="every rank alive, in the same call with the same number of channels",
            hint="the same layer in the same order on every rank; the log of the rank that failed first",
        )
    )
