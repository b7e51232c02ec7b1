"""Recurrences with seeds, dropout and states, and files of them: run by each of the two Kerases, it writes one file of
figures and two models of `testdata/recurrences`.

    python scripts/golden_recurrences.py testdata/recurrences
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from keras import layers

FLAVOR = f"keras{keras.__version__.split('.')[0]}"
# With its own kernels in mind, Keras 3 fails on noise for each gate.
APART = {} if FLAVOR == "keras2" else {"use_cudnn": False}
X = np.array([[[((i * 7 + t * 5 + j * 3) % 11) * 0.1 - 0.5 for j in range(2)] for t in range(4)] for i in range(6)], "float32")
Y = np.array([[((i * 3) % 5) * 0.25] for i in range(6)], "float32")


def numbers(arrays):
    return [np.asarray(array, "float64").ravel().tolist() for array in arrays]


def run(layer, batch=None):
    """What seeds make of a layer, and what comes of two epochs and of two predictions."""
    keras.utils.set_random_seed(7)
    made = layer()
    model = keras.Sequential([keras.Input((4, 2), batch_size=batch), made, layers.Dense(1)])
    first = numbers(model.get_weights())
    model.compile(optimizer="sgd", loss="mse")
    fit = lambda: model.fit(X, Y, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"]
    history = fit()
    figures = {"weights": first, "history": history, "evaluate": model.evaluate(X, Y, batch_size=3, verbose=0)}
    figures["again"] = fit()
    figures["predictions"] = numbers([model.predict(X, batch_size=3, verbose=0) for _ in range(2)])
    return figures


def translator():
    """An encoder whose states a decoder begins with, and a recurrence run both ways."""
    keras.utils.set_random_seed(3)
    source, target = keras.Input((4, 2), name="source"), keras.Input((3, 2), name="target")
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")(source)
    _, h, c = layers.LSTM(3, return_state=True, name="encoder")(both)
    decoded = layers.LSTM(3, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return keras.Model([source, target], layers.Dense(1, name="head")(decoded), name="translator")


def main(folder):
    cases = {
        "lstm": run(lambda: layers.LSTM(3)),
        "lstm_random_bias": run(lambda: layers.LSTM(3, bias_initializer="random_normal")),
        "lstm_dropout": run(lambda: layers.LSTM(3, dropout=0.5)),
        "lstm_recurrent_dropout": run(lambda: layers.LSTM(3, dropout=0.25, recurrent_dropout=0.5)),
        "lstm_relu_dropout": run(lambda: layers.LSTM(3, activation="relu", dropout=0.5)),
        "lstm_by_gate": run(lambda: layers.LSTM(3, dropout=0.5, implementation=1, **APART)),
        "gru": run(lambda: layers.GRU(3)),
        "gru_dropout": run(lambda: layers.GRU(3, dropout=0.5)),
        "gru_recurrent_dropout": run(lambda: layers.GRU(3, recurrent_dropout=0.5)),
        "gru_reset_before": run(lambda: layers.GRU(3, dropout=0.25, recurrent_dropout=0.5, reset_after=False)),
        "bidirectional": run(lambda: layers.Bidirectional(layers.LSTM(3))),
        "bidirectional_dropout": run(lambda: layers.Bidirectional(layers.GRU(3, dropout=0.5))),
        "rnn_dropout": run(lambda: layers.RNN(layers.LSTMCell(3, dropout=0.5))),
        "stateful": run(lambda: layers.LSTM(3, stateful=True), batch=3),
        "stateful_backwards": run(lambda: layers.GRU(3, stateful=True, go_backwards=True), batch=3),
    }
    model = translator()
    target = X[:, :3, :]
    model.save(os.path.join(folder, f"{FLAVOR}.keras"))
    cases["translator"] = {"predictions": numbers([model.predict([X, target], verbose=0)])}
    with open(os.path.join(folder, f"{FLAVOR}.json"), "w") as file:
        json.dump(cases, file)


if __name__ == "__main__":
    main(sys.argv[1])
