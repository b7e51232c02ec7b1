"""What is printed: arrays, numbers, summaries, progress."""

import io
import json
import os
import sys
import time

import keras
import numpy as np

from group import KERAS2, Group, layers, normal, path, random

VERSION = "keras2" if KERAS2 else "keras3"


class Screen(io.StringIO):
    """A terminal or a pipe."""

    def __init__(self, terminal):
        super().__init__()
        self.isatty = lambda: terminal


def printed(work, terminal=False):
    out, sys.stdout = sys.stdout, Screen(terminal)
    try:
        work()
        return sys.stdout.getvalue()
    finally:
        sys.stdout = out


def make_numbers(group):
    single = lambda *shape: (normal(*shape) * random.choice([1e-3, 1.0, 40.0])).astype("float32")
    arrays = {
        "row": single(23),
        "column": single(7, 1),
        "cube": single(2, 3, 2),
        "probabilities": (1 / (1 + np.exp(-normal(9, 1) * 4))).astype("float32"),
        "wide": single(3, 40),
        "long": single(1203, 1),
        "magnitudes": (10.0 ** random.uniform(-7, 9, 11)).astype("float32"),
        "doubles": random.normal(size=(3, 5)) * 1e3,
        "small_doubles": 10.0 ** random.uniform(-12, -3, 6),
        "whole_floats": random.randint(-90, 900, (4, 3)).astype("float32"),
        "special": np.array([np.nan, 1.5, -np.inf, 0.0], "float32"),
        "counts": random.randint(-5000, 12, (3, 4)),
        "narrow_counts": random.randint(-70, 70, 9).astype("int32"),
        "bytes": random.randint(0, 256, (5, 6)).astype("uint8"),
        "flags": random.rand(3, 2) > 0.5,
        "one": single(1),
        "scalar_row": single(1, 1),
    }
    for name, array in arrays.items():
        id = f"{VERSION}__shown_{name}"
        group.cases.append(
            {
                "id": id,
                "kind": "numpy print",
                "array": group.put(f"{id}/a", array),
                "str": str(array),
                "arrays": group.file,
            }
        )
    for n in range(3):
        values = [float(v) for v in random.normal(size=9) * 10.0 ** random.randint(-9, 20, 9)] + [0.1 * n, 7.0, -1e-4]
        group.cases.append(
            {
                "id": f"{VERSION}__doubles_{n}",
                "kind": "python print",
                "numpy": np.__version__,
                "values": values,
                "repr": [repr(v) for v in values],
                "percent_2f": ["%.2f" % v for v in values],
                "percent_4f": ["%.4f" % v for v in values],
                "percent_4e": ["%.4e" % v for v in values],
                "percent_g": ["%g" % v for v in values],
                "arrays": group.file,
            }
        )
        floats = (normal(8) * 10.0 ** random.randint(-6, 8, 8)).astype("float32")
        group.cases.append(
            {
                "id": f"{VERSION}__singles_{n}",
                "kind": "python print",
                "numpy": np.__version__,
                "str_each": [str(v) for v in floats],
                "as_python_float": [repr(float(v)) for v in floats],
                "format_4f": [f"{v:.4f}" for v in floats],
                "tolist": str(floats.tolist()),
                "arrays": group.file,
            }
        )
        history = {key: [float(v) for v in np.abs(normal(4))] for key in ["loss", "mae", "val_loss"][: n + 1]}
        group.cases.append(
            {
                "id": f"{VERSION}__figures_{n}",
                "kind": "python print",
                "history": history,
                "str": str(history),
                "arrays": group.file,
            }
        )


def make_summaries(group):
    dense = layers.Dense
    stacks = {
        "narrow": [keras.Input((3,)), dense(5), dense(2)],
        "with_a_long_name": [
            keras.Input((70,)),
            dense(1300, name="a_layer_whose_name_is_rather_long_for_a_table"),
            dense(4),
        ],
        "pictures": [
            keras.Input((9, 7)),
            layers.Rescaling(0.1),
            layers.Flatten(),
            dense(31),
            layers.Dropout(0.1),
            dense(3),
        ],
        "held": [keras.Input((6,)), dense(4, trainable=False), layers.BatchNormalization(), dense(2, use_bias=True)],
    }
    options = [
        {},
        {"line_length": 72},
        {"line_length": 110},
        {"show_trainable": True},
        {"positions": [0.3, 0.6, 0.8, 1.0]},
    ]
    for name, stack in stacks.items():
        model = keras.Sequential(stack, name=name)
        for i, kwargs in enumerate(options):
            text = printed(lambda: model.summary(**kwargs))
            group.cases.append(
                {
                    "id": f"{VERSION}__table_{name}_{i}",
                    "kind": "summary",
                    "architecture": name,
                    "model_json": json.loads(model.to_json()),
                    "kwargs": kwargs,
                    "printed_to_a_pipe": text,
                    "arrays": group.file,
                }
            )


def make_progress(group):
    def add(id, text, terminal, **more):
        file = f"progress/{VERSION}__{id}.bin"
        with open(path(group.name, file), "w", newline="") as out:
            out.write(text)
        group.cases.append(
            {
                "id": f"{VERSION}__{id}",
                "kind": "progress output",
                "file": file,
                "terminal": terminal,
                **more,
                "arrays": group.file,
            }
        )

    x, y = normal(53, 4), (normal(53) > 0).astype("float32")
    early = lambda: [keras.callbacks.EarlyStopping("loss", patience=0, min_delta=9.0, verbose=1)]
    runs = {
        "fit": lambda m, v: m.fit(x, y, epochs=3, batch_size=6, verbose=v),
        "fit_checked": lambda m, v: m.fit(x, y, epochs=2, batch_size=9, validation_split=0.3, verbose=v),
        "fit_stopped": lambda m, v: m.fit(x, y, epochs=5, verbose=v, callbacks=early()),
        "evaluate": lambda m, v: m.evaluate(x, y, batch_size=5, verbose=v),
        "predict": lambda m, v: m.predict(x, batch_size=4, verbose=v),
    }
    for name, run in runs.items():
        for kind, verbose, terminal in [
            ("pipe", 1, False),
            ("tty", 1, True),
            ("line", 2, False),
            ("verbose0", 0, False),
        ]:
            if terminal and name == "fit_stopped":
                continue
            model = keras.Sequential(
                [keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(1, "sigmoid")]
            )
            model.compile(optimizer="sgd", loss="binary_crossentropy", metrics=["accuracy", "mae"])
            add(f"{name}_{kind}", printed(lambda: run(model, verbose), terminal), terminal)
    for name, target, steps, kwargs, keys in [
        ("thirteen", 13, 13, {}, ["loss", "mae"]),
        ("open", None, 6, {}, ["loss"]),
        ("dozens", 48, 48, {}, ["loss", "accuracy", "auc"]),
        ("lines", 4, 4, {"verbose": 2}, ["loss", "mse"]),
        ("as_given", 5, 5, {"stateful_metrics": ["mae"]}, ["loss", "mae"]),
        ("bare", 8, 8, {}, []),
    ]:
        values = [[[key, float(abs(v))] for key, v in zip(keys, normal(len(keys)))] for _ in range(steps)]
        for terminal in [False, True]:
            clock = [100.0]
            real, time.time = time.time, lambda: clock[0]

            def run():
                bar = keras.utils.Progbar(target, **kwargs)
                for step in range(steps):
                    clock[0] += 0.25
                    bar.update(step + 1, values[step])
                if target is None:
                    clock[0] += 0.25
                    bar.update(steps, finalize=True)

            try:
                text = printed(run, terminal)
            finally:
                time.time = real
            about = {"target": target, "steps": steps, "kwargs": kwargs, "values": values, "clock_step": 0.25}
            add(f"bar_{name}_{'tty' if terminal else 'pipe'}", text, terminal, progbar=about)


def make_tools():
    group = Group("datasets-and-tools")
    group.file = f"arrays.{VERSION}.npz"
    make_numbers(group)
    if not KERAS2:
        make_summaries(group)
    make_progress(group)
    manifest = path(group.name, "manifest.json")
    before = json.load(open(manifest))["cases"] if os.path.exists(manifest) else []
    np.savez_compressed(path(group.name, group.file), **group.arrays)
    cases = [*(case for case in before if not case["id"].startswith(VERSION)), *group.cases]
    with open(manifest, "w") as file:
        file.write('{"group": "%s", "cases": [\n%s\n]}\n' % (group.name, ",\n".join(map(json.dumps, cases))))
