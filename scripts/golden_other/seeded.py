"""What a seed makes: weights, initializers, orders of rows, masks, plain numbers, splits."""

import hashlib
import json
import random as python_random

import keras
import numpy as np
import sklearn.model_selection as selection
import tensorflow as tf

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
        "dropout-dense-dense-dropout-dense": lambda: [
            keras.Sequential(
                [
                    keras.Input((3,)),
                    layers.Dropout(0.1),
                    *[layers.Dense(4), layers.Dense(2), layers.Dropout(0.4), layers.Dense(5)],
                ]
            )
        ],
        "conv": lambda: [
            keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 2), layers.Flatten(), layers.Dense(2)])
        ],
        "gru": lambda: [keras.Sequential([keras.Input((4, 3)), layers.GRU(2), layers.Dense(1)])],
    }
    models = {"note": "set_random_seed(77), then the named models built one after another"}
    for name, story in stories.items():
        keras.utils.set_random_seed(77)
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
    files = {"models_seed42": models, "initializers": {"cases": cases}, "shuffle": orders}
    for name, value in {**files, "dropout": masks(), "stateless": stateless(weight)}.items():
        write(f"{version}_{name}", value)
    if not KERAS2:
        write("numpy_legacy", {seed: numpy_legacy(seed) for seed in [3, 77, 4294967295]})
        write("python_random", {seed: plain_python(seed) for seed in [5, 99, -12, 2**35 + 1]})
        write("sklearn_splits", splits())


def write(name, value):
    with open(path("random", f"{name}.json"), "w") as file:
        json.dump(value, file)


class Note(layers.Layer):
    """Notes which numbers are not zero when the graph runs."""

    def __init__(self, add, **kwargs):
        super().__init__(**kwargs)
        self.add = add

    def call(self, x):
        def note(x):
            self.add("".join("1" if value else "0" for value in x.ravel()))
            return x

        y = tf.numpy_function(note, [x], tf.float32)
        y.set_shape(x.shape)
        return tf.stop_gradient(y) + x * 0.0


class Ones(layers.Layer):
    """What the layers before gave does not matter."""

    def call(self, x):
        return tf.ones_like(x)


def masks():
    found = {"note": "keep masks of Dropout(p1), Dropout(p2), Dense(1) after set_random_seed(1234)"}
    for rates in [(0.4, 0.1), (0.6, 0.25)]:
        keras.utils.set_random_seed(1234)
        seen, stack = [[], []], [keras.Input((3,))]
        for rate, list in zip(rates, seen):
            stack += [layers.Dropout(rate), Note(list.append), Ones()]
        model = keras.Sequential([*stack, layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse")
        for epochs in [2, 1]:
            model.fit(
                np.ones((11, 3), "float32"), np.ones((11, 1)), batch_size=4, epochs=epochs, shuffle=False, verbose=0
            )
        found["p1={} p2={}".format(*rates)] = {f"dropout{i + 1}": list for i, list in enumerate(seen)}
    for call, layer in {
        "direct calls layer(ones(5,3), training=True)": lambda: layers.Dropout(0.5),
        "direct calls, Dropout(0.2, seed=31)": lambda: layers.Dropout(0.2, seed=31),
    }.items():
        keras.utils.set_random_seed(1234)
        layer = layer()
        drop = lambda: np.asarray(layer(np.ones((5, 3), "float32"), training=True)).ravel()
        found[call] = ["".join("1" if value else "0" for value in drop()) for _ in range(4)]
    return found


def stateless(entry):
    cases = []
    for seed, shape in [((7, 3), (5,)), ((-4, 2**40), (3, 7)), ((0, 0), (259,)), ((2**31, 1), (2, 2, 2, 3))]:
        of = lambda name: entry(getattr(tf.random, f"stateless_{name}")(shape, seed).numpy())
        whole = lambda low, high: tf.random.stateless_uniform(shape, seed, low, high, tf.int32).numpy().ravel()
        bounds = [(-5, 1000), (0, 3), (-(2**31), 2**31 - 1)]
        cases.append(
            {
                "seed": seed,
                "shape": shape,
                **{name: of(name) for name in ["uniform", "normal", "truncated_normal"]},
                **{
                    f"int32_{low}_{high}": {
                        "sha256_i32le": sha(whole(low, high), "<i4"),
                        "first": whole(low, high)[:6].tolist(),
                    }
                    for low, high in bounds
                },
            }
        )
    return {"stateless": cases}


def order(rows):
    return {"n": len(rows), "sha256_i64le": sha(rows, "<i8"), "values": [int(row) for row in rows]}


def numpy_legacy(seed):
    state = lambda: np.random.RandomState(seed)
    return {
        "randint_2_32": [int(v) for v in state().randint(0, 2**32, 8, dtype="int64")],
        "random_sample": state().random_sample(6).tolist(),
        "randn": state().randn(9).tolist(),
        "randint_0_100": state().randint(0, 100, 12).tolist(),
        "permutation": {n: order(state().permutation(n)) for n in [1, 4, 19, 130]},
    }


def plain_python(seed):
    new = lambda: python_random.Random(seed)
    times = lambda n, draw: [draw() for _ in range(n)]
    words, seeds, ops, floats = new(), new(), new(), new()
    return {
        "words": times(8, lambda: words.getrandbits(32)),
        "keras_seeds": times(16, lambda: seeds.randint(1, 10**9)),
        "op_seeds": times(8, lambda: ops.randint(0, 2**31 - 1)),
        "floats": times(4, floats.random),
    }


def splits():
    plain, stratified, folds = [], [], []
    for n, options in [
        (37, {"test_size": 0.3, "random_state": 5}),
        (90, {"test_size": 17, "random_state": 0}),
        (25, {"train_size": 0.4, "random_state": 1}),
        (61, {"test_size": 0.15, "train_size": 0.5, "random_state": 123456}),
        (12, {"test_size": 0.25, "shuffle": False}),
        (50, {"random_state": 9}),
    ]:
        train, test = selection.train_test_split(np.arange(n), **options)
        plain.append({"n": n, "test_size": None, **options, "train": order(train), "test": order(test)})
        plain[-1].setdefault("train_size", None)
        plain[-1].setdefault("random_state", None)
    draw = np.random.RandomState(8)
    for n, kinds, options in [
        (40, 3, {"test_size": 0.25, "random_state": 6}),
        (23, 2, {"test_size": 6, "random_state": 0}),
        (66, 5, {"train_size": 0.5, "test_size": 0.3, "random_state": 77}),
    ]:
        labels = draw.randint(0, kinds, n)
        train, test = selection.train_test_split(np.arange(n), stratify=labels, **options)
        rows = {"train": train.tolist(), "test": test.tolist()}
        stratified.append({"labels": labels.tolist(), **options, **rows})
    for n, k, kinds, seed in [(17, 4, 2, 11), (17, 4, 2, None), (33, 5, 3, 2), (8, 2, 2, 0)]:
        labels = draw.randint(0, kinds, n)
        options = {"n_splits": k, "shuffle": seed is not None, "random_state": seed}
        tests = lambda kind: [t.tolist() for _, t in kind(**options).split(np.zeros(n), labels)]
        folds.append(
            {
                "n": n,
                "k": k,
                "shuffle": seed is not None,
                "random_state": seed,
                "labels": labels.tolist(),
                "kfold_tests": tests(selection.KFold),
                "stratified_tests": tests(selection.StratifiedKFold),
            }
        )
    return {"train_test_split": plain, "stratified": stratified, "kfold": folds}
