"""Keras: what a model holds, however and wherever it is built."""

import pytest

from bnlint.config import Config
from bnlint.examples import found_in
from bnlint.rules.table import RULES

DEFAULT = Config(jobs=-1)
PROGRAM = """\
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.layers import *

{head}

def train(x, y, optimizer, args):
    {make}
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
"""
BODY = "def build(width):\n    inputs = keras.Input((4,))\n    h = {layer}(inputs)\n    return keras.Model(inputs, layers.Dense(1)(h))\n"
CLASS = """\
class Net(keras.Model):
    def __init__(self{param}):
        super().__init__()
        self.body = {layer}
        self.head = layers.Dense(1)

    def call(self, x, training=None):
        return self.head(self.body(x, training=training))

"""
ADDED = """\
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = []
        self.parts.append({layer})
        self.body = keras.Sequential()
        self.body.add({layer})

    def call(self, x, training=None):
        return self.body(x, training=training)

"""
BUILT = [
    ("", "model = keras.Sequential([{layer}, layers.Dense(1)])"),
    ("", "model = keras.Sequential()\n    model.add({layer})\n    model.add(layers.Dense(1))"),
    ("", "model = keras.Sequential([{layer}, Dense(1)])"),
    ("", "parts = [{layer}]\n    model = keras.Sequential(parts)"),
    ("", "parts = []\n    parts.append({layer})\n    model = keras.Sequential(parts)"),
    ("", "parts = [layers.Dense(1)]\n    parts += [{layer}]\n    model = keras.Sequential(parts)"),
    ("", "norm = {layer}\n    model = keras.Sequential([layers.Dense(4), norm])"),
    (BODY, "model = build(8)"),
    (BODY, "base = build(8)\n    model = keras.Model(base.inputs, layers.Dense(1)(base.output))"),
    (BODY + "\n\ndef both(width):\n    return build(width), layers.Dense(1)\n", "model, other = both(8)"),
    (BODY + "\n\ndef again(width):\n    return build(width)\n", "model = again(8)"),
    (BODY + "\n\nBUILDER = build\n", "model = BUILDER(8)"),
    (CLASS.replace("{param}", ""), "model = Net()"),
    (ADDED, "model = Net()"),
    (CLASS.replace("{param}", "") + "\nclass Wide(Net):\n    pass\n", "model = Wide()"),
    (CLASS.replace("{layer}", "body").replace("{param}", ", body"), "model = Net({layer})"),
    (CLASS.replace("{layer}", "body").replace("{param}", ", body"), "model = Net(body=keras.Sequential([{layer}]))"),
    (
        CLASS.replace("{param}", "") + "\nclass Holder:\n    def __init__(self):\n        self.net = Net()\n",
        "model = Holder().net",
    ),
    (CLASS.replace("{param}", "") + "\nNETS = Net()\n", "model = NETS"),
    (CLASS.replace("{param}", ""), "model = Net() if args.small else Net()"),
    (CLASS.replace("{param}", ""), "if args.small:\n        model = Net()\n    else:\n        model = Net()"),
]


def reported(head, make, layer):
    """What is found in a program that builds its model so."""
    text = PROGRAM.format(head=head.replace("{layer}", layer), make=make.replace("{layer}", layer))
    return [(text.splitlines()[line - 1].strip(), code) for _, line, code in found_in({"t.py": text}, RULES, DEFAULT)]


FOUND = [("loss = tf.reduce_mean((model(x) - y) ** 2)", "BN202")]


@pytest.mark.parametrize(("head", "make"), BUILT)
def test_a_batch_norm_inside_is_found_however_the_model_is_built(head, make):
    """Lists, functions, classes, attributes; the same program without it has no mistake."""
    assert reported(head, make, "layers.BatchNormalization()") == FOUND
    assert reported(head, make, "layers.LayerNormalization()") == []


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ("layers.Dropout(0.5)", FOUND),
        ("layers.Dropout(rate=0.1)", FOUND),
        ("layers.Dropout(0)", []),
        ("layers.Dropout(rate=0.0)", []),
        ("layers.GaussianNoise(0.1)", FOUND),
        ("layers.ReLU()", []),
        ("BatchNormalization()", FOUND),
        ("ReLU()", []),
    ],
)
def test_layers_that_do_something_only_in_training_count(layer, found):
    """A dropout of nothing does nothing in either mode."""
    assert reported("", "model = keras.Sequential([{layer}, layers.Dense(1)])", layer) == found


@pytest.mark.parametrize(
    "make",
    [
        "model = somewhere.build(args)",
        "model = keras.models.load_model(args.path)",
        "model = None\n    if args.small:\n        model = somewhere.net()",
    ],
)
def test_a_model_that_nobody_can_look_into_says_nothing(make):
    """What it holds is not known."""
    assert reported("import somewhere\n", make, "") == []


WRAPPED = """
import tensorflow as tf
from tensorflow.keras import Sequential, layers


class Wrapper:
    def __init__(self, model):
        self.model = model


def classifier():
    return Wrapper(Sequential([layers.BatchNormalization(), layers.Dense(1)]))


class Agent:
    def __init__(self, policy, optimizer):
        self._wrapped = Wrapper({given})
        self._optimizer = optimizer

    def learn(self, x, y):
        weights = self._wrapped.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self._wrapped.model(x) - y) ** 2)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
"""


@pytest.mark.parametrize(
    ("given", "found"), [("policy.create_model()", []), ("Sequential([layers.BatchNormalization()])", ["BN202"])]
)
def test_what_others_put_into_a_wrapper_says_nothing_of_ours(given, found):
    """A class that holds any model: one that cannot be looked into may hold nothing with a mode."""
    text = WRAPPED.format(given=given)
    assert [code for _, _, code in found_in({"agent.py": text}, RULES, Config(jobs=-1))] == found
