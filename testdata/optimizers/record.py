"""Models of Keras in the middle of a training, and what Keras makes of the file: `python record.py keras3`, with Keras 2.13 or 3."""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import keras

X = np.array([[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0], [0.125, 0.5]], "float32")
Y = np.array([[1.0], [-0.5], [0.25], [2.0]], "float32")
of, KERAS2 = keras.optimizers, keras.__version__.startswith("2.")

cases = {
    "adamw": of.AdamW(0.02, weight_decay=0.05),
    "adamw_amsgrad": of.AdamW(0.02, weight_decay=0.05, amsgrad=True),
    "nadam": of.Nadam(0.03),
    "adagrad": of.Adagrad(0.2, initial_accumulator_value=0.3),
    "adam_ema": of.Adam(0.02, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2),
    "rmsprop_schedule": of.RMSprop(of.schedules.ExponentialDecay(0.05, 2, 0.5), momentum=0.5),
    "sgd_schedule": of.SGD(of.schedules.PiecewiseConstantDecay([2, 5], [0.2, 0.1, 0.05])),
}
if not KERAS2:
    cases["adam_accumulation"] = of.Adam(0.03, gradient_accumulation_steps=2, loss_scale_factor=4.0)

folder = os.path.join(sys.path[0], sys.argv[1])
os.makedirs(folder, exist_ok=True)
found = {}
for name, optimizer in cases.items():
    start = keras.initializers.Constant(0.25)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, kernel_initializer=start)])
    model.compile(optimizer=optimizer, loss="mse")
    batches = lambda model, n: [model.train_on_batch(X[i % 2 * 2 :][:2], Y[i % 2 * 2 :][:2]) for i in n]
    batches(model, range(3))
    path = os.path.join(folder, name + ".keras")
    model.save(path)
    before = [w.tolist() for w in model.get_weights()]
    model = keras.models.load_model(path)
    batches(model, range(3, 6))
    found[name] = {"class": type(optimizer).__name__, "before": before, "after": [w.tolist() for w in model.get_weights()]}
with open(os.path.join(folder, "weights.json"), "w") as file:
    json.dump(found, file, indent=1)
