"""Functions with a parameter that becomes the flag of a batch norm, and which of their calls reach the norm at all."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from bnlint.facts import model as m
from bnlint.project.calls import Site, argument, is_method
from bnlint.project.names import Definition, Parameter
from bnlint.project.scopes import Scope
from bnlint.project.tf1.guards import guards, misses, passes
from bnlint.project.tf1.norms import Arguments, Use

if TYPE_CHECKING:
    from bnlint.project.tf1.analysis import Tf1

_MAX_WRAPPERS = 500
_MAX_DEPTH = 6


class Wrapper(NamedTuple):
    """A function whose parameter `name` becomes the flag of the norm `use`.

    `through` is the call in the function that takes it further: the norm itself, or a call of the wrapper `inner`.
    """

    use: Use
    function: Definition
    name: str
    through: Site
    inner: "Wrapper | None"


class _Way(NamedTuple):
    use: Use
    expr: m.Expr
    scope: Scope
    through: Site
    inner: Wrapper | None


def wrappers(view: "Tf1") -> list[Wrapper]:
    """All wrappers of the project, also through other wrappers."""
    found: dict[tuple[str, int, str], Wrapper] = {}
    ways = [
        _Way(use, use.flag.expr, use.flag.scope, Site(use.call, use.scope), None)
        for path in sorted(view.speaking)
        for use in view.uses(path)
        if use.flag
    ]
    ways.extend(_scoped_flags(view))
    while ways and len(found) < _MAX_WRAPPERS:
        way = ways.pop()
        owner = flag_parameter(view, way.expr, way.scope)
        if owner is None:
            continue
        function, name = owner[0], owner[1].name
        if (*function.key, name) in found:
            continue
        wrapper = Wrapper(way.use, function, name, way.through, way.inner)
        found[*function.key, name] = wrapper
        ways.extend(
            _Way(way.use, passed.value.expr, passed.value.scope, passed.site, wrapper)
            for passed in view.graph.passed(function, name)
            if passed.explicit and passed.value is not None
        )
    return list(found.values())


def flag_parameter(view: "Tf1", expr: m.Expr, scope: Scope) -> tuple[Definition, m.Param] | None:
    """The function of whose parameters a flag is one, and which; also where a constructor keeps it in ``self``."""
    meaning = view.names.resolve(expr, scope)
    if isinstance(expr, m.Attr) and not isinstance(meaning, Parameter):
        owner = view.graph.instance(expr.value, scope)
        values = view.names.attribute_values(owner, expr.name) if isinstance(owner, Definition) else []
        if len(values) == 1 and isinstance(values[0].expr, m.Name):
            meaning = view.names.resolve(values[0].expr, values[0].scope)
    if isinstance(meaning, Parameter) and isinstance(meaning.scope.node, m.Function):
        return Definition(meaning.scope.node, meaning.scope), meaning.param
    return None


def _scoped_flags(view: "Tf1") -> Iterator[_Way]:
    """Flags that an ``arg_scope`` gives to the batch norms below it."""
    for path in sorted(view.speaking):
        for site in view.scan(path).named("arg_scope"):
            listed = site.call.args[0].value if site.call.args else None
            norms = listed.items if isinstance(listed, m.Seq) else ()
            norm = next((n for item in norms if (n := view.norm_finder.function(item, site.scope)) is not None), None)
            given = next((arg.value for arg in site.call.args if norm is not None and arg.keyword == norm.flag), None)
            if norm is not None and given is not None:
                use = view.norm_finder.made(norm, site, "scope", Arguments({}, (), hidden=False))
                yield _Way(use, given, site.scope, site, None)


def inferred_elsewhere(view: "Tf1", use: Use) -> bool:
    """Whether a file above the norm's calls something that is not known with the very flag as False (``Net(x, is_training=False)``)."""
    parameter = flag_parameter(view, use.flag.expr, use.flag.scope) if use.flag is not None else None
    if parameter is None:
        return False
    for path in view.speaking:
        for site in view.graph.sites_in(path) if use.scope.path in view.imports.closure(frozenset({path})) else ():
            given = next((arg.value for arg in site.call.args if arg.keyword == parameter[1].name), None)
            off = isinstance(given, m.Const) and given.value is False
            if off and isinstance(site.call.func, m.Name) and view.graph.target(site.call, site.scope) is None:
                return True
    return False


# --- does a call reach the norm? ---


def switched_off(view: "Tf1", wrapper: Wrapper, site: Site) -> bool:
    """Whether a call of the wrapper does not reach the norm behind its ``if use_bn:``.

    Where the norm stands in the wrapper itself, not certainly is enough; further in, others decide as well.
    """
    call = site.call
    off = misses if wrapper.inner is not None else _not_certain
    for _ in range(_MAX_DEPTH):
        if wrapper.through.scope is wrapper.function.scope:
            chain = view.parents(wrapper.function.path).chain(wrapper.through.call)
            tests = guards(chain, wrapper.through.call)
            if any(off(test, wrapper.function, call) for test in tests):
                return True
        if wrapper.inner is None or wrapper.through.scope is not wrapper.function.scope:
            return False
        call = _passed_on(wrapper.through.call, wrapper.function, call)
        wrapper = wrapper.inner
    return False


def _not_certain(guard: tuple[m.Expr, bool], function: Definition, call: m.Call) -> bool:
    return not passes(guard, function, call)


def _passed_on(inner: m.Call, function: Definition, outer: m.Call) -> m.Call:
    """A call inside `function` with what the call `outer` gives in place of the function's parameters."""
    assert isinstance(function.node, m.Function)
    params = function.node.params[1:] if is_method(function) else function.node.params
    names = {p.name for p in params}

    def given(arg: m.Arg) -> m.Arg:
        if isinstance(arg.value, m.Name) and arg.value.id in names:
            found = argument(outer, params, arg.value.id)
            if found is not None and found[0] is not None:
                return arg._replace(value=found[0])
        return arg

    return inner._replace(args=tuple(given(arg) for arg in inner.args))
