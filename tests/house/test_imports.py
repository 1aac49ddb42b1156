"""Importing is cheap: `import anybn` brings in no array library, `import bnlint.rules` no LibCST."""

import subprocess
import sys

import pytest

ARRAY_LIBRARIES = ("numpy", "torch", "jax", "cupy", "dask", "tensorflow", "numba", "array_api_strict")


def loaded_after(statement):
    """Names of the top-level modules that a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["anybn", "anybn.semantics", "anybn.kernels", "anybn.convert"])
def test_anybn_imports_no_array_library(module):
    """Whoever imports anybn pays for no array library they do not use."""
    assert loaded_after(f"import {module}") & {*ARRAY_LIBRARIES, "libcst"} == set()


@pytest.mark.parametrize("module", ["bnlint", "bnlint.rules", "bnlint.rules.table", "bnlint.finding"])
def test_rules_import_no_libcst(module):
    """Rules, findings and their documentation can be read without the parser."""
    assert loaded_after(f"import {module}") & {*ARRAY_LIBRARIES, "libcst"} == set()


def test_linter_imports_no_framework():
    """The linter never imports the frameworks whose programs it reads."""
    assert loaded_after("import bnlint.run, bnlint.cli") & {*ARRAY_LIBRARIES, "keras", "flax"} == set()


def test_the_check_can_fail():
    """A module that is imported is seen."""
    assert "libcst" in loaded_after("import libcst")


def test_a_run_that_finds_all_in_its_cache_imports_no_analysis(tmp_path):
    """Warm runs are the most frequent ones: importing the rules would be a good part of their time."""
    (tmp_path / "a.py").write_text("import torch\nx = 1\n", encoding="utf-8")
    run = f"from bnlint.cli import main\nmain(['--isolated', '--cache-dir', {str(tmp_path / 'cache')!r}, {str(tmp_path)!r}])"
    names = "\nimport sys\nprint(*[name for name in sys.modules if name.startswith(('bnlint.project', 'bnlint.rules.table', 'anybn'))])"
    done = [
        subprocess.run([sys.executable, "-c", run + names], capture_output=True, text=True, check=True, timeout=120)
        for _ in range(2)
    ]
    first, second = (one.stdout.splitlines()[-1].split() for one in done)
    assert "bnlint.rules.table" in first
    assert second == []
