"""What Keras calls and prints: `python record.py keras3.json`, with Keras 2.13 or 3."""
import contextlib
import io
import json
import os
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import keras

X = np.array([[1.0], [0.5], [0.25], [1.0], [0.5]], "float32")
Y = np.array([[1.0], [0.5], [0.25], [0.0], [1.0]], "float32")
HOOKS = [f"on_{run}_{at}" for run in ("train", "test", "predict") for at in ("begin", "end", "batch_begin", "batch_end")]
HOOKS += ["on_epoch_begin", "on_epoch_end"]


class Recorder(keras.callbacks.Callback):
    """Notes each call: which callback, hook, number, names of figures. May stop at one of them."""

    def __init__(self, name, calls, stop=None, extra=None):
        super().__init__()
        self.name, self.calls, self.stop, self.extra = name, calls, stop, extra
        for hook in HOOKS:
            setattr(self, hook, self.hook(hook))

    def hook(self, hook):
        def call(*args, **kwargs):
            args = list(args) + list(kwargs.values())
            at = next((arg for arg in args if isinstance(arg, int)), None)
            logs = next((arg for arg in args if isinstance(arg, dict)), {})
            keys = [] if "predict" in hook else sorted(logs)
            self.calls.append([self.name, hook, at, keys])
            if hook == "on_epoch_end" and self.extra:
                logs[self.extra] = 1.0
            if self.stop == [hook, at]:
                self.model.stop_training = True

        return call

    def _implements_train_batch_hooks(self):
        return True

    def _implements_test_batch_hooks(self):
        return True

    def _implements_predict_batch_hooks(self):
        return True


def model(rate=0.25):
    layers = [keras.layers.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros", name="only")]
    model = keras.Sequential(layers)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss="mse", metrics=["mae"])
    return model


def fit(callbacks, epochs=2, rate=0.25, y=Y, **kwargs):
    trained = model(rate)
    history = trained.fit(X, y, epochs=epochs, batch_size=2, shuffle=False, verbose=0, callbacks=callbacks, **kwargs)
    return history


def orders():
    found = {}

    def run(name, work):
        found[name] = []
        work(found[name])

    validation = {"validation_data": (X[:3], Y[:3])}
    both = lambda calls: [Recorder("a", calls, extra="extra"), Recorder("b", calls)]
    run("fit", lambda calls: fit(both(calls), **validation))
    stops = [("train_batch_end", 1), ("train_batch_begin", 1), ("epoch_begin", 1), ("epoch_end", 0), ("test_batch_end", 0),
             ("train_begin", None)]
    for hook, at in stops:
        stop = [f"on_{hook}", at]
        run(f"stop {hook}", lambda calls: fit([Recorder("a", calls, stop=stop)], epochs=3, **validation))
    run("evaluate", lambda calls: model().evaluate(X, Y, batch_size=2, verbose=0, callbacks=both(calls)))
    run("predict", lambda calls: model().predict(X, batch_size=2, verbose=0, callbacks=both(calls)))
    return found


def messages():
    callbacks = keras.callbacks
    found = {}

    def run(name, callback, **kwargs):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            fit([callback], **kwargs)
        found[name] = printed.getvalue()

    run("early_stopping", callbacks.EarlyStopping("loss", patience=1, min_delta=10, restore_best_weights=True, verbose=1), epochs=5)
    run("reduce_lr", callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10, min_lr=0.001, verbose=1), epochs=6)
    run("scheduler", callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1), verbose=1))
    run("every", callbacks.ModelCheckpoint("m-{epoch:02d}-{loss:.3f}.keras", verbose=1))
    best = lambda **kwargs: callbacks.ModelCheckpoint("b.weights.h5", save_weights_only=True, save_best_only=True, verbose=1, **kwargs)
    run("best", best(monitor="loss"), epochs=2)
    run("worse", best(monitor="mae", mode="max"), epochs=2)
    run("weights", callbacks.ModelCheckpoint("w.weights.h5", save_weights_only=True, save_freq=2, verbose=1))
    run("terminate", callbacks.TerminateOnNaN(), y=Y * 1e30, epochs=5)
    return found


def files():
    callbacks = keras.callbacks
    found = {}

    def run(name, before, **kwargs):
        fit(before + [callbacks.CSVLogger("log.csv", **kwargs)], validation_data=(X[:2], Y[:2]), validation_freq=2)
        found[name] = open("log.csv", newline="").read()

    run("plain", [])
    run("append", [], append=True)
    run("rates", [callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))], separator=";")
    return found


os.chdir(tempfile.mkdtemp())
result = {"keras": keras.__version__, "orders": orders(), "messages": messages(), "files": files()}
history = fit([keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))], validation_data=(X[:2], Y[:2]))
result["keys"] = list(history.history)
text = json.dumps(result, indent=1)
os.chdir(sys.path[0])
# One call a line.
import re
text = re.sub(r"\[\s+\"([ab])\",\s+", r'["\1", ', text)
text = re.sub(r"(\[\"[ab]\", \"\w+\"),\s+(\w+),\s+\[\s*((?:\"\w+\",?\s*)*)\]\s+\]", lambda m: f"{m[1]}, {m[2]}, [{re.sub(chr(92) + 's+', ' ', m[3]).strip()}]]", text)
open(sys.argv[1], "w").write(text + "\n")
