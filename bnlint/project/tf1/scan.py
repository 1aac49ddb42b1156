"""One pass over a file for everything the TensorFlow 1 analysis asks of it."""

from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.frameworks import tf1
from bnlint.project.calls import Site, own_nodes
from bnlint.project.names import Names
from bnlint.project.scopes import Scope

_TENSORFLOW = ("tensorflow", "tf_slim", "slim", "tensorflow_gan")


class Unit(NamedTuple):
    """A scope with the identifiers its own code uses."""

    scope: Scope
    used: frozenset[str]


class Scan(NamedTuple):
    """Calls of a file by the last word of what they call, its scopes, and whether it speaks of pretrained weights."""

    path: str
    calls: dict[str, list[Site]]
    units: tuple[Unit, ...]
    withs: tuple[tuple[m.With, Scope], ...]
    pretrained: bool
    normalizers: tuple[Site, ...]

    def named(self, *tails: str) -> list[Site]:
        """Calls whose last word is one of `tails`."""
        return [site for tail in tails for site in self.calls.get(tail, ())]


def speaks_tensorflow(names: Names, path: str) -> bool:
    """Whether a file imports TensorFlow or slim."""
    for scope in names.scopes(path).values():
        for bindings in scope.names.values():
            for binding in bindings:
                if binding.kind == "import" and binding.node.module.split(".")[0] in _TENSORFLOW:
                    return True
        if any(star.module.split(".")[0] in _TENSORFLOW for star in scope.stars):
            return True
    return False


def scan(names: Names, path: str) -> Scan:
    """Scan one file."""
    calls: dict[str, list[Site]] = {}
    units: list[Unit] = []
    withs: list[tuple[m.With, Scope]] = []
    normalizers: list[Site] = []
    pretrained = False
    for scope in names.scopes(path).values():
        used: set[str] = set()
        for node in own_nodes(scope):
            if isinstance(node, m.Name):
                used.add(node.id)
            elif isinstance(node, m.Attr):
                used.add(node.name)
                if node.name == "updates":
                    used.add(".updates")  # an attribute, told from a variable of that name
            elif isinstance(node, m.Call):
                site = Site(node, scope)
                calls.setdefault(_tail(node), []).append(site)
                if any(arg.keyword == "normalizer_fn" or arg.star == "**" for arg in node.args):
                    normalizers.append(site)
            elif isinstance(node, m.With):
                withs.append((node, scope))
            elif isinstance(node, m.Const) and isinstance(node.value, str) and _is_word(node.value):
                pretrained = pretrained or tf1.PRETRAINED_WORDS.search(node.value) is not None
        pretrained = pretrained or any(tf1.PRETRAINED_WORDS.search(word) for word in used | set(scope.names))
        units.append(Unit(scope, frozenset(used)))
    return Scan(path, calls, tuple(units), tuple(withs), pretrained, tuple(normalizers))


def _tail(call: m.Call) -> str:
    func = call.func
    return func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""


def _is_word(text: str) -> bool:
    """Whether a string is a key or an option rather than prose or a path."""
    return len(text) < 40 and " " not in text
