"""No text, however odd, brings the pipeline down, and what --fix writes always parses."""

import ast
import warnings

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnlint.examples import EVERYTHING
from bnlint.facts.collect import read_all
from bnlint.repair import repair
from bnlint.rules.table import RULES
from bnlint.run import analyse, report
from bnlint.source import Source

PIECES = [
    "import torch", "import torch.nn as nn", "import torch.nn.functional as F", "import tensorflow as tf", "from tensorflow import keras",
    "import flax.linen as nn", "class Net(nn.Module):", "class Net(keras.Model):", "    def forward(self, x):", "    def __init__(self):",
    "        super().__init__()", "        self.bn = nn.BatchNorm2d(3, momentum=0.99, eps=0.1)", "        return nn.Dropout(0.5)(x)",
    "        return F.dropout(x)", "        return F.batch_norm(x, a, b, training=True)", "    def train(self, mode=True):", "net = Net()",
    "net.eval", "net.eval()", "net.train()", "for x, y in loader:", "    loss = f(net(x), y)", "    loss.backward()", "with torch.no_grad():",
    "    pred = net(x)", "def evaluate(net, loader):", "    net.eval", "y = tf.layers.batch_normalization(x)", "train_op = opt.minimize(loss)",
    "y = tf.layers.batch_normalization(x, training=is_training, momentum=0.1)", "update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)",
    "with tf.control_dependencies(update_ops):", "    train_op = opt.minimize(loss)", "with slim.arg_scope([slim.batch_norm], is_training=True):",
    "    y = slim.batch_norm(x)", "layer = keras.layers.BatchNormalization(momentum=0.1)", "@tf.function", "def train_step(x):",
    "    with tf.GradientTape() as tape:", "        y = model(x)", "if __name__ == '__main__':", "    main()", "lambda: F.dropout(x)",
    "x = [F.dropout(x) for x in y]", "while True: net.eval", "else:", "try:", "except:", "    pass", "# bnlint: ignore[BN103]", "'''", "(", ")",
    "\\", "\t", "é = 'ü'", "async def f(): await g()", "match x:", "    case y: net.eval", "del net", "global net", "return", "yield", "*a, b = c",
    "def f(a, /, b=1, *, c, **d): return F.dropout(a, training=c)", "net = net if x else Net()", "net, opt = make(), 1", "type X = int", "x = f'{net.eval}'",
]  # fmt: skip
TEXTS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PIECES)), max_size=25).map(
    lambda lines: "\n".join("    " * depth + line for depth, line in lines) + "\n"
)
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "max_examples": 150}


def analysed(data, path="a.py"):
    """An analysis of one file in this process."""
    return analyse(read_all([Source(path, data=data)], size_limit=10**6), EVERYTHING, RULES)


def parses(data):
    """Whether Python reads it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(data)
        except (SyntaxError, ValueError):
            return False
    return True


@settings(**QUIET)
@given(TEXTS)
def test_programs_of_likely_lines(text):
    """Rules do not fail (a failure would be a BN901 that says so), and repairs leave a program a program."""
    data = text.encode()
    analysis = analysed(data)
    assert not [f.says for f in analysis.found if "failed" in f.says or "the analysis" in f.says]
    report(analysis, EVERYTHING, RULES)
    fixed = repair(analysis, EVERYTHING, RULES, "unsafe")
    assert parses(fixed.analysis.texts[0].data) or not parses(data)
    assert repair(fixed.analysis, EVERYTHING, RULES, "unsafe").applied.total() == 0


@settings(**QUIET)
@given(st.binary(max_size=300), st.sampled_from(["a.py", "a.ipynb"]))
def test_bytes_of_any_kind(data, path):
    """Whatever lies in a repository under the name of a program."""
    analysis = analysed(b"import torch  # training\n" + data, path)
    report(analysis, EVERYTHING, RULES)
    assert not [f.says for f in analysis.found if "failed" in f.says]
