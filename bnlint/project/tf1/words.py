"""TensorFlow's own names in a file: full and canonical, also where ``tf`` is bound in several ways."""

from bnlint.facts import model as m
from bnlint.facts.walk import dotted
from bnlint.frameworks.tf1 import canonical
from bnlint.project.names import External, Names, Parameter, Value
from bnlint.project.scopes import Scope

# `import tensorflow as tf` followed by `tf = tf.compat.v1` binds a name twice; by then everyone knows what it means.
_USUAL = {"tf": "tensorflow", "tf1": "tensorflow", "slim": "tf_slim", "tensorflow": "tensorflow", "tf_slim": "tf_slim"}
_MAX_DEPTH = 6


class Words:
    """Canonical names of TensorFlow functions and classes."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._cache: dict[tuple[str, int, str], str | None] = {}

    def name(self, expr: m.Expr, scope: Scope) -> str | None:
        """Canonical dotted name of something outside the project (``tensorflow.layers.dense``), else None."""
        key = (scope.path, expr.at, scope.qualname)
        if key not in self._cache:
            self._cache[key] = self._name(expr, scope, 0)
        return self._cache[key]

    def tail(self, call: m.Call) -> str:
        """Last word of what a call names, by the text alone."""
        func = call.func
        return func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""

    def is_tensorflow(self, name: str | None) -> bool:
        """Whether a canonical name is TensorFlow's or slim's."""
        return name is not None and name.startswith(("tensorflow", "tf_slim", "slim", "tfgan", "tensorflow_gan"))

    def _name(self, expr: m.Expr, scope: Scope, depth: int) -> str | None:
        if depth > _MAX_DEPTH:
            return None
        meaning = self.names.resolve(expr, scope)
        if isinstance(meaning, External):
            return canonical(meaning.name)
        if isinstance(meaning, Parameter) and meaning.param.default is not None and meaning.scope.parent is not None:
            return self._name(meaning.param.default, meaning.scope.parent, depth + 1)
        if isinstance(meaning, Value) and isinstance(meaning.expr, m.Name | m.Attr) and meaning.expr is not expr:
            return self._name(meaning.expr, meaning.scope, depth + 1)
        if meaning is None and isinstance(expr, m.Name):
            return self._chosen(expr, scope, depth + 1)
        if meaning is None and isinstance(expr, m.Attr):
            # An alias of something that a folder of the project hides by its name (`kaffe/tensorflow`).
            base = self._name(expr.value, scope, depth + 1)
            if base is not None:
                return canonical(f"{base}.{expr.name}")
        return self._usual(expr, scope) if meaning is None else None

    def _chosen(self, expr: m.Name, scope: Scope, depth: int) -> str | None:
        """The first of several values of a name that is known (``net = a`` in one branch, ``net = b`` in the other)."""
        hit = scope.lookup(expr.id)
        if hit is None or any(b.kind != "value" for b in hit[1]):
            return None
        found = (
            self._name(b.node, hit[0], depth)
            for b in hit[1]
            if isinstance(b.node, m.Name | m.Attr) and b.node is not expr
        )
        return next((name for name in found if name is not None), None)

    def _usual(self, expr: m.Expr, scope: Scope) -> str | None:
        text = dotted(expr)
        if text is None:
            return None
        head, dot, rest = text.partition(".")
        if head not in _USUAL or not dot:
            return None
        hit = scope.lookup(head)
        if hit is not None and not any(b.kind == "import" for b in hit[1]):
            return None
        return canonical(f"{_USUAL[head]}.{rest}")
