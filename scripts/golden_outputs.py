"""Models of several inputs and outputs, and what losses know of the last activation: run by each of the two Kerases, it
writes one file of figures and one model of `testdata/outputs`.

    python scripts/golden_outputs.py testdata/outputs
"""

import io
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

FLAVOR = f"keras{keras.__version__.split('.')[0]}"
ROWS = 12
A = np.array([[((i * 7 + j * 5) % 11) * 0.1 for j in range(3)] for i in range(ROWS)], "float32")
B = np.array([[(i * 5 + j * 3) % 7 for j in range(2)] for i in range(ROWS)], "int32")
P = np.array([[(i * 3) % 2] for i in range(ROWS)], "float32")
Q = np.array([[((i * 3 + j) % 5) * 0.25 for j in range(2)] for i in range(ROWS)], "float32")
WEIGHTS = np.array([1 + i % 3 for i in range(ROWS)], "float32")
VALIDATION = (slice(0, 5), slice(3, 8))


def fill(model):
    """Weights that need no seed."""
    values = []
    for k, weight in enumerate(model.get_weights()):
        values.append((((np.arange(weight.size) * 7 + k) % 11 - 5) * 0.1).reshape(weight.shape).astype("float32"))
    model.set_weights(values)
    return model


def two_by_two(**compile):
    a, b = keras.Input((3,), name="a"), keras.Input((2,), dtype="int32", name="b")
    hidden = layers.Dense(4, activation="tanh", name="hidden")(a)
    other = layers.Dense(3, activation="tanh", name="other")(layers.Rescaling(0.25, name="scaled")(b))
    p = layers.Dense(1, activation="sigmoid", name="p")(layers.Dense(3, activation="relu", name="before_p")(hidden))
    q = layers.Dense(2, name="q")(other)
    model = fill(keras.Model([a, b], [p, q], name="two_by_two"))
    model.compile(optimizer=keras.optimizers.Adam(0.01), **compile)
    return model


def lists(data, order):
    return [data[name] for name in order]


def run(compile, fit=None, y=("p", "q"), named=True):
    """Figures of a fit and of an evaluation, predictions and weights."""
    model = two_by_two(**compile)
    inputs, labels = {"a": A, "b": B}, {name: {"p": P, "q": Q}[name] for name in y}
    if not named:
        inputs, labels = lists(inputs, "ab"), lists(labels, y)
    fit = dict(fit or {})
    if fit.get("sample_weight") == "one":
        fit["sample_weight"] = WEIGHTS
    if fit.get("sample_weight") == "two":
        fit["sample_weight"] = {"p": WEIGHTS, "q": WEIGHTS[::-1].copy()}
        if not named:
            fit["sample_weight"] = lists(fit["sample_weight"], y)
    if fit.pop("validation", False):
        rows = slice(2, 9)
        take = lambda data: {k: v[rows] for k, v in data.items()} if named else [v[rows] for v in data]
        fit["validation_data"] = (take(inputs), take(labels))
    history = model.fit(inputs, labels, batch_size=5, epochs=3, shuffle=False, verbose=0, **fit).history
    scores = model.evaluate(inputs, labels, batch_size=5, verbose=0, return_dict=True)
    outputs = model.predict(inputs, verbose=0)
    outputs = lists(outputs, ["p", "q"]) if isinstance(outputs, dict) else outputs
    return {
        "history": history,
        "evaluate": scores,
        "predictions": [np.asarray(output, "float64").ravel().tolist() for output in outputs],
        "weights": [np.asarray(weight, "float64").ravel().tolist() for weight in model.get_weights()],
    }


BY_NAME = {
    "loss": {"p": "binary_crossentropy", "q": "mse"},
    "loss_weights": {"p": 0.75, "q": 0.5},
    "metrics": {"p": ["accuracy"], "q": ["mae"]},
}
TRAININGS = {
    "by_name": dict(compile=BY_NAME),
    "by_place": dict(compile={"loss": ["binary_crossentropy", "mse"], "loss_weights": [0.75, 0.5],
                              "metrics": [["accuracy"], ["mae"]]}, named=False),
    "one_loss_for_all": dict(compile={"loss": "mse"}),
    "one_loss_alone": dict(compile={"loss": [None, "mse"], "metrics": [None, ["mae"]]}, y=("p", "q"), named=False),
    "validation_data": dict(compile=BY_NAME, fit={"validation": True}),
    "validation_split": dict(compile=BY_NAME, fit={"validation_split": 0.25}),
    "weights": dict(compile={**BY_NAME, "weighted_metrics": {"q": ["mae"]}}, fit={"sample_weight": "two"}),
    "weights_by_place": dict(compile={"loss": ["mse", "mae"], "weighted_metrics": [["mse"], ["mse"]]},
                             fit={"sample_weight": "two"}, named=False),
}
if FLAVOR == "keras2":
    TRAININGS["metrics_for_all"] = dict(compile={"loss": "mse", "metrics": ["mae"]})


def trainings():
    found = {}
    for name, arguments in TRAININGS.items():
        try:
            found[name] = run(**arguments)
        except Exception as error:
            found[name] = {"refused": str(error).splitlines()[0]}
    return found


def shared_head():
    """The figures of a model whose two outputs are of one layer."""
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    head = layers.Dense(1, name="head")
    model = fill(keras.Model([left, right], [head(left), head(right)]))
    model.compile(loss=["mse", "mae"], optimizer="sgd")
    history = model.fit([A, A[::-1].copy()], [P, P[::-1].copy()], batch_size=5, epochs=1, shuffle=False, verbose=0)
    return {"names": list(model.output_names), "history": history.history}


TAILS = {
    "nothing": [],
    "linear": [lambda: layers.Activation("linear")],
    "dropout": [lambda: layers.Dropout(0.5)],
    "dropout_of_none": [lambda: layers.Dropout(0.0)],
    "flatten": [lambda: layers.Flatten()],
    "rescaling": [lambda: layers.Rescaling(1.0)],
    "model": [lambda: keras.Sequential([keras.Input((2,)), layers.Activation("linear")])],
    "activation": None,
    "doubles": "float64",
}


def logits():
    """The loss behind an activation that is certain of the wrong class, with layers after the activation: small where the
    loss only knows the probability, which it keeps from zero."""
    x = np.array([[40.0, -40.0]], "float32")
    found = {}
    for activation, loss, y in [("sigmoid", "binary_crossentropy", [[0.0, 1.0]]),
                                ("softmax", "categorical_crossentropy", [[0.0, 1.0]]),
                                ("softmax", "sparse_categorical_crossentropy", [[1]])]:
        for name, tail in TAILS.items():
            model = keras.Sequential([keras.Input((2,))])
            if tail is None:
                model.add(layers.Dense(2, use_bias=False, kernel_initializer="identity"))
                model.add(layers.Activation(activation))
            else:
                dtype = tail if isinstance(tail, str) else None
                model.add(layers.Dense(2, use_bias=False, kernel_initializer="identity", activation=activation,
                                       dtype=dtype))
                for layer in [] if isinstance(tail, str) else tail:
                    model.add(layer())
            model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.0), metrics=[loss])
            y_true = np.array(y, "float32")
            seen = [float(figure) for figure in model.evaluate(x, y_true, verbose=0)]
            if name != "dropout":
                seen.append(float(model.train_on_batch(x, y_true)[0]))
            found[f"{loss} {name}"] = seen
    return found


def compile_configs():
    """What a file holds of settings by output."""
    import tempfile
    import zipfile

    found = {}
    for name in ["by_name", "by_place", "one_loss_for_all", "one_loss_alone"]:
        model = two_by_two(**TRAININGS[name]["compile"])
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.keras")
            model.save(path)
            found[name] = json.loads(zipfile.ZipFile(path).read("config.json"))["compile_config"]
    return found


def saved(folder):
    """A file of a model that was trained."""
    model = two_by_two(**BY_NAME)
    model.fit({"a": A, "b": B}, {"p": P, "q": Q}, batch_size=5, epochs=2, shuffle=False, verbose=0)
    model.save(os.path.join(folder, f"{FLAVOR}.keras"))
    return model.fit({"a": A, "b": B}, {"p": P, "q": Q}, batch_size=5, epochs=1, shuffle=False, verbose=0).history


def summaries():
    """Functional summaries as text."""
    found = {}
    for name, make in {"two_by_two": lambda: two_by_two(loss="mse"), "siamese": siamese}.items():
        lines = []
        make().summary(print_fn=lambda line, **_: lines.append(line))
        found[name] = "\n".join(lines)
    return found


def siamese():
    x = keras.Input((3,), name="pixels")
    encoder = keras.Model(x, layers.Dense(2, activation="tanh", name="code")(x), name="encoder")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    head = layers.Dense(1, activation="sigmoid", name="head")
    return keras.Model([left, right], [head(encoder(left)), head(encoder(right))], name="siamese")


CASES = [trainings, shared_head, logits, compile_configs, summaries]

if __name__ == "__main__":
    keras.utils.set_random_seed(1)
    folder = sys.argv[1]
    figures = {case.__name__: case() for case in CASES}
    figures["goes_on"] = saved(folder)
    with io.open(os.path.join(folder, f"{FLAVOR}.json"), "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)
        file.write("\n")
