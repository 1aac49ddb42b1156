"""Which batch norms does a checkpoint hold?"""

from collections.abc import Iterable
from typing import Literal

from anybn.convert import contrib, keras, paddle, torch
from anybn.convert._flat import Names
from anybn.errors import bad_value

Framework = Literal["torch", "keras", "contrib", "paddle"]
FLAT: dict[str, Names] = {"torch": torch.NAMES, "keras": keras.NAMES, "contrib": contrib.NAMES, "paddle": paddle.NAMES}


def find_layers(names: Iterable[str], framework: Framework) -> list[str]:
    """Return the prefixes of all batch norms in a checkpoint, in its order: every place with a mean and a variance.

    Parameters
    ----------
    names : iterable of str
        The checkpoint's names: ``state_dict``, ``tf.train.list_variables``, ``{w.path for w in model.weights}``.
    framework : {"torch", "keras", "contrib", "paddle"}
        Frameworks with one flat mapping.

    Examples
    --------
    >>> from anybn.convert import find_layers
    >>> find_layers(["stem.weight", "bn1.weight", "bn1.running_mean", "bn1.running_var"], "torch")
    ['bn1']
    """
    if framework not in FLAT:
        raise bad_value("no such framework", got=repr(framework), expected=", ".join(FLAT), hint="framework='torch'")
    wanted = FLAT[framework]
    present = [name.removesuffix(":0") for name in names]
    there = set(present)
    found = [name.removesuffix(wanted.mean) for name in present if _last(name, wanted) == wanted.mean]
    return [prefix.removesuffix(wanted.separator) for prefix in found if prefix + wanted.var in there]


def _last(name: str, names: Names) -> str:
    return name.rpartition(names.separator)[2]
