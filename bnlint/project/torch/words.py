"""Words inside names: what a loader, a split, a function or a comment says it is for."""

import re
from dataclasses import dataclass
from functools import lru_cache

from bnlint.facts import model as m
from bnlint.facts.walk import walk
from bnlint.frameworks import torch as table
from bnlint.frameworks.known import NOTHING, Known

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_JOINED = re.compile(
    r"(train|training|val|valid|validation|test|testing|eval|dev)(loader|dataloader|set|dataset|data|iter|gen|generator|batch|batches)"
)


@lru_cache(maxsize=20_000)
def parts(name: str) -> frozenset[str]:
    """Lower-case words of a name: ``valLoader2`` → val, loader, 2; ``testloader`` is also test and loader."""
    words = {word.lower() for word in _PARTS.findall(name)}
    for word in tuple(words):
        joined = _JOINED.fullmatch(word)
        words |= set(joined.groups()) if joined is not None else set()
    return frozenset(words)


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


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of the tables and those that the configuration adds."""

    known: Known = NOTHING

    def of_evaluation_data(self, words: frozenset[str]) -> bool:
        """Whether one of these words names data of an evaluation."""
        return bool(words & table.EVALUATION_DATA) or _among(self.known.evaluation_loaders, words)

    def of_training_data(self, words: frozenset[str]) -> bool:
        """Whether one of these words names training data."""
        return bool(words & table.TRAINING_DATA) or _among(self.known.training_loaders, words)

    def says_evaluation(self, expr: m.Expr) -> bool:
        """Whether data are named as those of an evaluation: ``val_loader``, ``loaders["test"]``; a mixed name says nothing."""
        words = names_in(expr)
        return self.of_evaluation_data(words) and not self.of_training_data(words)

    def says_training(self, expr: m.Expr) -> bool:
        """Whether data are named as training data."""
        words = names_in(expr)
        return self.of_training_data(words) and not self.of_evaluation_data(words)

    def evaluating_words(self, words: frozenset[str]) -> bool:
        """Whether a file is named after an evaluation."""
        named = bool(words & table.EVALUATION_SCRIPTS) or _among(self.known.evaluation_functions, words)
        return named and not words & table.TRAINING_FUNCTIONS

    def evaluating_name(self, name: str) -> bool:
        """Whether a function is named after an evaluation: ``validate``, ``eval_one_epoch``; not ``train_eval``."""
        words = parts(name)
        named = bool(words & table.STRONG_EVALUATION_FUNCTIONS) or _among(self.known.evaluation_functions, words)
        return named and not words & table.TRAINING_FUNCTIONS

    def training_name(self, name: str) -> bool:
        """Whether a function is named after training."""
        words = parts(name)
        evaluates = bool(words & table.EVALUATION_FUNCTIONS) or _among(self.known.evaluation_functions, words)
        return bool(words & table.TRAINING_FUNCTIONS) and not evaluates

    def meant(self, text: str) -> bool:
        """Whether a name or comment says that an unusual mode is on purpose."""
        return self._says(table.INTENT, text)

    def wants_eval(self, text: str) -> bool:
        """Whether a name or comment says that training in eval mode is on purpose."""
        return self._says(table.EVAL_INTENT, text)

    def _says(self, pattern: re.Pattern[str], text: str) -> bool:
        if pattern.search(text) is not None:
            return True
        return any(phrase.lower() in text.lower() for phrase in self.known.intent)


def _among(configured: tuple[str, ...], words: frozenset[str]) -> bool:
    return any(parts(word) <= words for word in configured)
