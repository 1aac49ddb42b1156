import tensorflow as tf
from tensorflow import keras


class M(keras.Model):
    def __init__(self):
        super().__init__()
        self.bn = keras.layers.BatchNormalization()
        self.d = keras.layers.Dense(1)

    @tf.function
    def step(self, x, y, opt):
        with tf.GradientTape() as t:
            p = self.d(self.bn(x, training=True))
            loss = tf.reduce_mean((p - y) ** 2)
        g = t.gradient(loss, self.trainable_variables)
        opt.apply_gradients(zip(g, self.trainable_variables))
