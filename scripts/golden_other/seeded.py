"""What a seed makes: weights, initializers, orders of rows."""

import hashlib
import json

import keras
import numpy as np

from group import KERAS2, layers, path


def sha(values, kind):
    return hashlib.sha256(np.ascontiguousarray(values).astype(kind).tobytes()).hexdigest()


class Order(keras.Sequential):
    """Notes which rows each batch has."""

    def train_step(self, data):
        self.seen.append([int(row) for row in np.asarray(data[0]).ravel()])
        return {"loss": 0.0}


def make_random():
    version = "keras213" if KERAS2 else "keras3"
    weight = lambda w: {
        "shape": list(w.shape),
        "sha256_f32le": sha(w, "<f4"),
        "values": [float(f"{value:.9g}") for value in w.ravel()],
    }
    chain = lambda features, *units: keras.Sequential([keras.Input((features,)), *[layers.Dense(n) for n in units]])
    stories = {
        "3-4-2-5": lambda: [chain(3, 4, 2, 5)],
        "three in a row": lambda: [chain(4, 3), chain(2, 6, 1), chain(4, 3)],
        "dense-dropout-dense": lambda: [
            keras.Sequential([keras.Input((7,)), layers.Dense(3), layers.Dropout(0.2), layers.Dense(2)])
        ],
    }
    models = {}
    for name, story in stories.items():
        keras.utils.set_random_seed(42)
        models[name] = [[weight(w) for w in model.get_weights()] for model in story()]
    cases = []
    for name, args in [
        ("glorot_uniform", {}),
        ("he_normal", {}),
        ("random_normal", {"mean": 0.5, "stddev": 2.0}),
        ("variance_scaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}),
    ]:
        value = np.asarray(
            getattr(keras.initializers, "".join(part.title() for part in name.split("_")))(seed=5, **args)((3, 6))
        )
        cases.append({"initializer": name, "seed": 5, "args": args, **weight(value)})

    def seen(model, rows, **fit):
        model.seen = []
        model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
        model.fit(np.arange(rows, dtype="float32")[:, None], np.zeros(rows), verbose=0, **fit)
        return model.seen

    orders, order = {}, lambda: Order([keras.Input((1,)), layers.Dense(1)])
    for seed, n, size in [(9, 21, 4), (1000, 6, 3)]:
        keras.utils.set_random_seed(seed)
        flat = np.array([row for batch in seen(order(), n, batch_size=size, epochs=3) for row in batch]).reshape(3, n)
        orders[f"seed={seed} n={n}"] = {
            "seed": seed,
            "n": n,
            "batch_size": size,
            "epochs": [{"n": n, "sha256_i64le": sha(e, "<i8"), "values": e.tolist()} for e in flat],
        }
    keras.utils.set_random_seed(11)
    model = order()
    calls = [dict(batch_size=4, epochs=3), dict(batch_size=4, epochs=1, steps_per_epoch=2)]
    orders["fits after one set_random_seed(11), 18 rows"] = [
        {"call": f"fit({call})", "batches": seen(model, 18, **call)} for call in calls
    ]
    for name, value in {"models_seed42": models, "initializers": {"cases": cases}, "shuffle": orders}.items():
        with open(path("random", f"{version}_{name}.json"), "w") as file:
            json.dump(value, file)
