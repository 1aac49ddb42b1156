import tensorflow as tf
from tensorflow import keras


def build(inputs):
    base = keras.applications.ResNet50(include_top=False)
    base.trainable = False
    x = base(inputs, training=True)
    return keras.Model(inputs, x)
