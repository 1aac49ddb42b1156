"""Seventeen small programs with one mistake each, their corrected twins, and correct idioms that look like mistakes."""

from pathlib import Path

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

PROGRAMS = Path(__file__).parent / "proofs" / "programs" / "small"
# The rule that must see each mistake.
EXPECTED = {
    "call_no_training": "BN202",
    "ema_no_buffers": "BN304",
    "eval_not_called": "BN103",
    "finetune_training_true": "BN207",
    "flax_no_mutable": "BN311",
    "frozen_bn_updates": "BN307",
    "functional_training_true": "BN206",
    "keras_momentum": "BN401",
    "load_no_eval": "BN101",
    "momentum_convention": "BN401",
    "onnx_export_train_mode": "BN107",
    "slim_is_training_default": "BN111",
    "stuck_eval": "BN102",
    "swa_no_update_bn": "BN305",
    "tape_model_no_training": "BN202",
    "tf1_update_ops": "BN301",
    "validate_no_eval": "BN101",
}
# Mistakes that no rule sees yet. The test fails on the day one does, so that the list only shrinks.
NOT_SEEN_YET = {"finetune_training_true"}


def reported(path):
    """Codes that a user sees for one file with the settings a new project has."""
    return [code for _, _, code in found_in({path.name: path.read_text("utf-8")}, RULES, Config(jobs=-1))]


def programs(folder):
    return sorted((PROGRAMS / folder).glob("*.py"))


@pytest.mark.parametrize("path", programs("mistakes"), ids=lambda path: path.stem)
def test_mistake_is_reported(path):
    """Each mistake is reported under its rule; those of the waiting list are not (take them off when they are)."""
    codes = reported(path)
    assert (EXPECTED[path.stem] in codes) != (path.stem in NOT_SEEN_YET), codes


@pytest.mark.parametrize(
    "path", [*programs("corrected"), *programs("idioms")], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_correct_program_is_silent(path):
    """Nothing is reported for a correct program."""
    assert reported(path) == []


def test_programs_are_complete():
    """Each mistake has its twin and its rule, and all are here."""
    assert {p.stem for p in programs("mistakes")} == {p.stem for p in programs("corrected")} == set(EXPECTED)
    assert len(programs("idioms")) == 13
