"""What the two Kerases do differently: run by each of them, it writes one file of `testdata/flavors`.

    python scripts/golden_flavors.py testdata/flavors
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

FLAVOR = f"keras{keras.__version__.split('.')[0]}"
ROWS, WIDTH = 12, 3
X = np.array([[((i * 7 + j * 5) % 11) * 0.1 for j in range(WIDTH)] for i in range(ROWS)], "float32")
Y = np.array([[((i * 3) % 5) * 0.25] for i in range(ROWS)], "float32")


def numbers(arrays):
    return [np.asarray(array, "float64").ravel().tolist() for array in arrays]


def line(units=4, dropout=None):
    model = keras.Sequential([keras.Input((WIDTH,))])
    model.add(layers.Dense(units, activation="tanh"))
    if dropout is not None:
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1))
    model.compile(optimizer="adam", loss="mse")
    return model


class Watch(keras.callbacks.Callback):
    """Keeps the loss at the end of each batch, and its number."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, float(logs["loss"])))


def fit(model, x=X, y=Y, **arguments):
    return model.fit(x, y, batch_size=5, verbose=0, **{"epochs": 3, **arguments}).history


def two_models():
    """Two models after one seed, both made before either is trained."""
    keras.utils.set_random_seed(42)
    models = [line(), line(dropout=0.5)]
    return [{"loss": fit(model)["loss"], "weights": numbers(model.get_weights())} for model in models]


def construction_order():
    """A functional model whose layers are made in another order than they are called in."""
    keras.utils.set_random_seed(42)
    last, first = layers.Dense(1), layers.Dense(4, activation="tanh")
    x = keras.Input((WIDTH,))
    model = keras.Model(x, last(first(x)))
    model.compile(optimizer="adam", loss="mse")
    return {"loss": fit(model)["loss"], "first": numbers(first.get_weights()), "last": numbers(last.get_weights())}


def k_folds():
    """A new model for each fold, one seed for all."""
    keras.utils.set_random_seed(7)
    losses = []
    for fold in range(3):
        kept = np.arange(ROWS) % 3 != fold
        model = line(dropout=0.25)
        loss = fit(model, X[kept], Y[kept])["loss"]
        losses.append({"loss": loss, "left_out": model.evaluate(X[~kept], Y[~kept], verbose=0)})
    return losses


def penalises_frozen():
    """The loss of a layer of ones that does not learn, for inputs of 0."""
    dense = layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2", trainable=False)
    model = keras.Sequential([keras.Input((2,)), dense])
    model.compile(loss="mse")
    return float(model.evaluate(np.zeros((2, 2), "float32"), np.zeros(2, "float32"), verbose=0))


def clips_twice():
    """Binary cross-entropy of certain and wrong predictions that no sigmoid made."""
    model = keras.Sequential([keras.Input((1,)), layers.Activation("linear")])
    model.compile(loss=lambda y, p: keras.losses.BinaryCrossentropy()(y, p))
    return float(model.evaluate(np.array([[0.0], [1.0]], "float32"), np.array([1.0, 0.0], "float32"), verbose=0))


def ignoring_hides_logits():
    """The loss of a softmax whose smaller probability rounds to zero, with a class left out."""
    model = keras.Sequential([keras.Input((2,)), layers.Activation("softmax")])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=1))
    return float(model.evaluate(np.array([[0.0, 200.0]], "float32"), np.array([0]), verbose=0))


def rows_run_out():
    """How many epochs there are figures of, and how many steps, if epochs ask for more batches than there are."""
    model = keras.Sequential([keras.Input((WIDTH,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    watch = Watch()
    fit = model.fit(X[:4], Y[:4], batch_size=2, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[watch])
    return {"epochs": len(fit.history["loss"]), "batches": [batch for batch, _ in watch.seen]}


def sorts_figures():
    """The order of a history."""
    model = keras.Sequential([keras.Input((WIDTH,)), layers.Dense(1)])
    model.compile(loss="mse", metrics=["mae", "binary_accuracy"])
    return list(model.fit(X, Y, validation_split=0.25, epochs=1, verbose=0).history)


def order_repeats():
    """Which row each step of three epochs sees first: the loss of one row is its label's square."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, kernel_initializer="zeros", use_bias=False)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    watch = Watch()
    x, y = np.ones((6, 1), "float32"), np.arange(6, dtype="float32")
    model.fit(x, y, batch_size=1, epochs=3, verbose=0, callbacks=[watch])
    return [round(loss**0.5) for batch, loss in watch.seen if batch == 0]


def fuses_normalization():
    """The running variance of images and of rows after a step, without a mask and with one that shows nothing of them."""
    found = []
    for shape in [(4, 3), (2, 2, 3, 2)]:
        x = np.arange(np.prod(shape), dtype="float32").reshape(shape) ** 1.5
        for mask in [None, np.zeros(shape[:-1], "bool")]:
            layer = layers.BatchNormalization(momentum=0.0)
            layer(x, training=True, mask=mask)
            found.append(numbers(layer.get_weights()[2:]))
    return found


CASES = [two_models, construction_order, k_folds, penalises_frozen, clips_twice, ignoring_hides_logits, rows_run_out,
         sorts_figures, order_repeats, fuses_normalization]

if __name__ == "__main__":
    with open(os.path.join(sys.argv[1], f"{FLAVOR}.json"), "w") as file:
        json.dump({case.__name__: case() for case in CASES}, file, indent=1)
        file.write("\n")
