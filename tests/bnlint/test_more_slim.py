"""TensorFlow 1: scopes of arguments, names of TensorFlow bound in unusual ways, and models side by side."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)


def reported(files, config=DEFAULT):
    """What is found: the line's text, and the code."""
    return [(files[path].splitlines()[line - 1].strip(), code) for path, line, code in found_in(files, RULES, config)]


STEP = "return tf.train.AdamOptimizer().minimize(loss)"
MISSED = [(STEP, "BN301")]

SLIM = """\
import tensorflow as tf
import tensorflow.contrib.slim as slim

{scope}

def block(x):
    return slim.conv2d(x, 8, 3, normalizer_fn=slim.batch_norm)


class Block:
    def __call__(self, x):
        return slim.conv2d(x, 8, 3, normalizer_fn=slim.batch_norm)


{net}

def train(x, y):
    loss = tf.losses.sparse_softmax_cross_entropy(y, net(x, True))
    return tf.train.AdamOptimizer().minimize(loss)


def evaluate(x):
    with tf.Session() as sess:
        return sess.run(net(x, False))
"""
IN_BLOCK = """\
def net(x, is_training):
    with slim.arg_scope([slim.batch_norm], is_training=is_training{more}):
        {body}
"""
SCOPED = [
    ("", "return block(x)"),
    ("", "return Block()(x)"),
    ("", "return slim.conv2d(x, 8, 3, normalizer_fn=slim.batch_norm)"),
    (", decay=0.9", "with tf.variable_scope('a') as a:\n            return block(x)"),
]


@pytest.mark.parametrize(("more", "body"), SCOPED)
def test_an_arg_scope_gives_its_flag_to_the_norms_below(more, body):
    """Where they stand, in functions that are called there, and in objects that are made there."""
    files = {"net.py": SLIM.format(scope="", net=IN_BLOCK.format(more=more, body=body))}
    assert reported(files) == MISSED
    in_place = SLIM.format(scope="", net=IN_BLOCK.format(more=more + ", updates_collections=None", body=body))
    assert reported({"net.py": in_place}) == []


RETURNED = """\
def scope(is_training{param}):
    with slim.arg_scope([slim.batch_norm], is_training=is_training{more}) as sc:
        {end}
"""
ENTERED = """\
def net(x, is_training):
    with slim.arg_scope(scope(is_training)):
        return block(x)
"""
ENDS = [
    "return sc",
    "with slim.arg_scope([slim.conv2d], stride=1) as inner:\n            return inner",
    "yield",
]


@pytest.mark.parametrize("end", ENDS)
def test_an_arg_scope_that_a_function_gives_back_is_entered_anywhere(end):
    """slim's own networks are written so."""
    files = {"net.py": SLIM.format(scope=RETURNED.format(param="", more="", end=end), net=ENTERED)}
    assert reported(files) == MISSED
    in_place = RETURNED.format(param="", more=", updates_collections=None", end=end)
    assert reported({"net.py": SLIM.format(scope=in_place, net=ENTERED)}) == []


def test_an_arg_scope_with_hidden_arguments_may_say_that_updates_run_in_place():
    """``**more`` is not known, so nothing is sure."""
    hidden = RETURNED.format(param=", **more", more=", **more", end="return sc")
    assert reported({"net.py": SLIM.format(scope=hidden, net=ENTERED)}) == []


def test_an_arg_scope_of_another_network_says_nothing_of_this_one():
    """A block that this network's norms are not built in."""
    other = "def other(x):\n    with slim.arg_scope([slim.batch_norm], updates_collections=None):\n        return x\n\n"
    net = "def net(x, is_training):\n    return slim.batch_norm(x, is_training=is_training)\n"
    assert reported({"net.py": SLIM.format(scope=other, net=net)}) == MISSED


PARAMS = """\
def net(x, is_training):
    {params}
    with slim.arg_scope([slim.conv2d], normalizer_fn=slim.batch_norm, normalizer_params={given}):
        return slim.conv2d(x, 8, 3)
"""
WAITING = [
    ("params = {'is_training': is_training, 'decay': 0.9}", "params"),
    ("params = dict(is_training=is_training)", "params"),
    ("base = {'decay': 0.9}\n    params = {**base, 'is_training': is_training}", "params"),
    ("pass", "{'is_training': is_training, 'updates_collections': tf.GraphKeys.UPDATE_OPS}"),
    ("pass", "{'is_training': is_training, 'updates_collections': 'update_ops'}"),
]
IN_PLACE = [
    ("params = {'is_training': is_training, 'updates_collections': None}", "params"),
    ("params = dict(is_training=is_training, updates_collections=None)", "params"),
    ("base = {'updates_collections': None}\n    params = {**base, 'is_training': is_training}", "params"),
    ("params = {'is_training': is_training, **x.params}", "params"),
    ("params = dict(x.params, is_training=is_training)", "params"),
    ("params = make(is_training)", "params"),
    ("pass", "{'is_training': is_training, 'updates_collections': 'my_updates'}"),
]


@pytest.mark.parametrize(("params", "given"), WAITING)
def test_parameters_of_a_normalizer_are_read_from_the_dictionary(params, given):
    """A literal, ``dict(…)``, or one made of another."""
    assert reported({"net.py": SLIM.format(scope="", net=PARAMS.format(params=params, given=given))}) == MISSED


@pytest.mark.parametrize(("params", "given"), IN_PLACE)
def test_parameters_that_are_unknown_or_update_in_place_are_no_mistake(params, given):
    """``updates_collections=None`` moves the averages with every forward pass."""
    assert reported({"net.py": SLIM.format(scope="", net=PARAMS.format(params=params, given=given))}) == []


NAMED = """\
{imports}


def net(x, is_training{param}):
    {norm}


def train(x, y):
    loss = tf.losses.sparse_softmax_cross_entropy(y, net(x, True))
    return tf.train.AdamOptimizer().minimize(loss)


def evaluate(x):
    with tf.Session() as sess:
        return sess.run(net(x, False))
"""
TF = "import tensorflow as tf"
NAMES = [
    ("import tensorflow.compat.v1 as tf", "", "return tf.layers.batch_normalization(x, training=is_training)"),
    (f"{TF}\ntf = tf.compat.v1", "", "return tf.layers.batch_normalization(x, training=is_training)"),
    (
        f"try:\n    import tensorflow.compat.v1 as tf\nexcept ImportError:\n    {TF}",
        "",
        "return tf.layers.batch_normalization(x, training=is_training)",
    ),
    (f"{TF}\nlayers = tf.layers", "", "return layers.batch_normalization(x, training=is_training)"),
    (f"{TF}\nnorm = tf.layers.batch_normalization", "", "return norm(x, training=is_training)"),
    (TF, ", norm=tf.layers.batch_normalization", "return norm(x, training=is_training)"),
    (
        TF,
        "",
        """if x.fast:
        norm = tf.layers.batch_normalization
    else:
        norm = tf.layers.batch_normalization
    return norm(x, training=is_training)""",
    ),
    (
        f"{TF}\nfrom functools import partial",
        "",
        "norm = partial(tf.layers.batch_normalization, training=is_training)\n    return norm(x)",
    ),
    (TF, "", "norm = tf.layers.BatchNormalization()\n    return norm(x, training=is_training)"),
    (TF, "", "norm = tf.layers.BatchNormalization()\n    return norm.apply(x, training=is_training)"),
    (TF, "", "return tf.layers.BatchNormalization()(x, is_training)"),
]


@pytest.mark.parametrize(("imports", "param", "norm"), NAMES)
def test_a_norm_is_known_by_whatever_name_it_has(imports, param, norm):
    """Aliases, defaults of parameters, names bound in two branches, objects."""
    assert reported({"net.py": NAMED.format(imports=imports, param=param, norm=norm)}) == MISSED


OWN = [
    ("import tensorflow as tf\nimport mylib", "return mylib.layers.batch_normalization(x, training=is_training)"),
    (TF, "norm = tf.layers.BatchNormalization(trainable=False)\n    return norm(x, training=is_training)"),
    (TF, "return tf.layers.batch_normalization(x, training=is_training, trainable=False)"),
    (TF, "tf2 = x.library\n    return tf2.layers.batch_normalization(x, training=is_training)"),
    (TF, "for norm in x.norms:\n        x = norm(x, training=is_training)\n    return x"),
]


@pytest.mark.parametrize(("imports", "norm"), OWN)
def test_what_is_no_norm_of_tensorflow_or_is_frozen_waits_for_nothing(imports, norm):
    """Somebody else's functions, and layers that do not train."""
    assert reported({"net.py": NAMED.format(imports=imports, param="", norm=norm)}) == []


TWO = """\
import tensorflow as tf


def net(x, training):
    return tf.layers.dense(tf.layers.batch_normalization(x, training=training), 1)


{updates}class First:
    def fit(self, x):
        loss = tf.reduce_mean(net(x, True))
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            return tf.train.AdamOptimizer().minimize(loss)


class Second:
    def fit(self, x):
        loss = tf.reduce_mean(net(x, True))
        {step}

    def evaluate(self, x):
        with tf.Session() as sess:
            return sess.run(net(x, False))
"""


def test_each_of_two_models_wires_its_own_updates():
    """What the first class runs is not what the second one trains."""
    assert reported({"net.py": TWO.format(updates="", step=STEP)}) == MISSED


def test_a_function_that_both_models_call_wires_both():
    """The one that reads the collection builds no train op of its own."""
    shared = (
        "def with_updates(loss):\n    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):\n"
        "        return tf.identity(loss)\n\n\n"
    )
    step = "return tf.train.AdamOptimizer().minimize(with_updates(loss))"
    assert reported({"net.py": TWO.format(updates=shared, step=step)}) == []
