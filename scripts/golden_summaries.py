"""The tables of `model.summary()`: run by either Keras, it writes one file of `testdata/summaries`.

    python scripts/golden_summaries.py testdata/summaries

For each model: its JSON, and its tables for several arguments of `summary`.
"""

import contextlib
import io
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ["COLUMNS"] = "80"

import keras
from keras import layers

FLAVOR = f"keras{keras.__version__.split('.')[0]}"
ARGUMENTS = [
    {},
    {"line_length": 100},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 60, "positions": [0.4, 0.7, 0.85, 1.0]},
    {"positions": [0.5, 0.75, 0.9, 1.0], "expand_nested": True},
]
# Only Keras 2 takes columns in characters.
ARGUMENTS += [{"line_length": 80, "positions": [20, 45, 60, 80], "show_trainable": True}] * (FLAVOR == "keras2")


def line():
    x = keras.Input((8,), name="x")
    hidden = layers.Dense(12, name="hidden")(x)
    return keras.Model(x, layers.Dense(1, name="out")(hidden), name="line")


def shared():
    """A layer called twice, and an input that is needed late."""
    early, late = keras.Input((6,), name="early"), keras.Input((4,), name="late")
    code = layers.Dense(4, name="code")
    squeeze = layers.Dense(4, name="a_name_that_does_not_fit_into_its_column", trainable=False)
    deep = layers.Dense(4, name="deep")(squeeze(early))
    return keras.Model([late, early], [code(deep), code(late)], name="shared")


def nested():
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="a"), layers.Dropout(0.5, name="b")], name="inner")
    x = keras.Input((3,), name="pixels")
    encoder = keras.Model(x, layers.Dense(2, name="c")(inner(x)), name="encoder")
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
    tail, head = layers.Dense(1, name="tail"), layers.Dense(1, name="head")
    return keras.Model([left, right], [tail(encoder(left)), head(encoder(right))], name="outer")


def shapes():
    """A layer of which two calls give other shapes."""
    flat = layers.Flatten(name="flat")
    a, b = keras.Input((2, 3), name="a"), keras.Input((4,), name="b")
    return keras.Model([a, b], [flat(a), flat(b)], name="shapes")


def frozen():
    frozen = layers.Dense(3, name="frozen", trainable=False)
    return keras.Sequential(
        [keras.Input((2, 2)), layers.Flatten(name="flat"), frozen, layers.Dropout(0.1, name="drop"), layers.Dense(1000, name="last")],
        name="frozen_part",
    )


def in_line():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="a"), layers.Dense(3, name="b")], name="inner")
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(1, name="last")], name="line_of_models")


def text(model, arguments):
    # Keras 2 changes the list of positions.
    arguments = json.loads(json.dumps(arguments))
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        if FLAVOR == "keras2":
            model.summary(print_fn=lambda line: print(line), **arguments)
        else:
            model.summary(print_fn=lambda line, **_: print(line, end=""), **arguments)
    return lines.getvalue()


found = {"keras": keras.__version__}
for make in [line, shared, nested, shapes, frozen, in_line]:
    model = make()
    try:
        tables = [{"arguments": arguments, "text": text(model, arguments)} for arguments in ARGUMENTS]
    except Exception as error:
        raise SystemExit(f"{make.__name__}: {error}")
    found[make.__name__] = {"json": json.loads(model.to_json()), "tables": tables}
with open(os.path.join(sys.argv[1], FLAVOR + ".json"), "w") as file:
    json.dump(found, file, separators=(",", ":"), ensure_ascii=False)
    file.write("\n")
