"""What the adapters share: processes find out once whether they agree on a kind of message, then a pass is one gather."""

from collections.abc import Sequence
from typing import ClassVar

from anybn._typing import Array
from anybn.core.merge import Joint
from anybn.namespace import device_of, of
from anybn.state import Moments
from anybn.sync.message import (
    HEADER_MARK,
    Kind,
    agree,
    check_library,
    kind_of,
    opened,
    pack,
    seal,
    unpack,
    unpack_joint,
)


class Exchange:
    """A reducer over an engine that gathers: an adapter says what its engine carries, and how.

    Attributes
    ----------
    engine : str
        As errors call it.
    libraries : tuple of str
        Whose arrays it carries.
    """

    engine: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._agreed: set[Kind] = set()

    def __call__(self, moments: Moments, *, dtype: str = "") -> Moments:
        """Return the moments of all processes' values together, the same in every process.

        Parameters
        ----------
        moments : Moments
            Of this process' values.
        dtype : str
            Name of the data's dtype, where it is known: the processes must agree on it.
        """
        kind = self.kind(moments, dtype=dtype)
        xp = of(moments.mean).xp
        return unpack(xp, self.gather(pack(xp, moments), kind.mark), tuple(moments.mean.shape))

    def joint(self, moments: Moments, dy: Array, dy_d: Array, *, dtype: str = "") -> Joint:
        """Return the moments and sums of an explicit backward pass, merged over all processes."""
        kind = self.kind(moments, dtype=dtype, backward=True)
        xp = of(moments.mean).xp
        return unpack_joint(xp, self.gather(pack(xp, moments, dy, dy_d), kind.mark), tuple(moments.mean.shape))

    def kind(self, moments: Moments, *, dtype: str = "", backward: bool = False) -> Kind:
        """Return the kind of message that these moments make; the first time, ask whether all processes agree on it."""
        check_library(moments, self.libraries, self.engine)
        kind = kind_of(moments, dtype=dtype, backward=backward)
        if kind not in self._agreed:
            xp = of(moments.mean).xp
            header = xp.asarray(kind, dtype=xp.float64, device=device_of(moments.mean))
            rows = [[float(one) for one in row] for row in self.gather(header, HEADER_MARK)]
            agree([Kind(*map(int, row)) for row in rows])
            self._agreed.add(kind)
        return kind

    def gather(self, message: Array, mark: float) -> list[Array]:
        """Return every process' message."""
        xp = of(message).xp
        rows = self._all_gather(seal(xp, message, mark))
        return opened(xp, rows, mark, look=self._on_host(message))

    def _all_gather(self, message: Array) -> Sequence[Array]:
        raise NotImplementedError

    def _on_host(self, message: Array) -> bool:
        raise NotImplementedError
