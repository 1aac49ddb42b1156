"""TensorFlow 1 programs: batch norms and their flags, update ops, train ops, and which files make up one program."""

from bnlint.project.tf1.analysis import Tf1

__all__ = ["Tf1"]
