import tensorflow as tf
from tensorflow import keras


bn = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
