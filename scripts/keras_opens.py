"""Opens `.keras` files with the Keras that runs this script, and says whether each one works.

    python keras_opens.py MODEL.keras MODEL.npz [MODEL.keras MODEL.npz ...]

Each `.npz` holds `x` (inputs), `predictions` (what the model must give for them) and, for a compiled model, `y`
(targets), and `after` (the predictions after one more step on all of `x`, if no layer draws random numbers); several
inputs are `x/0`, `x/1`, and so on. A file passes when `load_model(path)` opens it without a warning
about variables left out, its predictions differ from the stored ones by at most 1e-6 (of the largest, if that is above 1:
logits have no more digits), and, if it is compiled, its optimizer has steps behind it and can take one more. A model with
layers of `mixed_float16` is opened under that policy, and may differ by two units of its last digit. One line per file; the
exit status is 1 if any file failed.
"""

import logging
import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import zipfile  # noqa: E402

import numpy as np  # noqa: E402
import keras  # noqa: E402

TOLERANCE = 1e-6
STEP_TOLERANCE = 1e-5
HALF_TOLERANCE = 2.0**-9


class Heard(logging.Handler):
    """Keeps what Keras 2 logs; Keras 3 gives the same as Python warnings."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def one_or_list(arrays, name):
    """Array `name`, or the list `name/0`, `name/1`, ... of a model with several."""
    if name in arrays:
        return arrays[name]
    return [arrays[f"{name}/{i}"] for i in range(len(arrays)) if f"{name}/{i}" in arrays] or None


def largest_difference(got, want):
    """The largest difference, as a part of the largest wanted value if that is above 1."""
    got, want = (value if isinstance(value, (list, tuple)) else [value] for value in (got, want))
    if len(got) != len(want) or any(g.shape != w.shape for g, w in zip(got, want)):
        return float("inf")
    return max(float(np.max(np.abs(g.astype("float64") - w)) / max(1.0, np.max(np.abs(w)))) for g, w in zip(got, want))


def check(model_path, arrays_path):
    """What was found, in words; raises if the file does not work."""
    heard = Heard()
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    for logger in loggers:
        logger.addHandler(heard)
    with zipfile.ZipFile(model_path) as archive:
        half = b"mixed_float16" in archive.read("config.json")
    keras.mixed_precision.set_global_policy("mixed_float16" if half else "float32")
    tolerance, step_tolerance = (HALF_TOLERANCE, HALF_TOLERANCE) if half else (TOLERANCE, STEP_TOLERANCE)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = keras.models.load_model(model_path)
    finally:
        for logger in loggers:
            logger.removeHandler(heard)
    skipped = [line for line in heard.lines + [str(w.message) for w in caught] if "kipping" in line]
    arrays = dict(np.load(arrays_path))
    x, y, want = (one_or_list(arrays, name) for name in ("x", "y", "predictions"))
    difference = largest_difference(model.predict(x, verbose=0), want)
    if not difference <= tolerance:
        raise AssertionError(f"predictions differ by {difference:.3g}")
    found = f"predictions within {difference:.1g}"
    if getattr(model, "optimizer", None) is None or y is None:
        return found + ", not trained further"
    if skipped:
        raise AssertionError(skipped[0])
    before = int(np.asarray(model.optimizer.iterations))
    if before < 1:
        raise AssertionError("the optimizer was not restored: `iterations` is 0")
    rows = len(y[0]) if isinstance(y, list) else len(y)
    loss = model.fit(x, y, batch_size=rows, epochs=1, verbose=0).history["loss"][0]
    after = int(np.asarray(model.optimizer.iterations))
    if after != before + 1 or not np.isfinite(loss):
        raise AssertionError(f"one more step went from iteration {before} to {after} with loss {loss}")
    found += f", iteration {before} to {after}, loss {loss:.6g}"
    want = one_or_list(arrays, "after")
    if want is None:
        return found
    difference = largest_difference(model.predict(x, verbose=0), want)
    if not difference <= step_tolerance:
        raise AssertionError(f"predictions after one more step differ by {difference:.3g}")
    return found + f", predictions after it within {difference:.1g}"


def main(arguments):
    if not arguments or len(arguments) % 2:
        sys.exit(__doc__)
    failed = False
    for model_path, arrays_path in zip(arguments[::2], arguments[1::2]):
        try:
            outcome = "ok: " + check(model_path, arrays_path)
        except Exception as error:  # whatever Keras raises is the finding
            failed = True
            outcome = f"FAILED: {type(error).__name__}: {str(error).strip()[:600]}"
        print(f"keras {keras.__version__}: {model_path}: {outcome}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
