"""What masks do to losses, metrics and steps: run by either Keras, it writes one file of `testdata/masks`.

    python scripts/golden_masks.py testdata/masks

The net is one of Dense over positions, of which those whose numbers are all zero do not count (`Masking`). For each case:
the weights at first, the figures of three steps, with and without weights of samples, and the weights then.
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
ROWS, STEPS, WIDTH = 6, 4, 3
X = np.array(
    [[[((i * 7 + t * 3 + j * 5) % 11) * 0.1 + 0.1 for j in range(WIDTH)] for t in range(STEPS)] for i in range(ROWS)],
    "float32",
)
# Rows of one to four positions.
for i in range(ROWS):
    X[i, i % STEPS + 1 :] = 0
Y = np.array([[[((i * 3 + t) % 5) * 0.25] for t in range(STEPS)] for i in range(ROWS)], "float32")
TRUTH = (Y > 0.4).astype("float32")
CLASSES = (Y[..., 0] * 4).astype("int64") % 3
WEIGHTS = np.array([[0.5], [1.0], [2.0], [0.0], [1.5], [0.25]], "float32")


def numbers(arrays):
    return [np.asarray(array, "float64").ravel().tolist() for array in arrays]


def case(units, activation, labels, loss, metrics, weighted):
    found = {}
    for name, weights in {"plain": None, "weighted": WEIGHTS}.items():
        keras.utils.set_random_seed(7)
        x = keras.Input((STEPS, WIDTH))
        hidden = layers.Activation("tanh")(layers.Masking()(x))
        model = keras.Model(x, layers.Dense(units, activation)(hidden))
        model.compile("sgd", loss, metrics=metrics(), weighted_metrics=weighted())
        own = {"drawn": numbers(model.get_weights()), "steps": []}
        for rows in [slice(0, 2), slice(2, 4), slice(4, 6)]:
            own["steps"].append(
                model.train_on_batch(
                    X[rows], labels[rows], sample_weight=None if weights is None else weights[rows], return_dict=True
                )
            )
            own["steps"][-1] = {key: float(value) for key, value in own["steps"][-1].items()}
        evaluated = model.evaluate(X, labels, sample_weight=weights, batch_size=4, verbose=0, return_dict=True)
        own["evaluated"] = {key: float(value) for key, value in evaluated.items()}
        found[name] = own | {"weights": numbers(model.get_weights())}
    return found


def none():
    return []


found = {
    "keras": keras.__version__,
    "mse": case(1, None, Y, "mse", lambda: ["mae"], lambda: ["mse"]),
    "sum": case(1, None, Y, keras.losses.MeanAbsoluteError(reduction="sum"), lambda: ["mse"], none),
    "binary": case(
        1, "sigmoid", TRUTH, "binary_crossentropy",
        lambda: ["accuracy", keras.metrics.Precision(name="precision"), keras.metrics.AUC(name="auc")],
        lambda: ["binary_crossentropy", keras.metrics.Recall(name="recall")],
    ),
    "classes": case(3, "softmax", CLASSES, "sparse_categorical_crossentropy", lambda: ["accuracy"], none),
}
with open(os.path.join(sys.argv[1], FLAVOR + ".json"), "w") as file:
    json.dump(found, file, separators=(",", ":"))
    file.write("\n")
