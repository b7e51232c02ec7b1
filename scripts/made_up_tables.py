"""Writes made-up data of the lesson's form, and what Keras makes of them when it does with them what the lesson does.

usage: made_up_tables.py FOLDER
Run it with Keras 2.13 and with Keras 3: the data are the same, the numbers go to keras213.json and keras3.json.
"""

import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np

FOLDER = sys.argv[1]
random = np.random.RandomState(5)

# 768 rows of eight columns, and a label that depends mostly on two of them.
x = np.round(random.normal(size=(768, 8)), 3)
y = (1.5 * x[:, 1] + x[:, 5] + 0.5 * x[:, 7] - 0.8 + 0.8 * random.normal(size=768) > 0).astype("int64")
with open(os.path.join(FOLDER, "table.csv"), "w") as file:
    file.write(",".join(map(str, range(9))) + "\n")
    file.writelines(",".join(map(repr, row.tolist())) + f",{label}\n" for row, label in zip(x, y))

# Pictures of 28 by 28: one bar for each digit, with spots.
digits = random.randint(0, 10, 160).astype("uint8")
pictures = np.zeros((160, 28, 28), "uint8")
for picture, digit in zip(pictures, digits):
    picture[2 + 2 * digit : 5 + 2 * digit, 4:24] = random.randint(150, 256)
    picture[random.randint(0, 28, 6), random.randint(0, 28, 6)] = random.randint(0, 200)
halves = {"x_train": pictures[:120], "y_train": digits[:120], "x_test": pictures[120:], "y_test": digits[120:]}
np.savez_compressed(os.path.join(FOLDER, "digits.npz"), **halves)


def told(model, history, train, test):
    """What the lesson prints of a training."""
    scores = {name: model.evaluate(*half, verbose=0) for name, half in [("train", train), ("test", test)]}
    predictions = model.predict(test[0], verbose=0).ravel()[:30]
    return {
        "history": {key: [float(value) for value in values] for key, values in history.history.items()},
        "evaluate": {name: [float(value) for value in values] for name, values in scores.items()},
        "predictions": [float(value) for value in predictions],
    }


# scikit-learn's train_test_split(test_size=0.2, random_state=42)
order = np.random.RandomState(42).permutation(len(x))
rows = {"test": order[:154], "train": order[154:]}
dense, layers = keras.layers.Dense, keras.layers
keras.utils.set_random_seed(42)
model = keras.Sequential()
model.add(dense(12, input_shape=(8,), activation="relu"))
model.add(dense(8, activation="relu"))
model.add(dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
train, test = [(x[rows[half]], y[rows[half]]) for half in ("train", "test")]
history = model.fit(*train, epochs=10, batch_size=10, verbose=0)
results = {"note": f"keras {keras.__version__}, 10 epochs of 8-12-8-1", "table": told(model, history, train, test)}

keras.utils.set_random_seed(42)
model = keras.Sequential([layers.Flatten(input_shape=(28, 28)), dense(16, activation="relu"), dense(10)])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
train, test = [(halves[f"x_{half}"] / 255.0, halves[f"y_{half}"]) for half in ("train", "test")]
history = model.fit(*train, epochs=5, verbose=0)
results["digits"] = told(model, history, train, test)

version = "keras213" if keras.__version__.startswith("2.") else "keras3"
with open(os.path.join(FOLDER, f"{version}.json"), "w") as file:
    json.dump(results, file, indent=1)
    file.write("\n")
