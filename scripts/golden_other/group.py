"""A manifest with its arrays, and what its makers share."""

import json
import os
import sys
import zipfile

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import tensorflow as tf

FOLDER = sys.argv[1]
KERAS2 = keras.__version__.startswith("2.")
random = np.random.RandomState(31)
layers, losses, metrics, optimizers = keras.layers, keras.losses, keras.metrics, keras.optimizers


def normal(*shape):
    return random.normal(size=shape).astype("float32")


def path(*names):
    full = os.path.join(FOLDER, *names)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    return full


class Group:
    """A manifest and its arrays: one file of them for each case, or one for all."""

    def __init__(self, name, single=True):
        self.name, self.single, self.arrays, self.cases = name, single, {}, []

    def put(self, key, value):
        value = np.asarray(value)
        if value.ndim == 0:
            return {"$scalar": value.item(), "dtype": str(value.dtype)}
        self.arrays[key] = value
        return {"$array": key, "dtype": str(value.dtype), "shape": list(value.shape)}

    def add(self, case, outputs=2e-6, grads=6e-6, **tolerances):
        tolerances = {"outputs": outputs, "grads": grads, **tolerances}
        case["tol"] = {part: {"rtol": 1e-5, "atol": atol} for part, atol in tolerances.items()}
        case["arrays"] = "arrays.npz" if self.single else f"arrays/{case['id']}.npz"
        self.cases.append(case)
        if not self.single:
            np.savez_compressed(path(self.name, case["arrays"]), **self.arrays)
            self.arrays = {}

    def write(self, before=()):
        if self.single:
            np.savez_compressed(path(self.name, "arrays.npz"), **self.arrays)
        lines = ",\n".join(json.dumps(case) for case in [*before, *self.cases])
        with open(path(self.name, "manifest.json"), "w") as file:
            file.write('{"group": "%s", "cases": [\n%s\n]}\n' % (self.name, lines))


def save(model, *names):
    """Saves a model, deflated: what Keras writes is mostly zeros."""
    model.save(path(*names))
    with zipfile.ZipFile(path(*names)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path(*names), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path(*names)


def plain(value):
    return json.loads(json.dumps(keras.saving.serialize_keras_object(value)))


def grad(f, xs, cotangent=None):
    xs = [tf.convert_to_tensor(x) if isinstance(x, np.ndarray) else x for x in xs]
    with tf.GradientTape() as tape:
        for x in xs:
            tape.watch(getattr(x, "value", x))
        y = f(*xs)
        total = tf.reduce_sum(y if cotangent is None else y * cotangent)
    return np.asarray(y), [
        None if g is None else np.asarray(g) for g in tape.gradient(total, [getattr(x, "value", x) for x in xs])
    ]
