"""TensorFlow 1 programs as people lay them out: conditions around norms, ways to run the updates, flags, savers."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES


def lines_of(files, code, config=None):
    """Lines, as texts, on which `code` is reported."""
    found = found_in(files, RULES, config) if config is not None else found_in(files, RULES)
    return [files[path].splitlines()[line - 1].strip() for path, line, other in found if other == code]


GUARDED = """\
import tensorflow as tf


def block(x, filters, {params}, training=False):
    h = tf.layers.conv2d(x, filters, 3)
{norm}
    return tf.nn.relu(h)


def net(x, is_training):
    h = block(x, 8, {args})
    return tf.layers.dense(tf.layers.flatten(h), 10)


def train(x, y):
    loss = tf.losses.sparse_softmax_cross_entropy(y, net(x, True))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer().minimize(loss)
"""
IF = "    if {test}:\n        h = tf.layers.batch_normalization(h, training=training)"
ELSE = "    if {test}:\n        h = tf.layers.bias_add(h)\n    else:\n        h = tf.layers.batch_normalization(h, training=training)"
CHOICE = "    h = tf.layers.batch_normalization(h, training=training) if {test} else h"
OTHER = "    h = h if {test} else tf.layers.batch_normalization(h, training=training)"

MET = [
    (IF, "use_bn", "use_bn=True", ""),
    (IF, "use_bn", "use_bn=False", "use_bn=True"),
    (IF, "not plain", "plain=False", ""),
    (IF, "bn and act", "bn=True, act=1", ""),
    (IF, "bn or act", "bn=False, act=1", ""),
    (IF, "norm == 'batch'", "norm='batch'", ""),
    (IF, "norm != 'none'", "norm='none'", "'batch'"),
    (IF, "norm is not None", "norm=None", "'batch'"),
    (IF, "norm", "norm=None", "tf.nn.relu"),
    (IF, "norm", "norm=None", "lambda v: v"),
    (IF, "tf.executing_eagerly()", "bn=True", ""),
    (ELSE, "plain", "plain=False", ""),
    (CHOICE, "bn", "bn=True", ""),
    (OTHER, "plain", "plain=True", "plain=False"),
]
NOT_MET = [
    (IF, "use_bn", "use_bn=False", ""),
    (IF, "use_bn", "use_bn=True", "use_bn=False"),
    (IF, "not plain", "plain=True", ""),
    (IF, "not plain", "plain=True", "plain=x.plain"),
    (IF, "bn and act", "bn=True, act=0", ""),
    (IF, "bn and act", "bn=True, act=0", "act=x.act"),
    (IF, "bn or act", "bn=False, act=0", ""),
    (IF, "norm == 'batch'", "norm='group'", ""),
    (IF, "norm == 'batch'", "norm='batch'", "norm=x.norm"),
    (IF, "norm is not None", "norm=None", ""),
    (IF, "norm", "norm=None", "norm=pick(x)"),
    (IF, "norm in ('batch', 'instance')", "norm='batch'", ""),
    (ELSE, "plain", "plain=True", ""),
    (CHOICE, "bn", "bn=True", "bn=False"),
    (OTHER, "plain", "plain=True", ""),
]


def guarded(norm, test, params, args):
    """A program whose block has its norm under a condition."""
    text = GUARDED.format(params=params, args=args, norm=norm.format(test=test))
    return {"net.py": text.replace(", )", ")")}


@pytest.mark.parametrize(("norm", "test", "params", "args"), MET)
def test_a_flag_is_missed_where_the_call_reaches_the_norm(norm, test, params, args):
    """The condition in front of the norm is met by this call, so its training flag matters."""
    assert lines_of(guarded(norm, test, params, args), "BN201") == [f"h = block(x, 8, {args})".replace(", )", ")")]


@pytest.mark.parametrize(("norm", "test", "params", "args"), NOT_MET)
def test_no_flag_is_missed_where_the_norm_may_be_off(norm, test, params, args):
    """The condition is not met, or nobody knows: then the call may well do without a flag."""
    assert found_in(guarded(norm, test, params, args), RULES) == []


def test_a_method_has_its_condition_in_its_own_parameters():
    """``self`` is no argument of the call."""
    text = """\
import tensorflow as tf


class Net:
    def block(self, x, use_bn, training=False):
        h = tf.layers.conv2d(x, 8, 3)
        if use_bn:
            h = tf.layers.batch_normalization(h, training=training)
        return h

    def build(self, x, is_training):
        h = self.block(x, False)
        h = self.block(h, True)
        return h


def train(x, y):
    loss = tf.losses.mean_squared_error(y, Net().build(x, True))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return tf.train.AdamOptimizer().minimize(loss)
"""
    assert lines_of({"net.py": text}, "BN201") == ["h = self.block(h, True)"]


# --- what becomes of UPDATE_OPS ---

WIRED = """\
import itertools
import tensorflow as tf

KEY = tf.GraphKeys.UPDATE_OPS


def net(x, training):
    h = tf.layers.batch_normalization(tf.layers.dense(x, 8), training=training)
    return tf.layers.dense(h, 1)


def train(batches):
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.placeholder(tf.float32, [None, 1])
    training = tf.placeholder(tf.bool, [])
    loss = tf.losses.mean_squared_error(y, net(x, training))
    optimizer = tf.train.AdamOptimizer()
{wiring}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for xs, ys in batches:
            sess.run({run}, {{x: xs, y: ys, training: True}})
        print(sess.run(loss, {{x: xs, y: ys, training: False}}))
"""
READ = "tf.get_collection(tf.GraphKeys.UPDATE_OPS)"
UNDER = "with tf.control_dependencies({0}):\n    step = optimizer.minimize(loss)"
RUN = [
    (f"updates = {READ}\n" + UNDER.format("updates"), "step"),
    ("updates = tf.get_collection(KEY)\n" + UNDER.format("updates"), "step"),
    ("updates = tf.get_collection('update_ops')\n" + UNDER.format("updates"), "step"),
    ("updates = tf.get_collection(key=KEY, scope='net')\n" + UNDER.format("updates"), "step"),
    (UNDER.format(f"[loss] + {READ}"), "step"),
    (UNDER.format(f"[tf.group(*{READ})]"), "step"),
    (UNDER.format(f"[op for op in {READ}]"), "step"),
    (UNDER.format(f"{READ}[1:]"), "step"),
    (UNDER.format(f"list(set({READ}))"), "step"),
    (UNDER.format(f"{READ} if batches else []"), "step"),
    (f"deps = []\ndeps.extend({READ})\n" + UNDER.format("deps"), "step"),
    (f"deps = []\nfor op in {READ}:\n    deps.append(op)\n" + UNDER.format("deps"), "step"),
    (f"deps = [loss]\ndeps += {READ}\n" + UNDER.format("deps"), "step"),
    (f"step = optimizer.minimize(loss)\nupdates = {READ}", "[step, updates]"),
    (f"step = optimizer.minimize(loss)\nstep = tf.group(step, {READ})", "step"),
    (f"step = optimizer.minimize(loss)\nupdates = {READ}\nprint(len(updates))", "[step] + updates"),
    (f"with tf.control_dependencies({READ}):\n    loss = tf.identity(loss)\nstep = optimizer.minimize(loss)", "step"),
    (f"with tf.control_dependencies({READ}):\n    loss = loss + 0.0\nstep = optimizer.minimize(loss)", "step"),
    ("step = tf.contrib.slim.learning.create_train_op(loss, optimizer)", "step"),
    ("step = tf.contrib.layers.optimize_loss(loss, None, 0.1, optimizer)", "step"),
    ("updates = tf.get_collection(KEY if batches else 'losses')\n" + UNDER.format("updates"), "step"),
]
NOT_RUN = [
    f"updates = {READ}\nstep = optimizer.minimize(loss)",
    f"updates = {READ}\nprint(updates)\nstep = optimizer.minimize(loss)",
    f"print(len({READ}))\nstep = optimizer.minimize(loss)",
    f"{READ}\nstep = optimizer.minimize(loss)",
    f"assert {READ}\nstep = optimizer.minimize(loss)",
    f"if {READ}:\n    print('batch norm')\nstep = optimizer.minimize(loss)",
    f"found = {READ} == []\nstep = optimizer.minimize(loss)",
    f"deps = []\ndeps.extend({READ})\nstep = optimizer.minimize(loss)",
    f"both = list({READ}) + [loss]\nstep = optimizer.minimize(loss)",
    "losses = tf.get_collection('losses')\nstep = optimizer.minimize(loss)",
    "losses = tf.get_collection('my_' + 'losses')\nstep = optimizer.minimize(loss)",
    "losses = tf.get_collection(tf.GraphKeys.LOSSES)\nwith tf.control_dependencies(losses):\n    step = optimizer.minimize(loss)",
]


def wired(wiring, run="step"):
    """A program that runs, or does not run, the updates in this way."""
    indented = "\n".join(f"    {line}" for line in wiring.splitlines())
    return {"train.py": WIRED.format(wiring=indented, run=run)}


@pytest.mark.parametrize(("wiring", "run"), RUN)
def test_updates_that_are_run_in_any_way_are_no_mistake(wiring, run):
    """Under control dependencies, in a group, or by the session itself."""
    assert found_in(wired(wiring, run), RULES) == []


@pytest.mark.parametrize("wiring", NOT_RUN)
def test_updates_that_are_only_looked_at_are_not_run(wiring):
    """Reading the collection moves nothing."""
    assert lines_of(wired(wiring), "BN301", Config(jobs=-1)) == ["step = optimizer.minimize(loss)"]
