"""Programs of several files: UPDATE_OPS that another file runs, and searches for batch norms in networks."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
GRAPH = """\
import tensorflow as tf


def net(x, training):
    return tf.layers.dense(tf.layers.batch_normalization(x, training=training), 1)


{graph}
"""
MODULE = """\
x = tf.placeholder(tf.float32, [None, 4])
training = tf.placeholder(tf.bool, [])
loss = tf.reduce_mean(net(x, training))
updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
step = tf.train.AdamOptimizer().minimize(loss)
"""
CLASS = """\
class Model:
    def __init__(self):
        self.x = tf.placeholder(tf.float32, [None, 4])
        self.training = tf.placeholder(tf.bool, [])
        self.loss = tf.reduce_mean(net(self.x, self.training))
        self.bn_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        self.step = tf.train.AdamOptimizer().minimize(self.loss)
"""
RUN = """\
import tensorflow as tf
{imports}

FLAGS = {{"batch_norm": True}}

with tf.Session() as sess:
    for xs in batches():
        sess.run({run}, {{}})
    print(sess.run({loss}, {{}}))
"""
FILES = [
    (MODULE, "from graph import loss, step, updates", "[step, updates]", "loss", True),
    (MODULE, "from graph import *", "[step, updates]", "loss", True),
    (MODULE, "import graph", "[graph.step, graph.updates]", "graph.loss", True),
    (MODULE, "from graph import loss, step", "step", "loss", False),
    (MODULE, "import graph", "graph.step", "graph.loss", False),
    (CLASS, "from graph import Model\n\nmodel = Model()", "[model.step, model.bn_ops]", "model.loss", True),
    (CLASS, "from graph import Model\n\nmodel = Model()", "model.step", "model.loss", False),
]


@pytest.mark.parametrize(("graph", "imports", "run", "loss", "silent"), FILES)
def test_updates_that_another_file_runs_are_run(graph, imports, run, loss, silent):
    """By their name in a module, or as an attribute of the model; read by nobody they are not."""
    files = {"graph.py": GRAPH.format(graph=graph), "run.py": RUN.format(imports=imports, run=run, loss=loss)}
    found = sorted((path, code) for path, _, code in found_in(files, RULES, DEFAULT))
    assert found == ([] if silent else [("graph.py", "BN301"), ("graph.py", "BN302")])


SEARCH = """\
import torch
import torchvision
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(8)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.layers = nn.Sequential(Block(), Block())

{inside}

def freeze(net):
{body}


freeze(Net())
"""
SHALLOW = [
    "for part in net.children():\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()",
    "for name, part in net.named_children():\n    if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):\n        part.eval()",
    "for part in net.children():\n    print(part)\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()",
]
DEEP = [
    "for part in net.modules():\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()",
    "for part in net.children():\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()\n    freeze(part)",
    "for part in net.children():\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()\n    for inner in part.modules():\n        inner.eval()",
    "for part in net.children():\n    if isinstance(part, nn.BatchNorm2d):\n        part.eval()\n    else:\n        deeper(part)",
    "for part in net.children():\n    if isinstance(part, nn.Linear):\n        part.eval()",
    "for part in net.children():\n    if isinstance(part, (nn.BatchNorm2d, nn.Linear)):\n        part.eval()",
    "for part in net.children():\n    if part.training:\n        part.eval()",
]


def searched(body, inside=""):
    """Codes of a program that searches so."""
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    return [code for _, _, code in found_in({"t.py": SEARCH.format(body=indented, inside=inside)}, RULES, DEFAULT)]


@pytest.mark.parametrize("body", SHALLOW)
def test_children_are_one_level_only(body):
    """The batch norms of this network stand deeper."""
    assert len(searched(body)) == 1


@pytest.mark.parametrize("body", DEEP)
def test_a_search_that_goes_deeper_or_is_for_something_else_is_right(body):
    """By recursion, by modules(), or by handing the child on."""
    assert searched(body) == []
