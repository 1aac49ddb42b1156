"""The judges of frozen networks: frozen layers that train() thaws, frozen weights with statistics that drift."""

from bnlint.facts import model as m
from bnlint.facts.walk import dotted, walk
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.torch.machine import Machine
from bnlint.project.torch.outside import Holding
from bnlint.project.torch.states import Mark
from bnlint.project.torch.summary import Step, Use
from bnlint.project.torch.verdicts import Confidence, Verdict, Verdicts, how, is_no_grad, words_of


def freeze_undone(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN306: batch norms were put in eval mode, then train() on the whole network took that back before training."""
    frozen, thawed = use.marked("norms frozen"), use.marked("thawed by")
    if use.kind != "call" or not use.context.trains or frozen is None or thawed is None:
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    if holding.sensitive == "no" or verdicts.machine.overrides_train(use.loc, scope):
        return None
    way = [
        (thawed.path, thawed.at, "train() here puts every layer back in training mode"),
        (use.path, use.at, "trained here"),
    ]
    confidence: Confidence = "high" if holding.batch_norm else "medium"
    return verdicts.verdict(use, holding, confidence, way, Step(frozen.path, frozen.at))


def frozen_weights_only(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN307: a network whose weights are frozen is trained through in training mode, so its statistics drift."""
    frozen = use.marked("weights frozen")
    if use.kind not in {"call", "part"} or not use.context.trains or frozen is None:
        return None
    if use.marked("weights free") or use.marked("moved") or _freed_later(verdicts, frozen):
        return None
    if words_of(use) != {"train"} or use.marked("norms frozen"):
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    called = any(atom.how == "called" for atom in use.mode)
    likely = holding.sensitive == "maybe" and called and verdicts.program_has_modes(use.path)
    if not holding.batch_norm and not likely:
        return None
    if verdicts.machine.overrides_train(use.loc, scope) or (
        use.loc.parent is not None and verdicts.machine.overrides_train(use.loc.parent, scope)
    ):
        return None
    network = verdicts.machine.words(use.loc)
    way = [(a.path, a.at, how(a, network)) for a in sorted(use.mode)[:1]]
    return verdicts.verdict(
        use, holding, "medium", [*way, (use.path, use.at, "trained through here")], Step(frozen.path, frozen.at)
    )


def _freed_later(verdicts: Verdicts, frozen: Mark) -> bool:
    """Whether the same function sets ``requires_grad = True`` further down: parts that learn in turns."""
    for scope in verdicts.machine.names.scopes(frozen.path).values():
        if isinstance(scope.node, m.Function):
            first, last = verdicts.range_of(scope.node)
            if first <= frozen.at <= last and any(
                _frees(node) and node.at > frozen.at for node in walk(scope.node.body)
            ):
                return True
    return False


def _frees(node: m.Node) -> bool:
    return (
        isinstance(node, m.Assign)
        and any(isinstance(target, m.Attr) and target.name == "requires_grad" for target in node.targets)
        and isinstance(node.value, m.Const)
        and node.value.value is True
    )


def quiet_part(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN307: forward runs a part under no_grad, as a fixed extractor, while the whole is trained in training mode."""
    machine = verdicts.machine
    if use.kind != "call" or not use.context.trains or words_of(use) != {"train"} or use.marked("norms frozen"):
        return None
    cls = machine.class_of(use.loc, scope)
    if not isinstance(cls, Definition) or machine.overrides_train(use.loc, scope):
        return None
    for call, forward in _quiet_calls(machine, cls):
        assert isinstance(call.func, m.Attr)
        name = call.func.name
        switched = any(
            isinstance(n, m.Attr) and n.name == "eval" and name in (dotted(n.value) or "") for n in walk(cls.node.body)
        )
        values = machine.names.attribute_values(cls, name)
        holding = (
            machine.layers.of_expression(values[0].expr, values[0].scope) if len(values) == 1 else Holding("maybe")
        )
        if holding.batch_norm and not switched:
            part = verdicts.verdict(
                use, holding, "medium", [(use.path, use.at, "trained here")], Step(forward.path, call.at)
            )
            return part._replace(network=f"self.{name}")
    return None


def _quiet_calls(machine: Machine, cls: Definition) -> list[tuple[m.Call, Definition]]:
    """Calls of parts (``self.part(x)``) under no_grad in the class's forward."""
    forward = machine.names.method(cls, "forward")
    if forward is None:
        return []
    found = []
    for node in walk(forward.node.body):
        if isinstance(node, m.With) and any(is_no_grad(machine, item.context, forward.scope) for item in node.items):
            for call in walk(node.body):
                own = isinstance(call, m.Call) and isinstance(call.func, m.Attr) and dotted(call.func.value) == "self"
                if own and isinstance(call, m.Call):
                    found.append((call, forward))
    return found
