"""`BatchNorm`: a thin holder of parameters and running statistics around `anybn.batch_norm`."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from anybn._typing import Array, Device, Dtype, Namespace, is_number
from anybn.convert import Snapshot, saved
from anybn.errors import bad_value
from anybn.functional import batch_norm, init
from anybn.functional.train import Reducer
from anybn.namespace import of
from anybn.semantics import Semantics, preset


class BatchNorm:
    """Batch normalisation that holds its parameters and running statistics.

    Parameters
    ----------
    channels : int or tuple of int
        Size of the channel axis (or axes).
    xp : namespace
        ``numpy``, ``torch``, ``jax.numpy``, …: where the parameters live.
    axis, semantics, eps, decay
        As in `anybn.batch_norm`.
    dtype, device : optional
        Of the parameters and statistics; float32 by default.
    reduce : callable, optional
        Merges the moments of every training call with the other processes' (see ``anybn.sync``). Not part of what is saved.

    Attributes
    ----------
    params : Params
    state : RunningStats
        Replaced (never written into) by a call with ``training=True``.
    """

    def __init__(
        self,
        channels: int | tuple[int, ...],
        *,
        xp: Namespace,
        axis: int | tuple[int, ...] = 1,
        semantics: str | Semantics = "torch",
        eps: float | None = None,
        decay: float | None = None,
        dtype: Dtype | None = None,
        device: Device | None = None,
        reduce: Reducer | None = None,
    ) -> None:
        settings = preset(semantics) if isinstance(semantics, str) else semantics
        changes = {name: value for name, value in (("eps", eps), ("decay", decay)) if value is not None}
        self.semantics = settings.but(**changes) if changes else settings
        self.axis, self.reduce = axis, reduce
        self.params, self.state = init(channels, xp=xp, dtype=dtype, device=device, semantics=self.semantics)

    def __call__(self, x: Array, *, training: bool, **options: Any) -> Array:
        """Return the normalised x; with ``training=True`` the held state moves one step.

        ``options`` are `anybn.batch_norm`'s: ``mask``, ``weights``, ``ghost``, ``guard``, and ``reduce`` instead of the layer's.
        """
        options.setdefault("reduce", self.reduce)
        y, state = batch_norm(
            x, self.params, self.state, training=training, axis=self.axis, semantics=self.semantics, **options
        )
        assert state is not None
        self.state = state
        return y

    def __repr__(self) -> str:
        shape = tuple(self.state.mean.shape)
        return f"BatchNorm({shape}, axis={self.axis}, semantics={self.semantics.name!r}, steps={self.state.steps})"

    def state_dict(self) -> dict[str, Array]:
        """Return parameters and statistics as a plain mapping; what does not exist is left out."""
        return saved.to_mapping(self.params, self.state)

    def load_state_dict(self, mapping: Mapping[str, Array]) -> None:
        """Take parameters and statistics from such a mapping; names and shapes must match exactly.

        The arrays may be of another library, dtype or device: they are brought to the layer's own.

        Raises
        ------
        BadValue
            For missing or unknown names, or another shape. Nothing is taken then.
        """
        own = self.state_dict()
        if set(own) != set(mapping):
            raise bad_value(
                "state_dict has other names",
                got=sorted(mapping),
                expected=sorted(own),
                hint="a layer with the same semantics, or anybn.convert for another framework's names",
            )
        for name, value in own.items():
            if _shape(value) != _shape(mapping[name]):
                raise bad_value(
                    f"{name} has another shape",
                    got=_shape(mapping[name]),
                    expected=_shape(value),
                    hint="a layer with that number of channels",
                )
        taken = {name: saved.moved(mapping[name], like) for name, like in own.items()}
        self.params, self.state = saved.from_mapping(taken)

    def save(self, path: str | PathLike[str]) -> None:
        """Write parameters, statistics and semantics to a safetensors file (see `anybn.convert.load`)."""
        saved.save(path, Snapshot(self.params, self.state, self.semantics))

    def load(self, path: str | PathLike[str]) -> None:
        """Take parameters, statistics and semantics from such a file, whatever library wrote it."""
        xp = of(self.state.mean).xp
        snapshot = saved.load(path, xp=xp)
        self.load_state_dict(saved.to_mapping(snapshot.params, snapshot.state))
        self.semantics = snapshot.semantics


def _shape(value: Array) -> tuple[int, ...]:
    return () if is_number(value) else tuple(value.shape)
