"""Conditions in front of a norm in a wrapper (``if use_bn:``), and whether a call of the wrapper meets them."""

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.calls import argument, is_method
from bnlint.project.names import Definition


def guards(chain: list[m.Node], node: m.Node) -> list[tuple[m.Expr, bool]]:
    """Tests above `node` inside its function, each with the outcome under which `node` is reached."""
    found: list[tuple[m.Expr, bool]] = []
    for above in chain:
        if isinstance(above, m.Function | m.Class):
            break
        if isinstance(above, m.If):
            if _holds(above.body, node):
                found.append((above.test, True))
            elif _holds(above.orelse, node):
                found.append((above.test, False))
        elif isinstance(above, m.Choice):
            if _holds((above.then,), node):
                found.append((above.test, True))
            elif _holds((above.other,), node):
                found.append((above.test, False))
    return found


def _holds(block: tuple[m.Node, ...], node: m.Node) -> bool:
    return any(below is node for below in walk((block,)))


def passes(guard: tuple[m.Expr, bool], function: Definition, call: m.Call) -> bool:
    """Whether a call of `function` certainly meets a guard; one that asks for no parameter is taken as met."""
    test, wanted = guard
    assert isinstance(function.node, m.Function)
    params = {p.name for p in function.node.params}
    if not any(isinstance(node, m.Name) and node.id in params for node in walk(test)):
        return True
    outcome = _outcome(test, function, call)
    return outcome is not None and outcome is wanted


def misses(guard: tuple[m.Expr, bool], function: Definition, call: m.Call) -> bool:
    """Whether a call of `function` certainly does not meet a guard."""
    test, wanted = guard
    outcome = _outcome(test, function, call)
    return outcome is not None and outcome is not wanted


def _outcome(test: m.Expr, function: Definition, call: m.Call) -> bool | None:
    if isinstance(test, m.Op):
        return _operation(test, function, call)
    value = _constant(test, function, call)
    return None if value is ... else bool(value)


def _operation(test: m.Op, function: Definition, call: m.Call) -> bool | None:
    if test.op == "not":
        inner = _outcome(test.args[0], function, call)
        return None if inner is None else not inner
    if test.op in ("and", "or"):
        parts = [_outcome(part, function, call) for part in test.args]
        if None in parts:
            return None
        return all(parts) if test.op == "and" else any(parts)
    if test.op in ("==", "!=", "is", "is not") and len(test.args) == 2:
        left, right = (_constant(part, function, call) for part in test.args)
        if left is ... or right is ...:
            return None
        return (left == right) == (test.op in ("==", "is"))
    return None


def _constant(expr: m.Expr, function: Definition, call: m.Call) -> object:
    """The constant that an expression over the wrapper's parameters is for this call, ``...`` if it is not known."""
    assert isinstance(function.node, m.Function)
    if isinstance(expr, m.Const):
        return expr.value
    if isinstance(expr, m.Name):
        params = function.node.params[1:] if is_method(function) else function.node.params
        found = argument(call, params, expr.id) if any(p.name == expr.id for p in params) else None
        if found is not None and isinstance(found[0], m.Const):
            return found[0].value
        if found is not None and found[1] and found[0] is not None and not isinstance(found[0], m.Name):
            return True if isinstance(found[0], m.Attr | m.Call | m.Lambda) and _is_object(found[0]) else ...
    return ...


def _is_object(expr: m.Expr) -> bool:
    """Whether an argument is plainly a function or an object (``tf.nn.relu``): true as a condition."""
    return isinstance(expr, m.Lambda) or (isinstance(expr, m.Attr) and isinstance(expr.value, m.Attr))
