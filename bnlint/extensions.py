"""Rules from elsewhere: installed packages (entry-point group ``bnlint.rules``) and modules the configuration names.

Both run code, and both must be named in the configuration (`rules`): what merely lies in a folder is never imported.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from bnlint.errors import ConfigError
from bnlint.rules._base import Rule

GROUP = "bnlint.rules"


def with_extensions(own: Sequence[Rule], names: Sequence[str], folder: Path) -> Sequence[Rule]:
    """`own` rules and those of the modules `names`, sorted by code.

    Raises
    ------
    ConfigError
        If a module cannot be imported, has no rules, or a code is used twice.
    """
    if not names:
        return own
    rules = list(own)
    for name in names:
        for rule in load_module(name, folder):
            taken = next((other for other in rules if other.meta.code == rule.meta.code), None)
            if taken is not None:
                raise ConfigError(
                    f"rules of {name}: {rule.meta.code} is already the code of {taken.meta.name}; choose another"
                )
            rules.append(rule)
    return tuple(sorted(rules, key=lambda rule: rule.meta.code))


def load_module(name: str, folder: Path) -> list[Rule]:
    """Rules of an entry point, of a dotted module, or of a file relative to `folder`."""
    module = _import(name, folder)
    rules = [value for value in vars(module).values() if isinstance(value, Rule)]
    rules += [rule for rule in getattr(module, "RULES", ()) if isinstance(rule, Rule) and rule not in rules]
    if not rules:
        raise ConfigError(f"rules of {name}: got no rule, expected functions decorated with @rule(META)")
    return rules


def _import(name: str, folder: Path) -> ModuleType:
    from importlib.metadata import entry_points  # slow to import, and most runs have no extensions

    try:
        if name.endswith(".py") or "/" in name:
            return _from_file(folder / name)
        for point in entry_points(group=GROUP, name=name):
            return importlib.import_module(point.module)
        return importlib.import_module(name)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"rules of {name}: cannot be imported: {type(error).__name__}: {error}") from error


def _from_file(file: Path) -> ModuleType:
    name = f"bnlint_rules_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError(f"rules of {file}: no such file; name a .py file relative to the configuration, or a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
