"""The judges: each looks at one use of a network and says whether it is its kind of mistake."""

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks.torch import GENERATORS, TEACHERS
from bnlint.project.calls import own_nodes
from bnlint.project.names import Definition
from bnlint.project.scopes import Scope
from bnlint.project.torch.frozen import freeze_undone, frozen_weights_only, quiet_part
from bnlint.project.torch.machine import Machine
from bnlint.project.torch.outside import Holding
from bnlint.project.torch.states import Atom
from bnlint.project.torch.summary import Step, Use
from bnlint.project.torch.verdicts import Confidence, Judge, Verdict, Verdicts, how, is_no_grad, words_of
from bnlint.project.torch.words import parts


def eval_missing(verdicts: Verdicts, use: Use, scope: Scope, resolved: bool) -> Verdict | None:
    """BN101: evaluation data go through a network that is certainly in training mode."""
    if use.kind != "call" or not (use.context.evaluates or _is_finished(verdicts, use)):
        return None
    if words_of(use) == {"entry"}:
        return _never_set(verdicts, use, scope) if not resolved else None
    if words_of(use) != {"train"}:
        return None
    called = [atom for atom in use.mode if atom.how == "called"]
    if not called and not (use.marked("loaded") or use.marked("trained") or _plain_evaluation(use)):
        return None
    if any(verdicts.inside(use, atom) for atom in called) and not use.context.function_trains:
        return None  # asked for on purpose, or BN104
    if any(_under_no_grad(verdicts.machine, atom) or _said_to_be_meant(verdicts.machine, atom) for atom in called):
        return None  # a second validation "in training mode", statistics that are measured anew
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    confidence = _confidence(verdicts, holding, use, bool(called))
    if confidence is None:
        return None
    network = verdicts.machine.words(use.loc)
    way = [(atom.path, atom.at, how(atom, network)) for atom in sorted(use.mode)[:2] if atom.at >= 0]
    return verdicts.verdict(use, holding, confidence, way)


def _under_no_grad(machine: Machine, atom: Atom) -> bool:
    """Whether the switch stands in a block where nothing can be trained, so that training mode was wanted for itself."""
    module = machine.names.scope(atom.path)
    return any(
        isinstance(node, m.With)
        and node.at <= atom.at <= Verdicts.range_of(node)[1]
        and any(is_no_grad(machine, item.context, module) for item in node.items)
        for node in walk(machine.names.files[atom.path].body)
    )


def _said_to_be_meant(machine: Machine, switch: Atom) -> bool:
    """Whether a comment in the function of a switch says that training mode is wanted; the use may be elsewhere."""
    file = machine.names.files[switch.path]
    functions = [n for n in walk(file.body) if isinstance(n, m.Function)]
    around = [Verdicts.range_of(n) for n in functions if n.at <= switch.at]
    first, last = max(((a, b) for a, b in around if switch.at <= b), default=(switch.at - 2, switch.at + 2))
    return any(machine.vocabulary.meant(c.text) for c in file.comments if first <= c.at <= last)


def _is_finished(verdicts: Verdicts, use: Use) -> bool:
    """Weights were loaded into the network, nothing trains it, and the place only uses it."""
    loaded = use.marked("loaded") is not None and use.marked("trained") is None
    return loaded and use.context.only_uses and not parts(verdicts.machine.words(use.loc)) & GENERATORS


def _plain_evaluation(use: Use) -> bool:
    """``evaluate(net, test_loader)`` says by itself that the network is a finished one."""
    return use.context.score >= 3 and use.context.data and use.context.name


def _confidence(verdicts: Verdicts, holding: Holding, use: Use, called: bool) -> Confidence | None:
    if holding.sensitive == "no":
        return None
    if holding.sensitive == "yes":
        return "high"
    finished = use.marked("loaded") is not None and use.context.score >= 4
    strong = (finished or (called and use.context.score >= 2)) and verdicts.program_has_modes(use.path)
    return "medium" if strong else None


def _never_set(verdicts: Verdicts, use: Use, scope: Scope) -> Verdict | None:
    """An evaluating function that nobody calls, beside one that trains the same network, in a file without any eval."""
    machine = verdicts.machine
    if use.context.score < 3 or not verdicts.file_has_modes(use.path) or use.loc.kind != "param":
        return None
    if (
        not isinstance(scope.node, m.Function)
        or use.chain
        or _mentioned(verdicts, Definition(scope.node, scope))
        or _any_eval(machine, use.path)
    ):
        return None
    train = _trained_namesake(machine, use)
    if train is None:
        return None
    holding = machine.holding_with(use.loc, use.parts, scope)
    if holding.sensitive == "no":
        return None
    return verdicts.verdict(use, holding, "medium", [(use.path, train, f"{use.loc.name} is put in training mode here")])


def _mentioned(verdicts: Verdicts, function: Definition) -> bool:
    """Whether any code of the project may name the function: its caller may set the mode in a way that was not understood."""
    name, machine = function.node.name, verdicts.machine
    for file in verdicts.programs.files(function.path):
        for scope in machine.names.scopes(file.path).values():
            for node in own_nodes(scope):
                named = node.id if isinstance(node, m.Name) else node.name if isinstance(node, m.Attr) else ""
                if named == name and isinstance(node, m.Name | m.Attr):
                    meaning = machine.names.resolve(node, scope)
                    if not isinstance(meaning, Definition) or meaning.key == function.key:
                        return True
    return False


def _any_eval(machine: Machine, path: str) -> bool:
    body = machine.names.files[path].body
    return any(isinstance(node, m.Attr) and node.name == "eval" for node in walk(body))


def _trained_namesake(machine: Machine, use: Use) -> int | None:
    for node in walk(machine.names.files[use.path].body):
        if isinstance(node, m.Call) and isinstance(node.func, m.Attr) and node.func.name == "train":
            value = node.func.value
            if isinstance(value, m.Name) and value.id == use.loc.name:
                return node.at
    return None


def not_restored(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN102: the next round of a loop trains in eval mode, because an evaluation at its end left it so."""
    if use.kind != "call" or not use.context.trains or not use.late or not _by_the_loop(use):
        return None
    if use.context.wants_eval:
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    confidence: Confidence | None = (
        "high" if holding.sensitive == "yes" else "medium" if holding.sensitive == "maybe" else None
    )
    if confidence is None:
        return None
    atom = use.late[0]
    way = [(use.path, use.at, "trained here, in the next round of the loop")]
    return verdicts.verdict(use, holding, confidence, way, Step(atom.path, atom.at))


def _by_the_loop(use: Use) -> bool:
    """Eval mode by nothing but the loop itself; before it training mode, or what something unknown made."""
    late = {(atom.path, atom.at) for atom in use.late}
    if words_of(use) == {"train", "eval"}:
        return True
    return words_of(use) <= {"eval", "unknown"} and all(
        atom.how == "called" and (atom.path, atom.at) in late
        if atom.word == "eval"
        else atom.how == "entry" or bool(use.loops and atom.local < use.loops[0])
        for atom in use.mode
    )


def train_in_evaluation(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN104: an evaluation function itself puts the network in training mode."""
    context = use.context
    if (
        use.kind != "call"
        or not context.evaluates
        or not context.name
        or context.function_trains
        or words_of(use) != {"train"}
    ):
        return None
    called = [atom for atom in use.mode if atom.how == "called" and verdicts.inside(use, atom)]
    if not called or use.marked("norms frozen") or verdicts.machine.overrides_train(use.loc, scope):
        return None
    if _asked_for(verdicts.machine, use, min(called)):
        return None
    if not (context.data or context.metric):
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    if holding.sensitive == "no":
        return None
    confidence: Confidence = "high" if holding.sensitive == "yes" else "medium"
    atom = min(called)
    return verdicts.verdict(use, holding, confidence, [(use.path, use.at, "used here")], Step(atom.path, atom.at))


def _asked_for(machine: Machine, use: Use, switch: Atom) -> bool:
    """Whether the function's own parameter decides on the switch: ``if train: net.train()``; its caller wants it so."""
    path, at = use.function
    function = machine.names.scopes(path)[at].node if at >= 0 else None
    if not isinstance(function, m.Function):
        return False
    own = {param.name for param in function.params}
    around = [n for n in walk(function.body) if isinstance(n, m.If) and n.at < switch.at <= Verdicts.range_of(n)[1]]
    told = [n.args for n in walk(function.body) if isinstance(n, m.Call) and n.at == switch.at]
    asked = [node for part in (*(n.test for n in around), *told) for node in walk(part)]
    return any(isinstance(node, m.Name) and node.id in own for node in asked)


def baked_in_train(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN107: what is traced, exported or fused is in training mode."""
    if use.kind != "bake" or words_of(use) != {"train"}:
        return None
    called = [atom for atom in use.mode if atom.how == "called"]
    fuses = "fuse" in use.words
    if (fuses and called) or not (called or use.marked("loaded") or use.marked("trained")):
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    if holding.sensitive != "yes" and not (
        holding.sensitive == "maybe" and called and verdicts.program_has_modes(use.path)
    ):
        return None
    network = verdicts.machine.words(use.loc)
    way = [(atom.path, atom.at, how(atom, network)) for atom in sorted(use.mode)[:1]]
    return verdicts.verdict(use, holding, "high" if holding.sensitive == "yes" else "medium", way)


def teacher_trains(verdicts: Verdicts, use: Use, scope: Scope, _resolved: bool) -> Verdict | None:
    """BN106: a teacher gives targets inside of a training step while it is in training mode."""
    context = use.context
    words = parts(verdicts.machine.words(use.loc))
    if use.kind != "call" or not (context.step and context.no_grad) or not words & TEACHERS or context.meant:
        return None
    holding = verdicts.machine.holding_with(use.loc, use.parts, scope)
    if words_of(use) != {"train"} or holding.sensitive != "yes":
        return None
    network = verdicts.machine.words(use.loc)
    return verdicts.verdict(use, holding, "medium", [(a.path, a.at, how(a, network)) for a in sorted(use.mode)[:1]])


JUDGES: dict[str, Judge] = {
    "eval missing": eval_missing,
    "not restored": not_restored,
    "train in evaluation": train_in_evaluation,
    "baked in train": baked_in_train,
    "teacher trains": teacher_trains,
    "freeze undone": freeze_undone,
    "weights only": frozen_weights_only,
    "quiet part": quiet_part,
}
