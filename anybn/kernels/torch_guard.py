"""Whether five tensors are like five others, asked in one call.

torch's compiler has such a check for its own use: type, dtype, device, sizes, strides, `requires_grad` and everything that changes what
an operation means (vmap, dispatch modes, lazy negation, inference mode, autocast). It takes as long as asking one tensor for its
shape. It is not part of torch's public interface: where it is missing, everything is asked one by one.
"""

from typing import Any

from torch import Tensor


def _guards() -> Any:
    try:
        from torch._C._dynamo import guards
    except ImportError:
        return None
    return guards


_GUARDS = _guards()


class Guard:
    """Remembers tensors, and what was found out about them."""

    def __init__(self, tensors: tuple[Tensor, ...], found: Any) -> None:
        self.found = found
        self.check = _never
        sizes: list[Any] = [list(one.shape) for one in tensors]
        strides: list[Any] = [list(one.stride()) for one in tensors]
        try:
            self.check = _GUARDS.TensorGuards(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides).check
        except Exception:  # another version's other arguments, whatever it raises
            self.check = _never


def _never(*_: Tensor) -> bool:
    return False
