"""``bnlint test-rule``: run the examples of rules of your own. This imports their module."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bnlint.examples import check_example
from bnlint.extensions import load_module


def test_rule(modules: Sequence[str]) -> int:
    """Check every example of the rules in `modules`; 0 if all hold."""
    wrong = 0
    for name in modules:
        rules = load_module(name, Path.cwd())
        for rule in rules:
            problems = [problem for example in rule.meta.examples for problem in check_example(rule, example, rules)]
            if not rule.meta.examples:
                problems.append(f"{rule.meta.code}: has no example")
            sys.stdout.writelines(f"{problem}\n" for problem in problems)
            sys.stdout.write(f"{rule.meta.code} {rule.meta.name}: {'FAILED' if problems else 'ok'}\n")
            wrong += len(problems)
    return 1 if wrong else 0
