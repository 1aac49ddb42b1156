"""TensorFlow 1: the values that a training flag can take, scopes of arguments, and savers."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

PROGRAM = """\
import sys
import tensorflow as tf

DEBUG = False
{head}

def norm(x, training):
    return tf.layers.batch_normalization(tf.layers.dense(x, 8), training=training)


def train(batches, args):
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.placeholder(tf.float32, [None, 1])
{body}
    loss = tf.losses.mean_squared_error(y, norm(x, {flag}))
    step = tf.train.AdamOptimizer().minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for xs, ys in batches:
            sess.run(step, {{x: xs, y: ys}})
"""
# Flags that are False for somebody, or that are given from outside: the averages are read.
READ = [
    ("", "pass", "tf.placeholder_with_default(True, [])"),
    ("", "pass", "args.training"),
    ("", "pass", "bool(args.training)"),
    ("", "pass", "not args.evaluate"),
    ("", "pass", "len(sys.argv) > 1"),
    ("", "training = tf.placeholder(tf.bool)", "training"),
    ("", "training = args.mode == 'train'", "training"),
    ("", "training = True\n    if args.evaluate:\n        training = False", "training"),
    ("", "pass", "True if args.mode == 'train' else False"),
    ("class Flags:\n    def __init__(self, on):\n        self.on = on\n\n", "flags = Flags(args.on)", "flags.on"),
    ("class Flags:\n    def __init__(self):\n        self.on = len(sys.argv) > 1\n\n", "flags = Flags()", "flags.on"),
    ("", "test = norm(x, False)", "True"),
    ("", "test = norm(x, tf.constant(False))", "tf.constant(True)"),
    ("", "test = norm(x, not True)", "True"),
    ("", "test = norm(x, DEBUG)", "True"),
    ("", "test = norm(x, bool(0))", "bool(1)"),
    ("", "test = norm(x, args.trainable and args.is_training)", "True"),
    ("", "test = norm(x, args.finetune_bn and args.is_training)", "True"),
]
# Flags that are True in every copy: this program never reads the averages.
NEVER_READ = [
    ("", "pass", "True"),
    ("", "pass", "tf.constant(True)"),
    ("", "pass", "not DEBUG"),
    ("", "pass", "bool(1)"),
    ("", "pass", "True if args.fast else True"),
    ("", "training = True", "training"),
    ("", "training = tf.convert_to_tensor(True)", "training"),
    ("", "training = True\n    if args.again:\n        training = not DEBUG", "training"),
    ("class Flags:\n    def __init__(self):\n        self.on = True\n\n", "flags = Flags()", "flags.on"),
    ("", "second = norm(x, True)", "True"),
]


def reported(head, body, flag):
    """Lines on which a user of the default settings sees BN301."""
    text = PROGRAM.format(head=head, body="    " + body, flag=flag)
    return [
        text.splitlines()[n - 1].strip() for _, n, c in found_in({"t.py": text}, RULES, Config(jobs=-1)) if c == "BN301"
    ]


@pytest.mark.parametrize(("head", "body", "flag"), READ)
def test_updates_are_missed_where_a_flag_can_be_false(head, body, flag):
    """Some copy of the norm normalises by the moving averages, which never move."""
    assert reported(head, body, flag) == ["step = tf.train.AdamOptimizer().minimize(loss)"]


@pytest.mark.parametrize(("head", "body", "flag"), NEVER_READ)
def test_updates_are_not_missed_where_every_flag_is_true(head, body, flag):
    """Averages that nobody reads may stand still."""
    assert reported(head, body, flag) == []


GUARDED = """\
import tensorflow as tf


def norm(x, training):
    return tf.layers.batch_normalization(tf.layers.dense(x, 8), training=training)


def build(x, is_training, extra=True):
    depth = tf.layers.dense(x, 1)
    {test}:
        return tf.reduce_mean(depth * norm(x, is_training))
    return depth


def train(x):
    step = tf.train.AdamOptimizer().minimize(build(x, is_training=True))
    with tf.Session() as sess:
        sess.run(step)


def predict(x):
    return build(x, is_training=False)
"""
GUARDS = [
    ("if is_training", False),
    ("if is_training and extra", False),
    ("if not not is_training", False),
    ("if extra", True),
    ("if is_training or extra", True),
    ("if not is_training", False),
    ("if extra:\n        pass\n    if is_training", False),
]


@pytest.mark.parametrize(("test", "missed"), GUARDS)
def test_a_flag_is_what_the_condition_around_it_says(test, missed):
    """Where ``if is_training:`` stands around a norm there is no copy of it in inference mode, whoever passes False."""
    found = found_in({"t.py": GUARDED.format(test=test)}, RULES, Config(jobs=-1))
    assert ("BN301" in {code for *_, code in found}) is missed


SAVED = """\
import tensorflow as tf


def norm(x, training):
    return tf.layers.batch_normalization(tf.layers.dense(x, 8), training=training)


def train(batches):
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.placeholder(tf.float32, [None, 1])
    training = tf.placeholder(tf.bool, [])
    loss = tf.losses.mean_squared_error(y, norm(x, training))
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.AdamOptimizer().minimize(loss)
{saver}
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for xs, ys in batches:
            sess.run(step, {{x: xs, y: ys, training: True}})
        saver.save(sess, 'model.ckpt')
"""
PARTIAL = [
    "saver = tf.train.Saver(tf.trainable_variables())",
    "saver = tf.train.Saver(var_list=tf.trainable_variables())",
    "saver = tf.train.Saver(tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES))",
    "saver = tf.train.Saver(list(tf.trainable_variables()))",
    "saver = tf.train.Saver([v for v in tf.trainable_variables() if 'Adam' not in v.name])",
    "kept = tf.trainable_variables()\nsaver = tf.train.Saver(kept, max_to_keep=3)",
    "kept = sorted(tf.trainable_variables())\nsaver = tf.train.Saver(kept)",
]
WHOLE = [
    "saver = tf.train.Saver()",
    "saver = tf.train.Saver(tf.global_variables())",
    "saver = tf.train.Saver(var_list=None)",
    "saver = tf.train.Saver(tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES))",
    "saver = tf.train.Saver(tf.trainable_variables() + tf.moving_average_variables())",
    "kept = tf.trainable_variables()\nkept += tf.moving_average_variables()\nsaver = tf.train.Saver(kept)",
    "kept = tf.trainable_variables()\nkept.extend(tf.moving_average_variables())\nsaver = tf.train.Saver(kept)",
    "saver = tf.train.Saver({v.op.name: v for v in tf.global_variables()})",
    "saver = tf.train.Saver([v.value() for v in tf.trainable_variables()])",
    "saver = tf.train.Saver(tf.trainable_variables())\nother = tf.train.Saver()",
    "saver = tf.train.Saver(tf.trainable_variables())\ntf.saved_model.simple_save(None, 'out', {}, {})",
]


def saved(saver):
    """Findings of a program that saves in this way."""
    text = SAVED.format(saver="\n".join(f"    {line}" for line in saver.splitlines()))
    return [(text.splitlines()[line - 1].strip(), code) for _, line, code in found_in({"t.py": text}, RULES)]


@pytest.mark.parametrize("saver", PARTIAL)
def test_a_saver_of_trainable_variables_leaves_the_averages_out(saver):
    """However the list of trainable variables was made."""
    assert saved(saver) == [(saver.splitlines()[-1], "BN308")]


@pytest.mark.parametrize("saver", WHOLE)
def test_a_saver_that_may_hold_the_averages_is_no_mistake(saver):
    """Lists that hold more, that grow, or that nobody can read."""
    assert saved(saver) == []
