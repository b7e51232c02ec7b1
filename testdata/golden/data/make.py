"""Writes the files of this folder: what pandas, scikit-learn and Keras make of small inputs.

usage: make.py FOLDER CSV
  FOLDER: the full golden set's `datasets-and-tools`, whose scaler, report and Keras cases are taken over
  CSV: the table of the Pima women
"""

import io
import json
import math
import sys
import warnings

import numpy as np
import pandas as pd
from sklearn import metrics, preprocessing

warnings.simplefilter("ignore")
pd.set_option("display.width", 80)
random = np.random.RandomState(7)


def plain(value):
    """Arrays as lists, and what JSON has no number for as words."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def write(name, cases):
    with open(name, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(plain(case)) for case in cases) + "\n]\n")


def csv(rows):
    return "".join(",".join(str(cell) for cell in row) + "\n" for row in rows)


def numbers(rows, columns, scale):
    names = [f"c{i}" for i in range(columns)]
    return csv([names] + (random.randn(rows, columns) * scale).round(9).tolist())


def mixed(rows):
    cells = [["id", "size", "ok", "who", "gap"]]
    for i in range(rows):
        gap = "" if i % 3 == 0 else round(random.rand(), 2)
        cells.append([i * 37, round(random.randn() * 100, 3), random.rand() > 0.5, "abcdefgh"[: 1 + i % 7], gap])
    return csv(cells)


def tables():
    texts = {
        "whole and missing": "a,b\n1,x\n,y z\n3,\n",
        "true and false": "a,b\nTrue,False\nfalse,TRUE\n",
        "tabs and lines": 'a,b\n"line1\nline2",1\n"tab\there",2\n',
        "long text": "a,b\n" + "x" * 60 + ",1\ny,2\n",
        "text of 49": "a\n" + "x" * 49 + "\ny\n",
        "text of 50": "a\n" + "x" * 50 + "\ny\n",
        "long names": "a" * 40 + "," + "b" * 40 + "," + "c" * 40 + "\n1,2,3\n",
        "two long names": "a" * 60 + "," + "b" * 60 + "\n1,2\n",
        "other letters": "año,b\nñandú,2\nü,33\n",
        "no name": ",a\n0,1\n",
        "no rows": "a,b\n",
        "large": "v,w\n1e10,123456789\n1.0,-5\n",
        "small": "v\n1e-10\n1.0\n",
        "just small": "v\n0.000001\n1.0\n",
        "just too small": "v\n9.99e-7\n0\n",
        "long": "v\n1234567.891\n2\n",
        "too long": "v\n10000000.123456\n1\n",
        "short": "v\n0.1\n0.25\n",
        "infinite": "v\ninf\n1.0\n-inf\n",
        "only infinite": "v\ninf\n-inf\n",
        "all missing": "v,w\n,1\n,2\n",
        "minus zero": "v\n-0.0\n1\n",
        "million": "v\n1000000\n2.5\n",
        "great powers": "v\n1e300\n-1e-300\n",
        "halves": "v\n0.0000005\n0.1234565\n2.5\n",
        "60 rows": mixed(60),
        "61 rows": mixed(61),
        "1000 rows": mixed(1000),
        "one row": numbers(1, 3, 1),
        "wide": numbers(5, 9, 1),
        "wide and large": numbers(5, 12, 1e7),
        "wide and long": numbers(100, 8, 1000),
        "80 columns": csv([range(80), [1] * 80]),
        "81 columns": csv([range(81), [1] * 81]),
        "200 columns": csv([range(200)] + [[i] * 200 for i in range(70)]),
        "digits": csv([["a", "b"]] + [[i, i / 7] for i in range(100)]),
        "empty cells": "a,b,c\n,,\n,,x\n",
    }
    for width in range(76, 84):
        texts[f"{width} wide"] = csv([["n" * (width - 4 - 30)] + ["m" * 9] * 1 + ["k" * 8, "j" * 8], [1, 2, 3, 4]])
    for columns in range(4, 12):
        texts[f"{columns} columns of numbers"] = numbers(3, columns, 30)
    for name, text in texts.items():
        frame = pd.read_csv(io.StringIO(text))
        case = {"id": name, "csv": text, "print": repr(frame)}
        case["tail"] = repr(frame.tail(3))
        # An empty column and one of truth with gaps have pandas' type `object`, which is told apart elsewhere.
        typed = frame[[column for column in frame.columns if frame[column].dtype != object]]
        case["series"] = {column: repr(typed[column]) for column in list(typed.columns)[:12]}
        case["dtypes"] = {column: str(typed[column].dtype) for column in list(typed.columns)[:12]}
        if len(frame) and len(frame.select_dtypes(["int64", "float64"]).columns):
            case["describe"] = repr(frame.select_dtypes(["int64", "float64"]).describe())
        yield case


def pima(path):
    """The table is not here; what it prints is."""
    frame = pd.read_csv(path)
    case = {"id": "pima", "head": repr(frame.head()), "tail": repr(frame.tail()), "describe": repr(frame.describe())}
    x, positions = frame.drop("8", axis=1), [60, 618, 346, 294, 231]
    yield case | {"positions": positions, "taken": repr(x.take(positions)), "labels": repr(frame["8"])}


def reports(manifest):
    for case in manifest:
        if case["kind"] == "classification report":
            yield case["id"], case["y_true"], case["y_pred"]
    for classes in (2, 3, 5, 12):
        truth = random.randint(0, classes, 50)
        yield f"{classes} classes", truth, np.where(random.rand(50) < 0.6, truth, random.randint(0, classes, 50))
    yield "negative labels", [-1, 1, 1, -1, 7], [1, 1, -1, -1, 1]
    yield "never true", [0, 0, 1], [2, 0, 1]
    yield "one class", [1, 1, 1], [1, 1, 1]
    yield "booleans", [True, False, True], [True, True, False]
    yield "floats", [1.0, 0.0, 2.0, 2.0], [1.0, 2.0, 2.0, 0.0]
    yield "integers and floats", [1, 0, 1], [1.0, 0.0, 0.0]
    yield "booleans and integers", [True, False, True], [1, 0, 0]


def report_case(name, truth, predicted):
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    classes = sorted(set(truth.tolist()) | set(predicted.tolist()))
    report = metrics.classification_report
    case = {"id": name, "y_true": truth, "y_pred": predicted, "accuracy": metrics.accuracy_score(truth, predicted)}
    case["text"] = report(truth, predicted)
    case["text_digits4"] = report(truth, predicted, digits=4)
    case["target_names"] = ["a rather long name", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"][: len(classes)]
    case["text_names"] = report(truth, predicted, target_names=case["target_names"])
    case["text_zero_division_1"] = report(truth, predicted, zero_division=1)
    case["text_zero_division_nan"] = report(truth, predicted, zero_division=np.nan)
    case["confusion_matrix"] = metrics.confusion_matrix(truth, predicted)
    for average in ("micro", "macro", "weighted") + (("binary",) if set(classes) <= {0, 1} else ()):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average=average)
        case[average] = [precision, recall, f1]
    return case


def scalers(manifest, arrays):
    for case in manifest:
        if case["kind"] == "scalers":
            yield "golden", arrays[case["x"]["$array"]], arrays[case["x2"]["$array"]]
    x = random.randn(20, 6) * [1, 1e-9, 1e9, 0, 1, 1] + [0, 1, -5e9, 0.1, 1e8, 3]
    x[3:7, 0] = x[0, 5] = np.nan
    x2 = random.randn(4, 6)
    x2[1, 2] = np.nan
    yield "constant, missing, large and small", x, x2
    yield "one row", x[1:2], x2
    yield "rounding only", np.full((7, 6), 0.1) + random.rand(7, 6) * 1e-17, x2


def scaler_case(name, x, x2):
    case = {"id": name, "x": x, "x2": x2}
    standard = preprocessing.StandardScaler().fit(x)
    case["mean"], case["scale"], case["var"] = standard.mean_, standard.scale_, standard.var_
    case["standard"], case["standard_inverse"] = standard.transform(x2), standard.inverse_transform(x2)
    for key, feature_range in (("minmax", (0, 1)), ("minmax_symmetric", (-1, 1))):
        scaler = preprocessing.MinMaxScaler(feature_range).fit(x)
        case[key], case[f"{key}_inverse"] = scaler.transform(x2), scaler.inverse_transform(x2)
    return case


def keras_cases(folder, manifest):
    """What Keras gave; `normalize` along the first axis is that of 2.13, which has not yet lost it."""
    for case in manifest:
        if case["kind"] in ("to_categorical", "normalize") and "output" in case:
            arrays = np.load(f"{folder}/{case['arrays']}")
            output = arrays[case["output"]["$array"]]
            kept = {"id": case["id"], "kind": case["kind"], "args": case["args"], "kwargs": case["kwargs"]}
            yield kept | {"output": output.ravel(), "shape": output.shape}


def main():
    folder = sys.argv[1]
    manifest = json.load(open(f"{folder}/manifest.json"))["cases"]
    arrays = np.load(f"{folder}/arrays.keras3.npz")
    for case in manifest:
        for key in ("y_true", "y_pred"):
            if isinstance(case.get(key), dict) and "$array" in case[key]:
                case[key] = arrays[case[key]["$array"]]
    write("tables.json", tables())
    write("pima.json", pima(sys.argv[2]))
    write("reports.json", (report_case(*case) for case in reports(manifest)))
    write("scalers.json", (scaler_case(*case) for case in scalers(manifest, arrays)))
    write("keras_utils.json", keras_cases(folder, manifest))


main()
