"""What follows for PyTorch programs: which networks have a mode, which object is in which, what is an evaluation."""

from bnlint.project.torch.view import Torch

__all__ = ["Torch"]
