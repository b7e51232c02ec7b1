"""What the two Kerases make of dtype policies: run by each of them, it writes one file of `testdata/policies`.

    python scripts/golden_policies.py testdata/policies

For each policy and net: the weights at first, predictions, the history of a fit, the weights then. Bits depend on the order
of sums where sums are rounded to sixteen bits, so that a test compares with the tolerance of the type.
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
POLICIES = ["float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float64"]
ROWS, WIDTH = 12, 3
X = np.array([[((i * 7 + j * 5) % 11) * 0.1 for j in range(WIDTH)] for i in range(ROWS)], "float32")
Y = np.array([[((i * 3) % 5) * 0.25] for i in range(ROWS)], "float32")


def numbers(arrays):
    return [np.asarray(array, "float64").ravel().tolist() for array in arrays]


def net(policy, *own, loss, optimizer, metrics=(), labels=Y):
    """Layers of one policy, but for those that name another."""
    keras.utils.set_random_seed(42)
    made = [kind(**{"dtype": policy, **settings}) for kind, settings in own]
    model = keras.Sequential([keras.Input((WIDTH,)), *made])
    model.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))
    out = model.predict(X, verbose=0)
    found = {"dtype": str(out.dtype), "drawn": numbers(model.get_weights()), "predicted": numbers([out])[0]}
    history = model.fit(X, labels, batch_size=5, epochs=3, verbose=0).history
    found["history"] = {name: [float(x) for x in figures] for name, figures in history.items()}
    return found | {"weights": numbers(model.get_weights())}


def dense(units, activation=None, **settings):
    return layers.Dense, {"units": units, "activation": activation, **settings}


def nets(policy):
    truth = np.asarray(Y > 0.4, "int64")
    classes = np.asarray(Y * 4, "int64") % 3
    # Keras 3 refuses to add penalties of sixteen bits to its losses.
    l2 = keras.regularizers.L2(0.01) if policy in ("float32", "mixed_bfloat16", "mixed_float16") else None
    return {
        "regression": net(policy, dense(4, "tanh"), dense(1), loss="mse", optimizer="adam", metrics=["mae"]),
        "binary": net(
            policy, (layers.Rescaling, {"scale": 0.5}), dense(4, "relu"), dense(1, "sigmoid"),
            loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"], labels=truth,
        ),
        "classes": net(
            policy, dense(5, "tanh", kernel_regularizer=l2), dense(3, "softmax"),
            loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(0.1, momentum=0.5), labels=classes,
        ),
        "float32 head": net(
            policy, dense(4, "relu"), dense(1, "sigmoid", dtype="float32"),
            loss="binary_crossentropy", optimizer="adam", labels=truth,
        ),
        "dropout": net(
            policy, dense(8, "relu"), (layers.Dropout, {"rate": 0.5}), dense(1, dtype="float32"),
            loss="mse", optimizer="sgd",
        ),
        "normal": net(
            policy, dense(4, "tanh", kernel_initializer="he_normal"), dense(1, kernel_initializer="random_normal"),
            loss="mae", optimizer="sgd",
        ),
    }


folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
found = {"keras": keras.__version__, **{policy: nets(policy) for policy in POLICIES}}
with open(os.path.join(folder, FLAVOR + ".json"), "w") as file:
    json.dump(found, file, separators=(",", ":"))
    file.write("\n")
