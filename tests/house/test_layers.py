"""The contract in pyproject.toml names every room, and a room is where the contract says."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = {c["containers"][0]: c["layers"] for c in CONTRACTS if c["type"] == "layers"}


def rooms_on_disk(package):
    """Top-level modules and packages of `package`, without `__init__`."""
    found = {p.stem for p in (ROOT / package).glob("*.py")} | {
        p.parent.name for p in (ROOT / package).glob("*/__init__.py")
    }
    return found - {"__init__"}


def rooms_in_contract(package):
    return {room.strip() for layer in LAYERS[package] for room in layer.split("|")}


@pytest.mark.parametrize("package", ["anybn", "bnlint"])
def test_every_room_is_placed(package):
    """A new room must be given its floor in the contract."""
    assert rooms_on_disk(package) <= rooms_in_contract(package)


@pytest.mark.parametrize("package", ["anybn", "bnlint"])
def test_every_place_has_a_room(package):
    """The contract names no room that does not exist."""
    assert rooms_in_contract(package) <= rooms_on_disk(package)


def test_contract_is_exhaustive():
    """The layers contracts refuse rooms they do not know."""
    assert all(c["exhaustive"] for c in CONTRACTS if c["type"] == "layers")


def test_test_folders_are_no_packages():
    """tests/anybn and tests/bnlint never shadow the packages they test."""
    assert list((ROOT / "tests").glob("**/__init__.py")) == []
