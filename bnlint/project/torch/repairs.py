"""Where a repair of a mode belongs, and the edits that make it: eval() before, the old mode back after, train() in a loop."""

from collections.abc import Iterator
from typing import NamedTuple

from bnlint.facts import model as m
from bnlint.facts.walk import calls, dotted, walk
from bnlint.finding import Edit
from bnlint.frameworks.torch import COMPUTING_METHODS
from bnlint.project.names import Names, Parameter
from bnlint.project.torch.surroundings import last_of
from bnlint.project.torch.verdicts import Verdict

Edits = tuple[Edit, ...]
_TRAINS = frozenset({"backward", "train", "fit"})
_OPEN = m.If | m.Try | m.Match


class Site(NamedTuple):
    """A statement and the block it stands in."""

    block: m.Block
    statement: m.Stmt


class Repairs:
    """Edits for the verdicts on modes; an empty tuple where no place is certain."""

    def __init__(self, names: Names) -> None:
        self.names = names

    # --- eval() before, the old mode back after ---

    def evaluated(self, verdict: Verdict) -> Edits:
        """BN101: what evaluates runs in eval mode."""
        network = self._called(verdict.use.path, verdict.use.at)
        return self._in_eval(verdict, network) if network is not None else ()

    def _in_eval(self, verdict: Verdict, network: str) -> Edits:
        """eval() before; a network that is trained as well, or is a caller's, gets its old mode back in the end."""
        use = verdict.use
        site = self._outermost(use.path, use.function[1], use.at) if use.path == verdict.path else None
        if site is None:
            return ()
        last = _last_of_region(site, network)
        if not (use.marked("trained") or self._is_given(network, use.path, use.function[1])):
            return (Edit(site.statement.at, "insert_before", (f"{network}.eval()",)),)
        old = self._free_name(network, use.path, use.function[1])
        before = f"{old} = {network}.training\n{network}.eval()"
        return (Edit(site.statement.at, "wrap_in_try", (str(last.at), before, f"{network}.train({old})")),)

    def otherwise(self, path: str, switch: m.Call, network: str) -> Edits:
        """BN101 in a loop over phases: the branch that only trains gets an else with eval()."""
        asked = [s.statement for s in way_to(self.names.files[path].body, switch.at) if isinstance(s.statement, m.If)]
        if not asked or asked[-1].orelse:
            return ()
        return (Edit(asked[-1].at, "add_else", (f"{network}.eval()",)),)

    def exported(self, verdict: Verdict, position: int) -> Edits:
        """BN107: as an evaluation, of the network that is an argument."""
        call = self._call(verdict.use.path, verdict.use.at)
        given = call.args[position].value if call is not None and len(call.args) > position else None
        network = dotted(given)
        return self._in_eval(verdict, network) if network is not None else ()

    def frozen_teacher(self, verdict: Verdict) -> Edits:
        """BN106: eval() before the training loop; where train() is called inside the loop, right before the teacher."""
        use = verdict.use
        network = self._called(use.path, use.at)
        sites = list(self._sites(use.path, use.function[1], use.at))
        if use.path != verdict.path or network is None or not sites:
            return ()
        place = next(site for site in sites if not isinstance(site.statement, _OPEN) or site is sites[-1])
        inside = range(place.statement.at, last_of(place.statement) + 1)
        if any(atom.path == use.path and atom.at in inside for atom in use.mode):
            place = self._outermost(use.path, use.function[1], use.at) or place
        return (Edit(place.statement.at, "insert_before", (f"{network}.eval()",)),)

    # --- train() again ---

    def trained_again(self, verdict: Verdict) -> Edits:
        """BN102: train() at the top of the loop that brings the eval mode back."""
        use = verdict.use
        top = use.chain[-1].path if use.chain else use.path
        late = [atom.local for atom in use.late]
        if top != verdict.path or not late:
            return ()
        way = way_to(self.names.files[top].body, use.local)
        loops = [s.statement for s in way if isinstance(s.statement, m.For | m.While)]
        around = [loop for loop in loops if loop.at in use.loops and loop.at <= late[0] <= last_of(loop)]
        network = self._called(top, use.local) if not use.chain else self._argument(top, use.local, verdict.network)
        if not around or network is None:
            return ()
        return (Edit(around[-1].at, "prepend_to_body", (f"{network}.train()",)),)

    def turned(self, verdict: Verdict) -> Edits:
        """BN104: the train() of an evaluation becomes eval()."""
        call = self._call(verdict.path, verdict.at)
        if call is None or not isinstance(call.func, m.Attr):
            return ()
        if not call.args:
            return (Edit(call.func.at, "rename_attribute", ("eval",)),)
        network = dotted(call.func.value)
        return (Edit(call.at, "replace", (f"{network}.eval()",)),) if network is not None else ()

    # --- frozen parts ---

    def kept_in_eval(self, verdict: Verdict) -> Edits:
        """BN307: eval() for the frozen part: in the module's own train(), else where it is frozen or put in train mode."""
        way = list(way_to(self.names.files[verdict.path].body, verdict.at))
        part = verdict.network if verdict.network.startswith("self.") else self._frozen(way, verdict.at)
        if part is None:
            return ()
        classes = [s.statement for s in way if isinstance(s.statement, m.Class)]
        if part.startswith("self.") and classes and isinstance(classes[-1], m.Class):
            return _train_override(classes[-1], part)
        loop = next((s.statement for s in way if isinstance(s.statement, m.For) and _is_freeze(s.statement)), None)
        after = loop.at if loop is not None else way[-1].statement.at
        function = next((s.statement for s in reversed(way) if isinstance(s.statement, m.Function)), None)
        inside = range(function.at, last_of(function) + 1) if function is not None else range(1 << 40)
        for atom in verdict.use.mode:
            if atom.how == "called" and atom.path == verdict.path and atom.at in inside and atom.at > after:
                after = list(way_to(self.names.files[verdict.path].body, atom.at))[-1].statement.at
        return (Edit(after, "insert_after", (f"{part}.eval()",)),)

    def toggled(self, verdict: Verdict) -> bool:
        """Whether the same file sets ``requires_grad`` of the same network to something else, too: parts take turns."""
        body = self.names.files[verdict.path].body
        part = self._frozen(list(way_to(body, verdict.at)), verdict.at)
        loops = [node for node in walk(body) if isinstance(node, m.For) and _is_freeze(node)]
        same = [loop for loop in loops if part is not None and _parameters_of(loop) == part]
        return any(_sets_gradients(loop) for loop in same)

    @staticmethod
    def _frozen(way: list[Site], at: int) -> str | None:
        """The network of ``for p in net.parameters()`` or ``net.requires_grad_(False)``."""
        for site in way:
            if isinstance(site.statement, m.For) and _is_freeze(site.statement):
                return _parameters_of(site.statement)
        call = next((c for c in calls(way[-1].statement) if c.at == at), None) if way else None
        return dotted(call.func.value) if call is not None and isinstance(call.func, m.Attr) else None

    # --- places ---

    def _sites(self, path: str, function: int, at: int) -> Iterator[Site]:
        scope = self.names.scopes(path)[function if function >= 0 else None]
        yield from way_to(scope.block if scope.node is not None else self.names.files[path].body, at)

    def _outermost(self, path: str, function: int, at: int) -> Site | None:
        """The largest statement around record `at` that does not train as well and is no branch."""
        site = None
        for site in self._sites(path, function, at):
            if not isinstance(site.statement, _OPEN) and not _has_training(site.statement):
                return site
        return site

    def _call(self, path: str, at: int) -> m.Call | None:
        way = list(way_to(self.names.files[path].body, at))
        return next((call for call in calls(way[-1].statement) if call.at == at), None) if way else None

    def _called(self, path: str, at: int) -> str | None:
        """How the network is called there: ``self.model`` in ``self.model.forward(x)``."""
        call = self._call(path, at)
        name = dotted(call.func) if call is not None else None
        if name is None:
            return None
        before, _, last = name.rpartition(".")
        return before if before and last in COMPUTING_METHODS else name

    def _argument(self, path: str, at: int, network: str) -> str | None:
        """The network as the caller names it, where it is given to the function that trains it."""
        call = self._call(path, at)
        given = [dotted(arg.value) for arg in call.args] if call is not None else []
        owner = dotted(call.func.value) if call is not None and isinstance(call.func, m.Attr) else None
        own = f"{owner}.{network.partition('.')[2]}" if owner is not None and network.startswith("self.") else None
        return network if network in given else own

    def _is_given(self, network: str, path: str, function: int) -> bool:
        """Whether the network belongs to a caller: a parameter, or an attribute of ``self``."""
        root = network.partition(".")[0]
        scope = self.names.scopes(path)[function if function >= 0 else None]
        return root in {"self", "cls"} or isinstance(self.names.resolve(m.Name(-1, root), scope), Parameter)

    def _free_name(self, network: str, path: str, function: int) -> str:
        scope = self.names.scopes(path)[function if function >= 0 else None]
        last = network.rpartition(".")[2]
        names = ("was_training", f"{last}_was_training", *(f"{last}_was_training_{n}" for n in range(2, 100)))
        return next(name for name in names if scope.lookup(name) is None)


def way_to(block: m.Block, at: int) -> Iterator[Site]:
    """The statements around record `at`, from the outermost to the one it is part of."""
    inner: m.Block | None = block
    while inner:
        before = [statement for statement in inner if statement.at <= at]
        if not before:
            return
        yield Site(inner, before[-1])
        below = [some for some in _blocks(before[-1]) if some and some[0].at <= at]
        inner = max(below, key=lambda some: some[0].at, default=None)


def _blocks(statement: m.Stmt) -> Iterator[m.Block]:
    if isinstance(statement, m.Try):
        yield from (statement.body, *(h.body for h in statement.handlers), statement.orelse, statement.final)
    elif isinstance(statement, m.Match):
        yield from (case.body for case in statement.cases)
    elif isinstance(statement, m.If | m.For | m.While):
        yield from (statement.body, statement.orelse)
    elif isinstance(statement, m.With | m.Function | m.Class):
        yield statement.body


def _has_training(statement: m.Stmt) -> bool:
    names = [_last(call).lower() for call in calls(statement)]
    return any(name == "step" or _TRAINS & set(name.split("_")) for name in names)


def _last(call: m.Call) -> str:
    func = call.func
    return func.name if isinstance(func, m.Attr) else func.id if isinstance(func, m.Name) else ""


def _last_of_region(site: Site, network: str) -> m.Stmt:
    """The last of the statements after the first that call the network too, up to one that trains or ends a cell."""
    last = site.statement
    for statement in site.block[site.block.index(site.statement) + 1 :]:
        text = isinstance(statement, m.Do) and isinstance(statement.value, m.Const)  # a notebook's cells end there
        if text or _has_training(statement) or isinstance(statement, m.Function | m.Class):
            break
        if any(dotted(call.func) == network for call in calls(statement)):
            last = statement
    return last


def _is_freeze(loop: m.For) -> bool:
    """``for p in net.parameters(): p.requires_grad = False``."""
    source = loop.iter.func if isinstance(loop.iter, m.Call) else None
    if not isinstance(source, m.Attr) or source.name not in {"parameters", "named_parameters"}:
        return False
    return any(isinstance(node, m.Attr) and node.name.startswith("requires_grad") for node in walk(loop.body))


def _parameters_of(loop: m.For) -> str | None:
    source = loop.iter.func if isinstance(loop.iter, m.Call) else None
    return dotted(source.value) if isinstance(source, m.Attr) else None


def _sets_gradients(loop: m.For) -> bool:
    """``p.requires_grad = True``, or a value that is only known when it runs."""
    for node in walk(loop.body):
        if isinstance(node, m.Assign) and any(
            isinstance(t, m.Attr) and t.name == "requires_grad" for t in node.targets
        ):
            return not (isinstance(node.value, m.Const) and node.value.value is False)
        if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name == "requires_grad_":
            given = node.args[0].value if node.args else None
            return not (isinstance(given, m.Const) and given.value is False)
    return False


def _train_override(cls: m.Class, part: str) -> Edits:
    if any(isinstance(statement, m.Function) and statement.name == "train" for statement in cls.body):
        return ()
    text = f"def train(self, mode=True):\n    super().train(mode)\n    {part}.eval()\n    return self\n"
    return (Edit(cls.at, "append_to_body", (text,)),)
