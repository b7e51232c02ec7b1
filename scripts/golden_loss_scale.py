"""What the two Kerases make of a loss whose scale finds itself: run by each of them, it writes its part of `testdata/loss_scale`.

    python scripts/golden_loss_scale.py testdata/loss_scale

Of each training: the settings of the optimizer, and after each step on one batch the loss, the weights, the number of steps,
the scale and its counter. A batch of labels that are too large, times the weight of the loss, makes gradients infinite. Where
a training has a file, it was saved in the middle, and what comes after that is the training of the model loaded from it.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers, optimizers

KERAS2 = keras.__version__.startswith("2.")
FLAVOR = "keras2" if KERAS2 else "keras3"
FOLDER = sys.argv[1]
Scaled = keras.mixed_precision.LossScaleOptimizer
X = np.array([[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0], [0.125, 0.5]], "float32")
Y = np.array([[1.0], [-0.5], [0.25], [2.0]], "float32")


def net(policy="float32", **settings):
    start = keras.initializers.Constant
    first = layers.Dense(2, activation="tanh", kernel_initializer=start(0.9), dtype=policy, **settings)
    return keras.Sequential([layers.Input((2,)), first, layers.Dense(1, kernel_initializer=start(0.25), dtype=policy)])


def step(model, label):
    loss = float(model.train_on_batch(X, Y * label))
    optimizer = model.optimizer
    numbers = lambda arrays: [np.asarray(array, "float64").ravel().tolist() for array in arrays]
    found = {"label": label, "loss": loss if np.isfinite(loss) else None, "weights": numbers(model.get_weights())}
    # Where gradients are gathered, `iterations` are not those of batches.
    found["iterations"] = int(np.asarray(optimizer.iterations if KERAS2 else optimizer.inner_optimizer._iterations))
    scale, counter = (optimizer.loss_scale, optimizer.dynamic_counter) if KERAS2 else (optimizer.dynamic_scale, optimizer.step_counter)
    return found | {"scale": float(np.asarray(scale)), "counter": int(np.asarray(counter))}


def training(name, model, optimizer, labels, saved_after=None, weight=100.0):
    model.compile(optimizer=optimizer, loss="mse", loss_weights=[weight])
    settings = {"class": type(model.optimizer).__name__, "config": model.optimizer.get_config()}
    steps = []
    for i, label in enumerate(labels):
        if i == saved_after:
            path = os.path.join(FOLDER, f"{FLAVOR}__{name}.keras")
            model.save(path)
            model = keras.models.load_model(path)
        steps.append(step(model, label))
    return settings | {"steps": steps, "saved_after": saved_after}


def main():
    keras.utils.set_random_seed(1)
    far, schedule = 1e38, optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    held = {"kernel_constraint": keras.constraints.MaxNorm(0.5), "kernel_regularizer": keras.regularizers.L2(0.01)}
    found = {"keras": keras.__version__}
    found["grows"] = training(
        "grows", net(**held), Scaled(optimizers.SGD(0.001, momentum=0.5), initial_scale=4.0, dynamic_growth_steps=2),
        [far, 1.0, 1.0, 1.0, far, 1.0, 1.0], saved_after=4,
    )
    found["falls"] = training("falls", net(), Scaled(optimizers.SGD(0.001), initial_scale=3.0), [1.0, far, far, far, 1.0])
    found["by a schedule"] = training(
        "schedule", net(),
        Scaled(optimizers.Adam(schedule, clipnorm=0.5, weight_decay=0.05, use_ema=True, ema_overwrite_frequency=3),
               initial_scale=3.0, dynamic_growth_steps=3),
        [1.0, far, 1.0, 1.0, 1.0, 1.0],
    )
    if not KERAS2:
        inner = optimizers.SGD(0.001, gradient_accumulation_steps=2, loss_scale_factor=4.0)
        found["gathered"] = training("gathered", net(), Scaled(inner, initial_scale=8.0), [1.0, far, 1.0, 1.0, 1.0])
    keras.mixed_precision.set_global_policy("mixed_float16")
    found["mixed_float16"] = training(
        "mixed_float16", net(None), "adam", [40.0, 4.0, 4.0, 1.0, 1.0, 1.0], saved_after=4, weight=1.0
    )
    with open(os.path.join(FOLDER, FLAVOR + ".json"), "w") as file:
        json.dump(found, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
