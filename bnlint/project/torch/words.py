"""Words inside names: what a loader, a split, a function or a comment says it is for."""

import re
from functools import lru_cache

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import torch as table

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=20_000)
def parts(name: str) -> frozenset[str]:
    """Lower-case words of a name: ``valLoader2`` → val, loader, 2."""
    return frozenset(word.lower() for word in _PARTS.findall(name))


def names_in(expr: m.Expr) -> frozenset[str]:
    """Words of every name, attribute and short string below an expression."""
    found: set[str] = set()
    for node in walk(expr):
        if isinstance(node, m.Name):
            found |= parts(node.id)
        elif isinstance(node, m.Attr):
            found |= parts(node.name)
        elif isinstance(node, m.Const) and isinstance(node.value, str) and len(node.value) < 20:
            found |= parts(node.value)
    return frozenset(found)


def says_evaluation(expr: m.Expr) -> bool:
    """Whether data are named as those of an evaluation: ``val_loader``, ``loaders["test"]``; a mixed name says nothing."""
    words = names_in(expr)
    return bool(words & table.EVALUATION_DATA) and not words & table.TRAINING_DATA


def says_training(expr: m.Expr) -> bool:
    """Whether data are named as training data."""
    words = names_in(expr)
    return bool(words & table.TRAINING_DATA) and not words & table.EVALUATION_DATA


def evaluating_name(name: str) -> bool:
    """Whether a function is named after an evaluation: ``validate``, ``eval_one_epoch``; not ``train_eval``."""
    words = parts(name)
    return bool(words & table.STRONG_EVALUATION_FUNCTIONS) and not words & table.TRAINING_FUNCTIONS


def training_name(name: str) -> bool:
    """Whether a function is named after training."""
    words = parts(name)
    return bool(words & table.TRAINING_FUNCTIONS) and not words & table.EVALUATION_FUNCTIONS


def meant(text: str) -> bool:
    """Whether a name or comment says that an unusual mode is on purpose."""
    return table.INTENT.search(text) is not None
