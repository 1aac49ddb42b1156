"""Run graph programs one after the other in one process, each in a graph of its own; what they print tells the measures."""

import runpy
import sys
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework import ops, tensor
from tensorflow.python.ops import cond, control_flow_ops

# tf_slim was written for a TensorFlow in which these were still names of these modules.
ops.Tensor = tensor.Tensor
control_flow_ops.cond = cond.cond
tf.compat.v1.disable_v2_behavior()

for program in sys.argv[1:]:
    print("PROGRAM " + Path(program).stem)
    with tf.Graph().as_default():
        runpy.run_path(program)
