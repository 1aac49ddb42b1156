"""Conditions around a call: on the mode (``if self.training: x = F.dropout(x)``), on the last round of a loop."""

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.project.scopes import Scope
from bnlint.project.torch.words import parts

_MODE_WORDS = frozenset({"training", "is_training", "train", "is_train", "train_mode"})
_LEAVES = (m.Return, m.Raise)


def asks_mode(test: m.Expr) -> bool:
    """Whether a condition looks at the mode: ``self.training``, ``training and p > 0``, ``not is_train``."""
    return any(
        (isinstance(node, m.Attr) and node.name in _MODE_WORDS) or (isinstance(node, m.Name) and node.id in _MODE_WORDS)
        for node in walk(test)
    )


def under_mode_test(call: m.Call, scope: Scope) -> bool:
    """Whether `call`, in the function of `scope`, only runs where a condition on the mode lets it."""
    return _in_block(scope.block, call.at)


def _in_block(block: m.Block, at: int) -> bool:
    before = [statement for statement in block if statement.at <= at]
    if any(_leaves_by_mode(statement) for statement in before[:-1]):
        return True
    return bool(before) and _in_statement(before[-1], at)


def _leaves_by_mode(statement: m.Stmt) -> bool:
    """``if not self.training: return x`` decides for all that follows."""
    return isinstance(statement, m.If) and isinstance(statement.body[-1], _LEAVES) and asks_mode(statement.test)


def _in_statement(statement: m.Stmt, at: int) -> bool:
    if isinstance(statement, m.If) and asks_mode(statement.test) and not _either_way(statement.test):
        if _holds((statement.body, statement.orelse), at):
            return True
    inner = [block for block in _blocks(statement) if block and block[0].at <= at]
    if inner and _in_block(inner[-1], at):
        return True
    return any(_chosen_by_mode(node, at) for node in walk(statement, into_scopes=False))


def _either_way(test: m.Expr) -> bool:
    """``not (parallel and self.training)``: true in all evaluation and in some training, so it decides nothing."""
    return isinstance(test, m.Op) and test.op == "not" and _is_compound(test.args[0]) and _in_evaluation(test) is True


def _is_compound(expr: m.Expr) -> bool:
    return isinstance(expr, m.Op) and expr.op in {"and", "or"}


def _in_evaluation(expr: m.Expr) -> bool | None:
    """What a condition is when the mode is evaluation; None where it depends on something else."""
    if isinstance(expr, m.Attr | m.Name) and asks_mode(expr):
        return False
    if not isinstance(expr, m.Op) or expr.op not in {"not", "and", "or"}:
        return None
    found = [_in_evaluation(arg) for arg in expr.args]
    if expr.op == "not":
        return None if found[0] is None else not found[0]
    decides = expr.op == "or"  # one True makes an "or" true, one False an "and" false
    if decides in found:
        return decides
    return None if None in found else not decides


def _blocks(statement: m.Stmt) -> list[m.Block]:
    if isinstance(statement, m.If | m.For | m.While):
        return [statement.body, statement.orelse]
    if isinstance(statement, m.With):
        return [statement.body]
    if isinstance(statement, m.Try):
        return [statement.body, *(handler.body for handler in statement.handlers), statement.orelse, statement.final]
    return [case.body for case in statement.cases] if isinstance(statement, m.Match) else []


def _chosen_by_mode(node: m.Node, at: int) -> bool:
    """``F.dropout(x) if self.training else x``, ``self.training and F.dropout(x)``."""
    if isinstance(node, m.Choice):
        return asks_mode(node.test) and _holds((node.then, node.other), at)
    return isinstance(node, m.Op) and node.op == "and" and asks_mode(node.args[0]) and _holds(node.args[1:], at)


def _holds(parts: object, at: int) -> bool:
    return any(node.at == at for node in walk(parts))


def last_round(test: m.Expr, loops: list[m.For]) -> bool:
    """Whether a condition holds in the last round of the innermost loop only: ``if i == len(loader) - 1``."""
    if isinstance(test, m.Name):
        return "last" in parts(test.id)
    if not loops or not isinstance(test, m.Op) or test.op not in {"==", ">="} or len(test.args) != 2:
        return False
    counted = {node.id for node in walk(loops[-1].target) if isinstance(node, m.Name)}
    asked = [{node.id for node in walk(arg) if isinstance(node, m.Name)} for arg in test.args]
    repeats = any(isinstance(node, m.Op) and node.op == "%" for node in walk(test))
    fixed = any(isinstance(arg, m.Const) for arg in test.args)
    return not repeats and not fixed and bool(asked[0] & counted) != bool(asked[1] & counted)
