"""What a repair makes of the proofs' mistaken programs, run under PyTorch: the harm is gone as in the corrected ones."""

import importlib.util
import sys
from pathlib import Path

import pytest

from bnlint.examples import repaired
from bnlint.rules.table import RULES

pytestmark = pytest.mark.proof
PROGRAMS = Path(__file__).parent / "programs"
REPAIRED = (
    "bn101", "bn102", "bn103", "bn104", "bn106", "bn107", "bn108", "bn109", "bn205", "bn206", "bn304", "bn307", "bn308_torch", "bn401_torch",
    "bn402", "bn403", "bn404", "bn405",
)  # fmt: skip


def _load(name, text, folder):
    file = folder / f"{name}_repaired.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _repaired(name):
    text = (PROGRAMS / f"{name}_bad.py").read_text("utf-8")
    texts, notes = repaired({"program.py": text}, RULES, name.split("_")[0].upper())
    assert notes == ()
    assert texts["program.py"] != text
    return texts["program.py"]


@pytest.mark.parametrize("name", REPAIRED)
def test_the_repaired_program_measures_what_the_corrected_one_does(name, measure_torch, tmp_path, monkeypatch):
    """Not the text is compared but what it does."""
    monkeypatch.setattr(sys, "path", [str(PROGRAMS), *sys.path])
    assert _load(name, _repaired(name), tmp_path).measure() == measure_torch(f"{name}_good")


class _Broken:
    """A loader that fails after one batch."""

    def __init__(self, batch):
        self.batch = batch

    def __iter__(self):
        yield self.batch
        raise OSError("the disk is gone")


@pytest.mark.parametrize("training", [True, False])
def test_the_old_mode_comes_back_even_when_the_evaluation_raises(training, tmp_path):
    """BN101: whoever catches the error goes on with the network as it was, in either mode."""
    torch = pytest.importorskip("torch")
    program = _load("bn101", _repaired("bn101"), tmp_path)
    model = program.Net().train(training)
    modes = []
    model.register_forward_hook(lambda module, *_: modes.append(module.training))
    with pytest.raises(OSError, match="disk"):
        program.validate(model, _Broken((torch.zeros(2, 4), torch.zeros(2))))
    assert modes == [False]
    assert model.training is training
    assert model.bn.training is training
