"""`Across`: MPI through mpi4py, on the arrays' own memory (NumPy; CuPy where the MPI library is CUDA-aware)."""

from array_api_compat import array_namespace
from mpi4py import MPI

from anybn._typing import Array
from anybn.errors import SyncError, explain
from anybn.state import Moments
from anybn.sync.message import agree, check_seals, code, pack, seal, unpack


class Across:
    """Merges moments over the ranks of a communicator; give it to ``reduce=``.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm, optional
        ``MPI.COMM_WORLD`` if left out.

    Notes
    -----
    Upper-case mpi4py calls: buffers, nothing is pickled. A rank that ends while the others wait is the MPI library's
    matter: run programs with ``python -m mpi4py`` so that an exception in one ends them all.
    """

    def __init__(self, communicator: MPI.Intracomm = MPI.COMM_WORLD) -> None:
        self.communicator = communicator
        self._agreed: set[tuple[int, int]] = set()

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all ranks' values together, the same on every rank."""
        xp = array_namespace(moments.mean)
        message = pack(xp, moments)
        header = (int(message.shape[0]), code(message.dtype))
        if header not in self._agreed:
            headers = self._gathered(xp.asarray(header, dtype=xp.float64))
            agree([(int(row[0]), int(row[1])) for row in headers])
            self._agreed.add(header)
        return unpack(xp, self._gathered(message), tuple(moments.mean.shape))

    def total(self, *sums: Array) -> tuple[Array, ...]:
        """Return the sums added up over all ranks: what the backward pass needs."""
        xp = array_namespace(sums[0])
        packed = xp.concat([xp.reshape(one, (-1,)) for one in sums])
        result = xp.empty_like(packed)
        with _Explained():
            self.communicator.Allreduce(packed, result, op=MPI.SUM)
        found: list[Array] = []
        start = 0
        for one in sums:
            size = int(one.size)
            found.append(xp.reshape(result[start : start + size], one.shape))
            start += size
        return tuple(found)

    def _gathered(self, message: Array) -> list[Array]:
        xp = array_namespace(message)
        sealed = seal(xp, message)
        size, length = self.communicator.Get_size(), int(message.shape[0])
        rows = xp.empty((size, length + 1), dtype=message.dtype)
        with _Explained():
            self.communicator.Allgather(sealed, rows)
        check_seals([float(rows[rank, -1]) for rank in range(size)], length)
        return [rows[rank, :-1] for rank in range(size)]


class _Explained:
    """Turns the engine's failure into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not isinstance(error, MPI.Exception):
            return
        raise SyncError(
            explain(
                "the ranks could not exchange their moments",
                got=str(error),
                expected="every rank in the same call with the same number of channels",
                hint="the same layer in the same order on every rank",
            )
        ) from error
