"""`Across`: MPI through mpi4py, on the arrays' own memory (NumPy; CuPy where the MPI library is CUDA-aware)."""

from array_api_compat import array_namespace
from mpi4py import MPI

from anybn._typing import Array
from anybn.core.merge import Joint
from anybn.errors import SyncError, explain
from anybn.state import Moments
from anybn.sync.message import HEADER_MARK, Kind, agree, check_seals, kind_of, pack, seal, unpack, unpack_joint


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
        self._agreed: set[Kind] = set()

    def __call__(self, moments: Moments) -> Moments:
        """Return the moments of all ranks' values together, the same on every rank."""
        xp = array_namespace(moments.mean)
        rows = self._exchanged(kind_of(moments), pack(xp, moments))
        return unpack(xp, rows, tuple(moments.mean.shape))

    def joint(self, moments: Moments, dy: Array, dy_d: Array) -> Joint:
        """Return the moments and sums of a backward pass, merged over all ranks."""
        xp = array_namespace(moments.mean)
        rows = self._exchanged(kind_of(moments, backward=True), pack(xp, moments, dy, dy_d))
        return unpack_joint(xp, rows, tuple(moments.mean.shape))

    def _exchanged(self, kind: Kind, message: Array) -> list[Array]:
        if kind not in self._agreed:
            xp = array_namespace(message)
            headers = self._gathered(xp.asarray(kind, dtype=xp.float64), HEADER_MARK)
            agree([Kind(*(int(one) for one in row)) for row in headers])
            self._agreed.add(kind)
        return self._gathered(message, kind.mark)

    def _gathered(self, message: Array, mark: float) -> list[Array]:
        xp = array_namespace(message)
        sealed = seal(xp, message, mark)
        rows = xp.zeros((self.communicator.Get_size(), int(sealed.shape[0])), dtype=message.dtype)
        with _Explained():
            self.communicator.Allgather(sealed, rows)
        check_seals([float(row[-1]) for row in rows], mark)
        return [row[:-1] for row in rows]


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
