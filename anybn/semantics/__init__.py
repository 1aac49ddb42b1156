"""How each framework does batch norm, as data. One formula reads these fields; nobody asks for a framework's name."""

from anybn.semantics.model import Renorm, Semantics, check_decay, check_eps
from anybn.semantics.table import ALIASES, PRESETS, preset

__all__ = ["ALIASES", "PRESETS", "Renorm", "Semantics", "check_decay", "check_eps", "preset"]
