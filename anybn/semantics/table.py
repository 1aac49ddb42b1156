"""All presets by name. The numbers each one gives are tests; the docs' table is made from these rows.

The plain name is the clean variant. A row with `quirk` reproduces a bug of the original, on request only.
"""

from difflib import get_close_matches

from anybn.errors import bad_value
from anybn.semantics import others, tensorflow
from anybn.semantics.model import Semantics

PRESETS: dict[str, Semantics] = {row.name: row for row in (*others.ROWS[:2], *tensorflow.ROWS, *others.ROWS[2:])}
ALIASES = {"keras3": "keras", "equinox": "equinox_ema", "onnx_15": "onnx"}


def preset(name: str) -> Semantics:
    """Return the preset of that name (see ``anybn.PRESETS`` for all of them).

    Raises
    ------
    BadValue
        For an unknown name; the message lists similar ones.
    """
    found = PRESETS.get(name) or PRESETS.get(ALIASES.get(name, ""))
    if found is None:
        near = get_close_matches(name, PRESETS, n=3, cutoff=0.4)
        raise bad_value(
            "unknown semantics",
            got=repr(name),
            expected=f"one of {', '.join(PRESETS)}",
            hint=" or ".join(repr(one) for one in near) or "'torch'",
        )
    return found
