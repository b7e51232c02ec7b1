"""Trainings of some epochs, and saved models."""

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np

from group import KERAS2, Group, layers, losses, normal, optimizers, path, save


class Watch(keras.callbacks.Callback):
    """Weights and figures after the first steps."""

    def on_train_begin(self, logs=None):
        self.weights, self.logs = [], []

    def on_train_batch_end(self, batch, logs=None):
        if len(self.logs) < 4:
            self.weights.append(self.model.get_weights())
            self.logs.append({key: float(value) for key, value in logs.items()})


def make_training():
    group, dense = Group("training", single=False), layers.Dense
    x, v = normal(37, 5), normal(15, 5)
    line, bit, kind = (
        (lambda x: x[:, :1] * 0.5 - x[:, 1:2]),
        (lambda x: (x.sum(1, keepdims=True) > 0).astype("float32")),
        (lambda x: x[:, :4].argmax(1)),
    )
    pictures = normal(23, 4, 3)
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    held = dict(kernel_regularizer=keras.regularizers.L1(0.01), kernel_constraint=keras.constraints.MaxNorm(0.9))
    adam, sgd, rmsprop = optimizers.Adam, optimizers.SGD, optimizers.RMSprop
    early = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 2, "restore_best_weights": True}}
    plateau = {
        "class": "ReduceLROnPlateau",
        "kwargs": {"monitor": "val_loss", "factor": 0.2, "patience": 1, "min_delta": 0.01},
    }
    rates = {"class": "LearningRateScheduler", "rates": [0.05, 0.01, 0.02]}
    impatient = {"class": "EarlyStopping", "kwargs": {"monitor": "val_loss", "patience": 0, "mode": "max"}}
    cases = [
        ("one_layer", [dense(1)], line, sgd(0.03), "mse", dict(metrics=["mae"]), dict(epochs=3, batch_size=7)),
        (
            "four_kinds",
            [dense(11, activation="tanh"), dense(4)],
            kind,
            adam(0.01),
            logits,
            dict(metrics=["accuracy"]),
            dict(epochs=4, batch_size=6, validation_split=0.2),
        ),
        (
            "three_deep",
            [dense(6, activation="relu"), dense(3, activation="sigmoid"), dense(1, activation="sigmoid")],
            bit,
            rmsprop(0.01, momentum=0.5),
            "binary_crossentropy",
            dict(metrics=["accuracy"]),
            dict(epochs=3, batch_size=10, validation_data=True, class_weight={"0": 1.5, "1": 0.5}),
        ),
        (
            "held_down",
            [dense(9, activation="relu", name="first", **held), dense(1, name="last")],
            line,
            sgd(0.05, momentum=0.9, nesterov=True),
            "mae",
            dict(weighted_metrics=["mse"]),
            dict(epochs=5, initial_epoch=1, batch_size=37, sample_weight=True),
        ),
        (
            "stops",
            [dense(20, activation="relu"), dense(1)],
            line,
            adam(0.15),
            "mse",
            {},
            dict(epochs=30, batch_size=5, validation_data=True, callbacks=[early]),
        ),
        (
            "slower",
            [dense(8, activation="tanh"), dense(1)],
            line,
            sgd(0.4),
            "mse",
            {},
            dict(epochs=7, batch_size=8, validation_data=True, callbacks=[plateau]),
        ),
        (
            "scheduled",
            [dense(2, activation="relu"), dense(1)],
            line,
            sgd(0.5),
            "mse",
            {},
            dict(epochs=3, batch_size=9, callbacks=[rates]),
        ),
        (
            "own_layer",
            [dense(7), layers.ELU(alpha=0.7), dense(4, activation="softmax")],
            lambda x: np.eye(4, dtype="float32")[kind(x)],
            adam(0.02),
            "categorical_crossentropy",
            dict(metrics=["accuracy"]),
            dict(epochs=3, batch_size=12),
        ),
        (
            "pictures",
            [layers.Flatten(), layers.Rescaling(0.25), dense(10, activation="relu"), dense(3)],
            lambda x: x[:, 0].argmax(1),
            adam(),
            logits,
            dict(metrics=["sparse_categorical_accuracy"]),
            dict(epochs=2, batch_size=4),
        ),
        (
            "two_callbacks",
            [dense(4, activation="relu"), dense(1)],
            line,
            adam(0.03),
            "mse",
            dict(metrics=["mae"]),
            dict(epochs=3, batch_size=8, callbacks=[rates, impatient], validation_data=True),
        ),
        ("other_optimizer", [dense(3), dense(1)], line, optimizers.Adagrad(), "mse", {}, dict(epochs=1, batch_size=8)),
        (
            "other_layer",
            [dense(3), layers.BatchNormalization(), dense(1)],
            line,
            sgd(),
            "mse",
            {},
            dict(epochs=1, batch_size=8),
        ),
    ]
    for id, stack, target, optimizer, loss, compile, fit in cases:
        data = pictures if id == "pictures" else x
        model = keras.Sequential([keras.Input(data.shape[1:]), *stack], name=f"net_{id}")
        save(model, "training", "files", f"{id}.keras")
        initial = model.get_weights()
        case = {
            "id": id,
            "model_file": f"files/{id}.keras",
            "fit": {"shuffle": False, **fit},
            "initial_weights": [group.put(f"initial.{i}", w) for i, w in enumerate(initial)],
        }
        model.compile(optimizer=optimizer, loss=loss, **compile)
        case["compile"] = json.loads(json.dumps(model.get_compile_config()))
        parts = {
            "x": data,
            "y": target(data),
            **({"val_x": v, "val_y": target(v)} if fit.pop("validation_data", False) else {}),
        }
        parts.update({"sample_weight": np.abs(normal(len(data)))} if fit.pop("sample_weight", False) else {})
        case["data"] = {key: group.put(f"data.{key}", part) for key, part in parts.items()}
        make = lambda c: (
            keras.callbacks.LearningRateScheduler(lambda epoch: c["rates"][epoch])
            if "rates" in c
            else getattr(keras.callbacks, c["class"])(**c["kwargs"])
        )
        watch, callbacks = Watch(), [make(c) for c in fit.pop("callbacks", [])]
        weights = {int(key): value for key, value in fit.pop("class_weight", {}).items()} or None
        validation = (parts["val_x"], parts["val_y"]) if "val_x" in parts else None
        history = model.fit(
            data,
            parts["y"],
            sample_weight=parts.get("sample_weight"),
            class_weight=weights,
            validation_data=validation,
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks, watch],
            **fit,
        )
        case.update(
            weights_after_step=[group.put(f"steps.{i}", np.stack(w)) for i, w in enumerate(zip(*watch.weights))],
            logs_after_step=watch.logs,
            weights_end=[group.put(f"end.{i}", w) for i, w in enumerate(model.get_weights())],
            predictions_end=group.put("predictions", model.predict(data, verbose=0)),
            history={key: [float(value) for value in values] for key, values in history.history.items()},
            history_keys_in_order=list(history.history),
            epochs_run=history.epoch,
            evaluate={
                key: float(value)
                for key, value in model.evaluate(data, parts["y"], batch_size=64, verbose=0, return_dict=True).items()
            },
        )
        group.add(case, steps=3e-6, end=2e-5, history=1e-5)
    group.write()


def datasets(file):
    with zipfile.ZipFile(file) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as tree:
        found = []
        tree.visititems(
            lambda name, item: found.append([name, list(item.shape)]) if isinstance(item, h5py.Dataset) else None
        )
        return sorted(found)


def make_models():
    group, dense, version = Group("models", single=False), layers.Dense, "keras2" if KERAS2 else "keras3"
    pictures, rows = normal(9, 6, 4), normal(13, 5)
    bits, kinds, line = (rows.sum(1) > 0).astype("int64"), pictures.sum(2).argmax(1) % 3, rows[:, :1]
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    cases = [
        (
            "narrow",
            [dense(3, activation="tanh", name="in"), dense(1, activation="sigmoid", name="out")],
            rows,
            bits,
            dict(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"]),
        ),
        (
            "pictures",
            [layers.Flatten(), dense(10, activation="relu"), dense(6, activation="relu"), dense(3)],
            pictures,
            kinds,
            dict(optimizer="rmsprop", loss=logits, metrics=["accuracy"]),
        ),
        (
            "line",
            [dense(1, use_bias=False)],
            rows,
            line,
            dict(optimizer=optimizers.SGD(0.1, momentum=0.9), loss="mse", metrics=["mae"]),
        ),
        ("one_weight", [dense(1, use_bias=False)], rows, line, dict(optimizer="sgd", loss="mse")),
        (
            "idle_momenta",
            [dense(3, activation="tanh"), dense(1)],
            rows,
            line,
            dict(optimizer=optimizers.SGD(0.02, weight_decay=0.01), loss="mae"),
        ),
        (
            "only_predicts",
            [layers.Rescaling(0.1), dense(4, activation="softmax"), layers.Dropout(0.4)],
            rows,
            None,
            None,
        ),
        ("normalizes", [dense(4), layers.BatchNormalization(), dense(2)], rows, None, None),
        (
            "other_training",
            [dense(4), dense(1)],
            rows,
            line,
            dict(optimizer="adagrad" if KERAS2 else "lion", loss="mse"),
        ),
    ]
    for name, stack, x, y, compile in cases:
        id = f"{version}__{name}"
        model = keras.Sequential([keras.Input(x.shape[1:]), *stack], name=f"model_{name}")
        if compile:
            model.compile(**compile)
            for _ in range(3):
                model.train_on_batch(x, y)
        file = save(model, "models", "files", f"{id}.keras")
        model = keras.models.load_model(file)
        told = []
        model.summary(print_fn=lambda line, **_: told.append(line))
        total = lambda w: {
            "shape": list(w.shape),
            "dtype": "float32",
            "sum": float(np.sum(w, dtype="float64")),
            "abs_sum": float(np.sum(np.abs(w), dtype="float64")),
        }
        case = {
            "id": id,
            "saved_by": f"keras {keras.__version__}",
            "files": {"keras": {"file": f"files/{id}.keras", "h5_datasets": datasets(file)}},
            "inputs": group.put("x", x),
            "predictions": group.put("predictions", model.predict(x, verbose=0)),
            "summary": "\n".join(told),
            "weights": [{"path": w.name if KERAS2 else w.path, **total(w.numpy())} for w in model.weights],
        }
        if compile and name != "other_training":
            plain_logs = lambda logs: {key: float(value) for key, value in logs.items()}
            case.update(
                targets=group.put("y", y),
                evaluate_batch_size=4,
                evaluate=plain_logs(model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)),
            )
            model, logs = keras.models.load_model(file), []
            for _ in range(2):
                model.reset_metrics()
                logs.append(plain_logs(model.train_on_batch(x, y, return_dict=True)))
            case["resume"] = {"logs": logs, "predictions_after": group.put("resume", model.predict(x, verbose=0))}
        group.add(case, evaluate=2e-6, resume=5e-6)
    manifest = path("models", "manifest.json")
    before = json.load(open(manifest))["cases"] if os.path.exists(manifest) else []
    group.write([case for case in before if not case["id"].startswith(version)])
