"""Functional models of dense layers, as the Keras that runs this writes them: files, inputs and predictions.

    python scripts/functional_files.py testdata/functional
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

FLAVOR = f"keras{keras.__version__.split('.')[0]}"


def multi_io():
    """Two inputs, two outputs; a layer that both branches share."""
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    first = layers.Dense(2, activation="softmax", name="first")(layers.Dense(5, activation="relu")(a))
    second = layers.Dense(1, name="second")(b)
    return keras.Model([left, right], [first, second], name="multi_io")


def nested_siamese():
    """An encoder that is a model, called twice; one more model inside it."""
    x = keras.Input((3,), name="pixels")
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu", name="narrow")], name="inner")
    encoder = keras.Model(x, layers.Dense(2, activation="tanh", name="code")(inner(x)), name="encoder")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    head = layers.Dense(1, activation="sigmoid", name="head")
    return keras.Model([left, right], [head(encoder(left)), head(encoder(right))], name="siamese")


def coder(name):
    """A model that is a layer of others."""
    x = keras.Input((3,))
    return keras.Model(x, layers.Dense(2, activation="tanh", name=f"{name}_code")(x), name=name)


def calls():
    """Layers and models of both classes that are called several times: the outputs of any call are outputs, or inputs of others."""
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    shared, encoder = layers.Dense(2, name="shared"), coder("encoder")
    line = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="relu", name="narrow")], name="line")
    x = keras.Input((3,))
    around = keras.Model(x, coder("within")(x), name="around")
    first, second = encoder(left), encoder(right)
    third = encoder(layers.Dense(3, name="back")(first))
    outputs = [second, layers.Dense(1, name="head")(third), first]
    for twice in [shared, line, around]:
        a, b = twice(left), twice(right)
        outputs += [layers.Dense(1, name=f"head_of_{twice.name}")(b), a]
        c, d = twice(right), twice(left)
        outputs += [d, layers.Dense(1, name=f"other_head_of_{twice.name}")(c)]
    return keras.Model([left, right], outputs, name="calls")


def second_call():
    """Of two calls of a model only the second is in it."""
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    encoder = coder("encoder")
    encoder(left)
    code = encoder(right)
    return keras.Model(right, [code, layers.Dense(1, name="head")(code)], name="second_call")


def main(folder):
    keras.utils.set_random_seed(11)
    random = np.random.RandomState(5)
    for make in [multi_io, nested_siamese, calls, second_call]:
        model = make()
        inputs = [random.uniform(-1, 1, (4, 3)).astype("float32") for _ in model.inputs]
        outputs = model.predict(inputs, verbose=0)
        name = f"{FLAVOR}__{make.__name__}"
        model.save(os.path.join(folder, f"{name}.keras"))
        arrays = {f"x{i}": x for i, x in enumerate(inputs)} | {f"y{i}": y for i, y in enumerate(outputs)}
        np.savez(os.path.join(folder, f"{name}.npz"), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
