import tensorflow as tf
from tensorflow import keras


bn = keras.layers.BatchNormalization(momentum=0.1, epsilon=1e-5)
