"""Names that a project adds to the tables: ``[tool.bnlint.names]``.

A layer or network of another package, or one that the linter cannot look into, is taken for something it knows; words
of data, functions and comments are added to those of :mod:`bnlint.frameworks.torch`. Nothing here replaces a table.
"""

from typing import Final, NamedTuple

# What configured layers are taken for: rows of the tables of PyTorch, Keras and Flax.
BATCH_NORM: Final = "configured.batch norm"
DROPOUT: Final = "configured.dropout"
INSENSITIVE: Final = "torch.nn.Identity"


class Known(NamedTuple):
    """What the configuration adds, by key; full dotted names, beginnings of them, words or phrases.

    `batch_norm`, `dropout` and `insensitive` are classes, or functions that make networks; `mode_frameworks` the
    beginnings of base classes whose trainer switches modes itself; the others are words inside of names, and `intent`
    phrases of names and comments that say that an unusual mode is meant.
    """

    batch_norm: tuple[str, ...] = ()
    dropout: tuple[str, ...] = ()
    insensitive: tuple[str, ...] = ()
    mode_frameworks: tuple[str, ...] = ()
    evaluation_loaders: tuple[str, ...] = ()
    training_loaders: tuple[str, ...] = ()
    evaluation_functions: tuple[str, ...] = ()
    intent: tuple[str, ...] = ()

    def meanings(self) -> dict[str, str]:
        """Full names, and the name of the tables that each is taken for."""
        layers = {
            **dict.fromkeys(self.batch_norm, BATCH_NORM),
            **dict.fromkeys(self.dropout, DROPOUT),
            **dict.fromkeys(self.insensitive, INSENSITIVE),
        }
        return {name.strip("."): same for name, same in layers.items()}


KEYS: Final = tuple(field.replace("_", "-") for field in Known._fields)
NOTHING: Final = Known()
