"""Batch norms that never get the training flag: left at its default where the program trains them."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls as calls_below
from bnlint.facts.walk import walk
from bnlint.frameworks import tf1
from bnlint.project.calls import Site, argument, is_method
from bnlint.project.names import Definition, Value
from bnlint.project.scopes import Scope
from bnlint.project.tf1.analysis import Tf1
from bnlint.project.tf1.flags import Flag
from bnlint.project.tf1.norms import Use
from bnlint.project.tf1.slots import misplaced
from bnlint.project.tf1.wrappers import Wrapper, flag_parameter, switched_off

Evidence = Literal["sibling", "own", "program"]
# Words for what never trains, whoever writes them; "inference" and "predict" often name the plain forward pass.
NEVER_TRAINS = re.compile(
    r"(?:^|_)(?:test(?:ing|s)?|eval\w*|valid\w*|val|sampl\w+|export\w*|freez\w*|frozen|deploy\w*|demo|serv\w+|convert\w*|visuali\w+"
    r"|target)(?:_|$|\d)", re.IGNORECASE,
)  # fmt: skip
_MAY_NOT_TRAIN = re.compile(
    r"(?:^|_)(?:infer\w*|pred\w*|detect\w*|reconstruct\w*|generate|recogni\w+)(?:_|$|\d)", re.IGNORECASE
)
# As attributes or module names these are as often data or ops as flags.
_VAGUE = frozenset({"train", "test", "trainable", "phase", "mode", "testing", "inference", "tf_train", "train_op"})


class Missing(NamedTuple):
    """A call that leaves the flag of a norm to its default; `other` is a call beside it that gives it."""

    site: Site
    use: Use
    default: bool
    evidence: Evidence
    sure: bool
    other: Site | None


def missing(view: Tf1, path: str) -> Iterator[Missing]:
    """What is missing in the calls of one file."""
    wrong = {found.call.at for found in misplaced(view, path)}  # given, but in the wrong slot: BN208
    for use in view.uses(path):
        if use.call.at in wrong:
            continue
        if use.flag is None and not use.hidden and use.how != "partial" and not use.frozen:
            found = _direct(view, use)
            if found is not None:
                yield found
        elif use.flag is not None:
            found = kept_off(view, use)
            if found is not None:
                yield found
    yield from _callers(view, path)


# --- the norm itself is called without the flag ---


def _direct(view: Tf1, use: Use) -> Missing | None:
    program = view.program(use.scope.path)
    scoped, hidden = program.scoped(use, use.norm.flag)
    if scoped or hidden or (use.how == "net" and view.words.tail(use.call).endswith("_arg_scope")):
        return None
    site = Site(use.call, use.scope)
    trains = bool(program.train_ops) and program.is_live(use.scope)
    beside = _sibling_use(view, use)
    if beside is not None:
        return Missing(site, use, use.norm.default, "sibling", trains, Site(beside.call, beside.scope))
    if named(use.scope, NEVER_TRAINS) or is_copy(view, use):
        return None
    if _has_own_flag(use.scope) or (use.how == "normalizer" and use.norm.default and trains and program.dangling_flag):
        return Missing(site, use, use.norm.default, "own", trains, None)
    if use.norm.default or not trains or program.pretrained or named(use.scope, _MAY_NOT_TRAIN):
        return None
    flagged = any(other.flag is not None for other in program.norms)
    return None if flagged else Missing(site, use, use.norm.default, "program", sure=True, other=None)


def _sibling_use(view: Tf1, use: Use) -> Use | None:
    """Another norm of the same function that gets a flag which is no constant."""
    for other in view.uses(use.scope.path):
        if other.scope is use.scope and other.flag is not None and other.norm.flag == use.norm.flag:
            flag = view.flags.of(other.flag.expr, other.flag.scope)
            if not isinstance(other.flag.expr, m.Const) and flag.can_train:
                return other
    return None


def is_copy(view: Tf1, use: Use) -> bool:
    """Whether a norm certainly reuses the variables of another: a copy, most often for inference."""
    if any(arg.keyword == "reuse" and _is_true(arg.value) for arg in use.call.args):
        return True
    scope: Scope | None = use.scope
    while scope is not None and scope.node is not None:
        if any(view.words.tail(call) == "reuse_variables" for call in calls_below(scope.node, into_scopes=False)):
            return True
        scope = scope.parent
    return any(
        _reuses(item.context) and any(call is use.call for call in calls_below(block.body))
        for block, _ in view.scan(use.scope.path).withs
        for item in block.items
    )


def _reuses(context: m.Expr) -> bool:
    return isinstance(context, m.Call) and any(a.keyword == "reuse" and _is_true(a.value) for a in context.args)


def _is_true(expr: m.Expr) -> bool:
    return isinstance(expr, m.Const) and expr.value is True


def named(scope: Scope, words: re.Pattern[str]) -> bool:
    """Whether the file or a function around `scope` is named by one of `words`."""
    if words.search(PurePosixPath(scope.path).stem):
        return True
    inner: Scope | None = scope
    while inner is not None:
        if isinstance(inner.node, m.Function) and words.search(inner.node.name):
            return True
        inner = inner.parent
    return False


def _has_own_flag(scope: Scope) -> bool:
    """Whether a training flag is at hand where the norm is called: a parameter, an attribute, a placeholder."""
    inner: Scope | None = scope
    while inner is not None:
        for name, bindings in inner.names.items():
            if not tf1.FLAG_NAMES.match(name):
                continue
            kinds = {binding.kind for binding in bindings}
            if "param" in kinds and (name != "trainable" or not _uses(inner.node, name)):
                return True
            if name not in _VAGUE and "value" in kinds and any(_is_placeholder(b.node) for b in bindings):
                return True
        if isinstance(inner.node, m.Class) and any(_attribute_flag(name) for name in inner.attributes):
            return True
        inner = inner.parent
    return False


def _uses(node: m.Function | m.Class | m.Lambda | None, name: str) -> bool:
    return any(isinstance(below, m.Name) and below.id == name for below in walk((node,)))


def _attribute_flag(name: str) -> bool:
    return name not in _VAGUE and tf1.FLAG_NAMES.match(name.lstrip("_")) is not None


def _is_choice(expr: m.Expr | None) -> bool:
    """``mode == "train"``, or that as a choice between True and False."""
    if isinstance(expr, m.Choice):
        return all(isinstance(part, m.Const) for part in (expr.then, expr.other))
    return isinstance(expr, m.Op) and expr.op in ("==", "!=", "not")


def _is_placeholder(expr: m.Expr | None) -> bool:
    return isinstance(expr, m.Call) and isinstance(expr.func, m.Attr) and expr.func.name in tf1.PLACEHOLDERS


# --- a wrapper has a flag, and nobody gives it ---


def kept_off(view: Tf1, use: Use) -> Missing | None:
    """A wrapper whose flag has a False default that all callers keep."""
    assert use.flag is not None
    owner = flag_parameter(view, use.flag.expr, use.flag.scope)
    if owner is None:
        return None
    function, param = owner
    given = view.graph.passed(function, param.name)
    default = param.default
    if not given or not isinstance(default, m.Const) or default.value not in (False, None):
        return None
    if any(not one.known or (one.explicit and not _is_false(one.value)) for one in given) or _other_callers(
        view, function, param.name
    ):
        return None
    program = view.program(use.scope.path)
    given = [one for one in given if not one.explicit]
    live = [one for one in given if program.is_live(one.site.scope) and not named(one.site.scope, NEVER_TRAINS)]
    trains = bool(program.train_ops) and program.is_live(use.scope) and bool(live)
    frozen = program.pretrained and not program.collects
    if not trains or frozen or named(use.scope, NEVER_TRAINS) or named(use.scope, _MAY_NOT_TRAIN):
        return None
    if all(
        named(one.site.scope, _MAY_NOT_TRAIN) or _caller_evidence(view, function, param.name, one.site) for one in live
    ):
        return None
    return Missing(Site(use.call, use.scope), use, False, "program", sure=True, other=live[0].site)


def _is_false(value: Value | None) -> bool:
    return value is not None and isinstance(value.expr, m.Const) and value.expr.value is False


def _other_callers(view: Tf1, function: Definition, name: str) -> bool:
    """Whether the wrapper may be called in ways that are not known: by scope of arguments, or on unknown objects."""
    assert isinstance(function.node, m.Function)
    if any(_last(decorator) == "add_arg_scope" for decorator in function.node.decorators):
        return True
    known = {site.call.at for site in view.graph.sites(function)}
    for path in view.program(function.path).files:
        for site in view.scan(path).named(function.node.name, "partial"):
            if any(arg.keyword == name or arg.star for arg in site.call.args) and site.call.at not in known:
                return True
    return False


def _last(expr: m.Expr) -> str:
    inner = expr.func if isinstance(expr, m.Call) else expr
    return inner.name if isinstance(inner, m.Attr) else inner.id if isinstance(inner, m.Name) else ""


# --- a caller of a wrapper leaves the flag out where it is at hand ---


def _callers(view: Tf1, path: str) -> Iterator[Missing]:
    seen: set[int] = set()
    for wrapper in view.wrappers:
        for site in view.graph.sites(wrapper.function):
            if site.scope.path != path or site.call.at in seen:
                continue
            found = _left_out(view, wrapper, site)
            if found is not None:
                seen.add(site.call.at)
                yield found


def _left_out(view: Tf1, wrapper: Wrapper, site: Site) -> Missing | None:
    use, function, name, *_ = wrapper
    assert isinstance(function.node, m.Function)
    default = next((p.default for p in function.node.params if p.name == name), None)
    if not isinstance(default, m.Const) or _gives(function, name, site) is not False:
        return None
    if any(_last(decorator) == "add_arg_scope" for decorator in function.node.decorators):
        return None
    other = _caller_evidence(view, function, name, site)
    if other is None or switched_off(view, wrapper, site):
        return None
    program = view.program(site.scope.path)
    sure = bool(program.train_ops) and program.is_live(site.scope)
    return Missing(
        site,
        use,
        bool(default.value),
        "sibling" if other is not site else "own",
        sure,
        other if other is not site else None,
    )


def _caller_evidence(view: Tf1, function: Definition, name: str, site: Site) -> Site | None:
    """A call beside `site` that gives the flag, or `site` itself if a parameter around it is plainly the flag."""
    for other in view.graph.sites(function):
        if other.scope is site.scope and _gives(function, name, other) is True:
            value = _value(function, name, other)
            if value is not None and not isinstance(value, m.Const):
                return other
    if named(site.scope, NEVER_TRAINS):
        return None
    scope: Scope | None = site.scope
    while scope is not None:
        if isinstance(scope.node, m.Function):
            for param in scope.node.params:
                if tf1.FLAG_NAMES.match(param.name) and param.name not in ("trainable", "test") and param.kind != "**":
                    return site
        for bound, bindings in scope.names.items():
            flag = tf1.FLAG_NAMES.match(bound) and bound not in _VAGUE
            if flag and any(b.kind == "value" and (_is_placeholder(b.node) or _is_choice(b.node)) for b in bindings):
                return site
        scope = scope.parent
    return None


def _value(function: Definition, name: str, site: Site) -> m.Expr | None:
    assert isinstance(function.node, m.Function)
    params = function.node.params[1:] if is_method(function) else function.node.params
    found = argument(site.call, params, name)
    return found[0] if found is not None else None


def _gives(function: Definition, name: str, site: Site) -> bool | None:
    """Whether a call gives the parameter; None if a star argument hides it."""
    assert isinstance(function.node, m.Function)
    params = function.node.params[1:] if is_method(function) else function.node.params
    found = argument(site.call, params, name)
    return None if found is None else found[1]


__all__ = ["NEVER_TRAINS", "Flag", "Missing", "is_copy", "kept_off", "missing", "named"]
