"""bnlint finds batch-norm and train/eval-mode mistakes in TensorFlow, Keras, PyTorch and Flax code, without running it."""

__version__ = "0.1.0"
