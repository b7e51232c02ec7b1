"""Writes the cases of the group sklearn-score: what scikit-learn's scores and splits make of small made-up data.

usage: score.py FOLDER
  FOLDER: where `cases.json` is written, such as testdata/golden/sklearn-score

Each case names a function of scikit-learn (`call`), its arguments and settings, and what came out: `expect`, or that it
was refused (`refused`: the first line of the message). Floats have all their digits; what JSON has no number for is a
word. Long arrays lie once under `data` and are meant by `{"data": name}`; those of single precision are
`{"float32": [...]}`. A case with `rtol` went through a logarithm or a dot product whose last digits depend on the
processor.
"""

import json
import math
import pathlib
import sys
import warnings

import numpy as np
import sklearn.metrics as metrics
import sklearn.model_selection as selection

warnings.simplefilter("ignore")
random = np.random.RandomState(19)
cases, data, names = [], {}, {}


def plain(value):
    """Arrays as lists, and what JSON has no number for as words."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        items = plain(value.tolist())
        items = {"float32": items} if value.dtype == np.float32 else items
        if value.size < 8:
            return items
        name = names.setdefault(json.dumps(items), f"a{len(names)}")
        data[name] = items
        return {"data": name}
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def result(value):
    """What came out: every array is a list."""
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(np.asarray(value).tolist())
    if isinstance(value, (list, tuple)):
        return [result(item) for item in value]
    if isinstance(value, dict):
        return {str(key): result(item) for key, item in value.items()}
    return plain(value)


def case(call, *arguments, rtol=None, **settings):
    """Runs a function of sklearn.metrics and keeps what came out, or that it was refused."""
    function = getattr(metrics, call)
    entry = {"call": call, "args": plain([np.asarray(a) if isinstance(a, list) else a for a in arguments])}
    entry["settings"] = plain(settings)
    try:
        entry["expect"] = result(function(*arguments, **settings))
        if rtol:
            entry["rtol"] = rtol
    except (ValueError, TypeError, ZeroDivisionError, NotImplementedError, AttributeError) as error:
        entry["refused"] = str(error).split("\n")[0]
    cases.append(entry)


NAN = float("nan")
N = 30
WORDS = np.array(["cat", "dog", "cow", "ant"])
weights = np.round(random.rand(N) * 4) / 4
ragged = random.rand(N)


def labels(kind, classes, rows=N):
    codes = random.randint(0, classes, rows)
    return {
        "int": codes * 3 - 1 if classes > 2 else codes,
        "text": WORDS[codes],
        "bool": codes > 0,
        "float": codes.astype(float),
        "far": codes * 1000000007,
    }[kind]


def worse(y, share=0.3):
    """Predictions: some labels are others of the same kind."""
    wrong = random.rand(len(y)) < share
    return np.where(wrong, y[random.permutation(len(y))], y)


def class_scores():
    plain_scores = ["accuracy_score", "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score", "hamming_loss",
                    "zero_one_loss", "confusion_matrix", "precision_recall_fscore_support"]
    averaged = ["precision_score", "recall_score", "f1_score", "jaccard_score"]
    for kind, classes in [("int", 2), ("int", 4), ("text", 2), ("text", 4), ("bool", 2), ("float", 3), ("far", 3)]:
        y = labels(kind, classes)
        p = worse(y)
        for name in plain_scores:
            case(name, y, p)
            case(name, y, p, sample_weight=weights)
        case("matthews_corrcoef", y, p, sample_weight=ragged, rtol=1e-13)
        for name in averaged:
            positive = {"text": "cat"}.get(kind, 1)
            case(name, y, p)
            case(name, y, p, pos_label=positive)
            for average in ["micro", "macro", "weighted", None]:
                case(name, y, p, average=average)
                case(name, y, p, average=average, sample_weight=weights)
    y, p = labels("text", 4), worse(labels("text", 4))
    for name in ["accuracy_score", "zero_one_loss"]:
        case(name, y, p, normalize=False)
        case(name, y, p, normalize=False, sample_weight=weights)
        case(name, y, p, sample_weight=ragged)
    case("hamming_loss", y, p, sample_weight=ragged)
    case("balanced_accuracy_score", y, p, adjusted=True)
    case("balanced_accuracy_score", y, p, sample_weight=ragged)
    case("balanced_accuracy_score", ["a", "b", "a"], ["a", "b", "c"])
    for kappa in ["linear", "quadratic"]:
        case("cohen_kappa_score", y, p, weights=kappa)
        case("cohen_kappa_score", y, p, weights=kappa, sample_weight=ragged)
    case("cohen_kappa_score", y, p, labels=["dog", "cat"])
    case("cohen_kappa_score", [1, 1], [1, 1])
    case("cohen_kappa_score", [1, 1], [1, 1], replace_undefined_by=0.0)
    case("matthews_corrcoef", [1, 1, 1], [1, 0, 1])
    for normalize in ["true", "pred", "all"]:
        case("confusion_matrix", y, p, normalize=normalize)
        case("confusion_matrix", y, p, normalize=normalize, sample_weight=ragged)
        case("confusion_matrix", ["a", "b"], ["a", "c"], normalize=normalize)
    case("confusion_matrix", y, p, labels=["dog", "ant", "elk"])
    case("confusion_matrix", y, p, labels=["elk"])
    case("confusion_matrix", [3, 3], [3, 3])
    for average in [None, "micro", "macro", "weighted"]:
        case("precision_recall_fscore_support", y, p, average=average, labels=["dog", "ant"])
        case("precision_recall_fscore_support", y, p, average=average, beta=0.5)
        case("fbeta_score", y, p, average=average, beta=2.0)
        case("fbeta_score", y, p, average=average, beta=0.5, sample_weight=ragged)
        case("f1_score", y, p, average=average, labels=["cat", "elk"])
        case("precision_score", y, p, average=average, labels=["ant"], sample_weight=ragged)
    odd_true, odd_pred = [0, 0, 1, 1, 4], [2, 0, 0, 0, 2]
    for value in [0.0, 1.0, NAN]:
        for average in [None, "macro", "weighted", "micro"]:
            case("precision_recall_fscore_support", odd_true, odd_pred, average=average, zero_division=value)
            case("f1_score", odd_true, odd_pred, average=average, zero_division=value)
        case("recall_score", [0, 0], [0, 0], zero_division=value)
    case("jaccard_score", odd_true, odd_pred, average=None, zero_division=1.0)
    case("fbeta_score", [0, 1, 1], [1, 1, 1], beta=0.0)
    case("fbeta_score", [0, 1, 1], [1, 1, 1], beta=float("inf"))
    case("f1_score", [1, 2, 2], [1, 1, 2])
    case("f1_score", [1, 2, 2], [1, 1, 2], pos_label=2)
    case("f1_score", [5, 5], [5, 5])


def refused_classes():
    case("accuracy_score", [0, 1], [0])
    case("accuracy_score", [0, 1], [0.25, 1.0])
    case("accuracy_score", [0.5, 1.0], [0, 1])
    case("accuracy_score", [0.0, NAN], [0, 1])
    case("accuracy_score", ["a", "b"], [0, 1])
    case("accuracy_score", [], [])
    case("accuracy_score", [0, 1], [[0.5, 0.5], [0.1, 0.9]])
    case("accuracy_score", [0, 1], [0, 1], sample_weight=[1.0])
    case("accuracy_score", [0, 1], [0, 1], sample_weight=[0.0, 0.0])
    case("accuracy_score", [0, 1], [0, 1], sample_weight=[1.0, NAN])
    case("f1_score", [0, 1, 2], [0, 1, 2])
    case("f1_score", ["no", "yes"], ["no", "yes"])
    case("f1_score", ["no", "yes"], ["no", "yes"], pos_label="maybe")
    case("f1_score", [0, 1], [0, 1], zero_division=0.5)
    case("fbeta_score", [0, 1], [0, 1], beta=-1.0)
    case("balanced_accuracy_score", [0.5, 1.0], [0.5, 1.0])
    case("matthews_corrcoef", [0.5, 1.0], [0.5, 1.0])
    case("cohen_kappa_score", [0, 1], [0, 1], labels=[7])
    case("confusion_matrix", [0, 1], [0, 1], labels=[])
    case("classification_report", [0, 1], [0.5, 1.0])
    case("classification_report", [0, 1], [0, 1], target_names=["a"])


def reports():
    for kind, classes in [("int", 3), ("text", 4), ("text", 2), ("bool", 2), ("float", 2), ("far", 2)]:
        y = labels(kind, classes)
        p = worse(y)
        case("classification_report", y, p)
        case("classification_report", y, p, digits=4, target_names=[f"the class {i}" for i in range(classes)])
        case("classification_report", y, p, sample_weight=weights, digits=3)
        case("classification_report", y, p, output_dict=True)
    y, p = labels("text", 4), worse(labels("text", 4))
    case("classification_report", y, p, labels=["dog", "ant"])
    case("classification_report", y, p, labels=["dog", "ant"], target_names=["Hund", "Ameise"], output_dict=True)
    case("classification_report", y, p, labels=["dog", "ant", "cow", "cat", "elk"], zero_division=0.0)
    case("classification_report", y, p, labels=["dog", "ant", "cow", "cat", "elk"], zero_division=NAN)
    case("classification_report", [0, 0, 1], [2, 0, 0], zero_division=1.0)
    case("classification_report", [0, 0], [1, 1])
    case("classification_report", [0, 0], [1, 1], sample_weight=[0.5, 0.25])


def probabilities(rows, classes, dtype=float):
    odds = random.rand(rows, classes) ** 2 + 0.01
    return (odds / odds.sum(axis=1, keepdims=True)).astype(dtype)


def rankings():
    y = random.randint(0, 2, N)
    score = np.round(random.randn(N) + y, 1)
    single = score.astype(np.float32)
    names = np.array(["no", "yes"])[y]
    many, spread = labels("text", 3), probabilities(N, 3)
    for weight in [None, weights, ragged]:
        settings = {} if weight is None else {"sample_weight": weight}
        case("roc_auc_score", y, score, **settings)
        case("roc_auc_score", names, single, **settings)
        case("roc_curve", y, score, **settings)
        case("precision_recall_curve", y, score, **settings)
        case("average_precision_score", y, score, **settings)
        for average in ["macro", "weighted", "micro", None]:
            case("roc_auc_score", many, spread, multi_class="ovr", average=average, **settings)
            case("average_precision_score", many, spread, average=average, **settings)
    for average in ["macro", "weighted"]:
        case("roc_auc_score", many, spread, multi_class="ovo", average=average)
        case("roc_auc_score", many, spread.astype(np.float32), multi_class="ovo", average=average)
    for share in [0.1, 0.5, 1.0]:
        case("roc_auc_score", y, score, max_fpr=share)
    for drop in [True, False]:
        case("roc_curve", y, score, drop_intermediate=drop)
        case("precision_recall_curve", y, score, drop_intermediate=drop)
        case("roc_curve", names, single, drop_intermediate=drop, pos_label="no")
    case("roc_curve", many, score, pos_label="cow")
    case("precision_recall_curve", names, score, pos_label="yes")
    case("average_precision_score", names, score, pos_label="yes")
    case("roc_curve", [1, 1], [0.5, 0.25])
    case("roc_curve", [0, 0], [0.5, 0.25])
    case("precision_recall_curve", [0, 0], [0.5, 0.25])
    case("roc_curve", [-1, 1, 1], [0.5, 0.25, 1.0])
    case("roc_auc_score", [1, 1], [0.5, 0.25])
    case("roc_auc_score", [0, 1, 0], probabilities(3, 3), multi_class="ovr", labels=[0, 1, 2])
    case("auc", [0.0, 0.5, 1.0], [0.0, 0.75, 1.0])
    case("auc", [3, 2, 0], [1, 5, 2])
    case("top_k_accuracy_score", many, spread)
    case("top_k_accuracy_score", many, spread, k=1)
    case("top_k_accuracy_score", many, spread, k=3)
    case("top_k_accuracy_score", many, spread, normalize=False, sample_weight=weights)
    case("top_k_accuracy_score", many, spread, sample_weight=ragged)
    case("top_k_accuracy_score", [0, 1, 1], np.round(probabilities(3, 4), 1), labels=[0, 1, 2, 3])
    case("top_k_accuracy_score", y, score, k=1)
    case("top_k_accuracy_score", y, random.rand(N), k=1)
    case("top_k_accuracy_score", y, score)


def losses():
    y, many = random.randint(0, 2, N), labels("text", 3)
    p, spread = random.rand(N), probabilities(N, 3)
    for dtype in [float, np.float32]:
        for weight in [None, weights, ragged]:
            settings = {} if weight is None else {"sample_weight": weight}
            rtol = 1e-14 if dtype is float else 1e-6
            case("log_loss", y, p.astype(dtype), rtol=rtol, **settings)
            case("log_loss", many, spread.astype(dtype), rtol=rtol, **settings)
            case("log_loss", many, spread.astype(dtype), rtol=rtol, normalize=False, **settings)
            case("brier_score_loss", y, p.astype(dtype), **settings)
            case("brier_score_loss", many, spread.astype(dtype), **settings)
    two = np.array(["no", "yes"])[y]
    case("log_loss", two, np.column_stack([1 - p, p]), rtol=1e-14)
    case("log_loss", two, p.reshape(-1, 1), rtol=1e-14)
    case("log_loss", ["a", "b"], [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]], labels=["a", "b", "c"], rtol=1e-14)
    case("log_loss", ["b", "b"], [0.5, 1.0], labels=["a", "b"], rtol=1e-14)
    case("log_loss", [0, 1], [0.0, 1.0], rtol=1e-6)
    case("log_loss", [0, 1], np.array([1.0, 0.0], np.float32), rtol=1e-6)
    case("brier_score_loss", two, p, pos_label="no")
    case("brier_score_loss", y * 3 + 2, p)
    case("brier_score_loss", y, p, scale_by_half=False)
    case("brier_score_loss", many, spread, scale_by_half=True)
    case("brier_score_loss", ["a", "b"], [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]], labels=["a", "b", "c"])


def refused_rankings():
    three = probabilities(3, 3)
    case("roc_auc_score", [0, 1, 2], three)
    case("roc_auc_score", [0, 1, 2], [0.1, 0.5, 0.4], multi_class="ovr")
    case("roc_auc_score", [0, 1, 2], three * 2, multi_class="ovr")
    case("roc_auc_score", [0, 1, 1], three, multi_class="ovr")
    case("roc_auc_score", [0, 1, 2], three, multi_class="ovo", average="micro")
    case("roc_auc_score", [0, 1, 2], three, multi_class="ovo", sample_weight=[1.0, 2.0, 3.0])
    case("roc_auc_score", [0, 1, 2], three, multi_class="ovr", labels=[2, 1, 0])
    case("roc_auc_score", [0, 1, 2], three, multi_class="ovr", labels=[0, 1, 3])
    case("roc_auc_score", [0, 1, 2], three, multi_class="ovr", max_fpr=0.5)
    case("roc_auc_score", [1, 1], three[:2], multi_class="ovo", average="weighted", labels=[0, 1, 2])
    case("accuracy_score", [1, 1], [1, 0], sample_weight=[1.0, -1.0])
    case("roc_auc_score", [0, 1], [0.5, NAN])
    case("roc_auc_score", [0, 1], [0.5])
    case("roc_auc_score", [0.5, 1.0], [0.5, 0.25])
    case("roc_auc_score", [0, 1], [0.5, 0.25], max_fpr=0.0)
    case("roc_auc_score", [0, 1], [[0.5, 0.5], [0.25, 0.75]])
    case("roc_curve", [0, 1, 2], [0.1, 0.5, 0.4])
    case("roc_curve", ["a", "b"], [0.1, 0.5])
    case("roc_curve", [1, 2], [0.1, 0.5])
    case("roc_curve", [0, 1], [0.1, float("inf")])
    case("average_precision_score", ["a", "b"], [0.1, 0.5])
    case("average_precision_score", ["a", "b", "c"], [0.1, 0.5, 0.3])
    case("auc", [0.0], [0.0])
    case("auc", [0.0, 2.0, 1.0], [0.0, 1.0, 2.0])
    case("auc", [0.0, 2.0], [0.0, 1.0, 2.0])
    case("log_loss", [0, 0], [0.5, 0.5])
    case("log_loss", [0, 1], [0.5, 1.5])
    case("log_loss", [0, 1], [0.5, -0.5])
    case("log_loss", [0, 1], [0.5, NAN])
    case("log_loss", [0, 1], three[:2])
    case("log_loss", [0, 1, 2], [0.5, 0.5, 0.5])
    case("log_loss", [0, 1, 2], three, labels=[0, 1])
    case("brier_score_loss", ["a", "b"], [0.5, 0.5])
    case("brier_score_loss", [0, 1, 2], [0.5, 0.5, 0.5])
    case("brier_score_loss", [0, 1], [0.5, 1.5])
    case("top_k_accuracy_score", [0, 1, 2], probabilities(3, 4))
    case("top_k_accuracy_score", [0, 1, 2], three, labels=[0, 2, 1])
    case("top_k_accuracy_score", [0, 1, 2], three, labels=[0, 1, 3])
    case("top_k_accuracy_score", [0, 1, 2], [0.1, 0.2, 0.3])
    case("top_k_accuracy_score", [0, 1], three[:2])


REGRESSIONS = ["mean_squared_error", "root_mean_squared_error", "mean_absolute_error", "median_absolute_error",
               "mean_squared_log_error", "root_mean_squared_log_error", "mean_absolute_percentage_error", "r2_score",
               "explained_variance_score"]


def regressions():
    for rows in [5, 9, 131, 40]:
        y, p = random.rand(rows) * 10, random.rand(rows) * 10
        w, q = random.rand(rows), np.round(random.rand(rows) * 3)
        short = rows != 131
        for name in REGRESSIONS:
            settings = {"rtol": 1e-14} if "log" in name else {}
            case(name, y, p, **settings)
            if short:
                case(name, y, p, sample_weight=w, **settings)
                case(name, y, p, sample_weight=q, **settings)
        case("max_error", y, p)
    y, p, w = random.rand(10, 3) * 10, random.rand(10, 3) * 10, random.rand(10)
    for name in REGRESSIONS:
        log = {"rtol": 1e-14} if "log" in name else {}
        case(name, y, p, **log)
        case(name, y, p, multioutput="raw_values", **log)
        case(name, y, p, multioutput=[0.25, 0.25, 0.5], sample_weight=w, **log)
        case(name, y, p, multioutput="raw_values", sample_weight=w, **log)
        case(name, y, p, multioutput="variance_weighted", sample_weight=w, **log)
        single = {"rtol": 1e-6} if "log" in name else {}
        case(name, y.astype(np.float32), p.astype(np.float32), **single)
        case(name, y[:, 0].astype(np.float32), p[:, 0].astype(np.float32), **single)
        case(name, (y[:, 0]).astype(int), p[:, 0].astype(np.float32), **single)
        case(name, (y[:, 0]).astype(int), p[:, 0].astype(int), **log)
        case(name, y[:, 0], p[:, 0].astype(np.float32), **single)
        case(name, y[:, 0].astype(np.float32), p[:, 0].astype(np.float32), sample_weight=w, **single)
        case(name, y[:, :1], p[:, 0], **log)
    for name in ["r2_score", "explained_variance_score"]:
        case(name, y, p, multioutput="variance_weighted")
        for finite in [True, False]:
            for target, predicted in [([1.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 2.0])]:
                case(name, target, predicted, force_finite=finite)
        case(name, [1.0], [2.0])
        case(name, [[1.0, 2.0], [1.0, 2.0]], [[1.0, 2.0], [2.0, 2.0]], multioutput="variance_weighted")
    for name in ["mean_squared_error", "r2_score", "max_error", "median_absolute_error"]:
        case(name, [1.0, 2.0], [1.0])
        case(name, [1.0, NAN], [1.0, 2.0])
        case(name, [1.0, 2.0], [1.0, float("inf")])
        case(name, [[1.0, 2.0]], [[1.0]])
        case(name, [], [])
    case("max_error", y, p)
    case("max_error", y[:, 0].astype(np.float32), p[:, 0].astype(np.float32))
    case("mean_squared_log_error", [-1.5, 1.0], [1.0, 1.0])
    case("root_mean_squared_log_error", [1.5, 1.0], [1.0, -1.0])
    case("mean_squared_error", [1.0, 2.0], [1.0, 2.0], sample_weight=[1.0])
    case("mean_squared_error", [1.0, 2.0], [1.0, 2.0], sample_weight=[0.0, 0.0])
    case("mean_squared_error", [1.0, 2.0], [1.0, 2.0], multioutput=[1.0])
    case("mean_squared_error", [[1.0, 2.0]], [[1.0, 2.0]], multioutput=[1.0])
    case("mean_absolute_percentage_error", [0.0, 2.0], [1.0, 2.0])




def folds(call, rows, y=None, groups=None, **settings):
    """Keeps the rows that a splitter of sklearn.model_selection gives, or that it refused."""
    entry = {"call": call, "rows": rows, "settings": plain(settings)}
    for name, labels in [("y", y), ("groups", groups)]:
        if labels is not None:
            entry[name] = plain(np.asarray(labels))
    try:
        splitter = getattr(selection, call)(**settings)
        parts = [[train.tolist(), test.tolist()] for train, test in splitter.split(np.zeros((rows, 1)), y, groups)]
        # In ascending order the rows to train on are the others.
        rest = all(sorted(train + test) == list(range(rows)) and train == sorted(train) for train, test in parts)
        entry["expect"] = {"tests": [test for _, test in parts]} if rest else {"parts": parts}
    except (ValueError, TypeError) as error:
        entry["refused"] = str(error).split("\n")[0]
    cases.append(entry)


def splits():
    for rows, n in [(10, 2), (11, 3), (23, 5), (5, 5)]:
        folds("KFold", rows, n_splits=n)
        for seed in [0, 42]:
            folds("KFold", rows, n_splits=n, shuffle=True, random_state=seed)
            folds("RepeatedKFold", rows, n_splits=n, n_repeats=2, random_state=seed)
    for kind, classes, rows in [("int", 3, 31), ("text", 4, 40), ("bool", 2, 17), ("float", 3, 25)]:
        y = labels(kind, classes, rows)
        folds("StratifiedKFold", rows, y, n_splits=3)
        folds("StratifiedKFold", rows, y, n_splits=3, shuffle=True, random_state=7)
        folds("RepeatedStratifiedKFold", rows, y, n_splits=2, n_repeats=2, random_state=5)
        folds("StratifiedShuffleSplit", rows, y, n_splits=3, test_size=0.3, random_state=1)
        folds("StratifiedShuffleSplit", rows, y, n_splits=2, test_size=6, train_size=7, random_state=2)
        folds("GroupKFold", rows, None, y, n_splits=2)
        folds("GroupKFold", rows, None, y, n_splits=2, shuffle=True, random_state=3)
        groups = random.randint(0, 9, rows)
        folds("GroupKFold", rows, y, groups, n_splits=4)
        folds("GroupKFold", rows, y, groups, n_splits=4, shuffle=True, random_state=8)
        for n in [2, 3, 4]:
            folds("StratifiedGroupKFold", rows, y, groups, n_splits=n)
            folds("StratifiedGroupKFold", rows, y, groups, n_splits=n, shuffle=True, random_state=n)
    folds("StratifiedShuffleSplit", 12, [0, 1] * 6, random_state=0, n_splits=1, test_size=0.25, train_size=0.5)
    for settings in [{}, {"test_size": 0.25}, {"test_size": 4}, {"train_size": 0.5}, {"train_size": 0.3, "test_size": 2}]:
        folds("ShuffleSplit", 21, n_splits=3, random_state=4, **settings)
    for rows, settings in [(12, {"n_splits": 3}), (13, {"n_splits": 5}), (20, {"n_splits": 3, "max_train_size": 5}),
                           (20, {"n_splits": 3, "test_size": 2}), (20, {"n_splits": 3, "test_size": 2, "gap": 3}),
                           (20, {"n_splits": 4, "gap": 2, "max_train_size": 3})]:
        folds("TimeSeriesSplit", rows, **settings)
    folds("LeaveOneOut", 4)


def refused_splits():
    folds("KFold", 3, n_splits=4)
    folds("KFold", 3, n_splits=1)
    folds("KFold", 3, n_splits=2, random_state=1)
    folds("RepeatedKFold", 3, n_splits=2, n_repeats=0)
    folds("RepeatedKFold", 3, n_splits=4, n_repeats=1)
    folds("StratifiedKFold", 4, [0, 0, 1, 1], n_splits=3)
    folds("StratifiedKFold", 4, [0.5, 0.25, 1.0, 1.0], n_splits=2)
    folds("StratifiedKFold", 4, [0.0, NAN, 1.0, 1.0], n_splits=2)
    folds("GroupKFold", 4, None, [0, 0, 1, 1], n_splits=3)
    folds("GroupKFold", 4, None, [0, 0, 1, 1], n_splits=2, random_state=1)
    folds("StratifiedGroupKFold", 4, [0, 1, 0, 1], [0, 0, 0, 0], n_splits=2)
    folds("StratifiedGroupKFold", 4, [0, 1, 2, 3], [0, 0, 1, 1], n_splits=2)
    folds("TimeSeriesSplit", 4, n_splits=4)
    folds("TimeSeriesSplit", 4, n_splits=1)
    folds("TimeSeriesSplit", 9, n_splits=3, test_size=3)
    folds("TimeSeriesSplit", 9, n_splits=3, gap=5)
    folds("ShuffleSplit", 9, n_splits=1, test_size=9)
    folds("ShuffleSplit", 9, n_splits=1, test_size=1.0)
    folds("ShuffleSplit", 9, n_splits=1, test_size=5, train_size=5)
    folds("ShuffleSplit", 1, n_splits=1)
    folds("StratifiedShuffleSplit", 4, [0, 0, 0, 1], n_splits=1, test_size=2)
    folds("StratifiedShuffleSplit", 6, [0, 0, 1, 1, 2, 2], n_splits=1, test_size=2)
    folds("LeaveOneOut", 1)


def parted(rows, y=None, **settings):
    """Keeps what `train_test_split` makes of the numbers of the rows."""
    entry = {"call": "train_test_split", "rows": rows, "settings": plain(settings)}
    if y is not None:
        entry["y"] = plain(np.asarray(y))
    try:
        entry["expect"] = result(selection.train_test_split(np.arange(rows), stratify=y, **settings))
    except (ValueError, TypeError) as error:
        entry["refused"] = str(error).split("\n")[0]
    cases.append(entry)


def parts():
    for settings in [{}, {"test_size": 0.33}, {"test_size": 7, "train_size": 9}, {"train_size": 0.6}]:
        parted(20, random_state=42, **settings)
        parted(20, labels("text", 3, 20), random_state=11, **settings)
    parted(20, labels("text", 2, 20), random_state=1, test_size=4)
    parted(10, shuffle=False, test_size=3)
    parted(10, [0, 1] * 5, shuffle=False)
    parted(10, [0, 1], test_size=3)
    parted(10, test_size=0.0)
    parted(1)


def grids(call, *grids, **settings):
    """Keeps the combinations of a grid, or some of them."""
    cases.append({"call": call, "args": plain(grids), "settings": plain(settings),
                  "expect": result(list(getattr(selection, call)(list(grids), **settings)))})


def combinations():
    small = {"units": [8, 16], "activation": ["relu", "tanh"], "rate": [0.1, 0.01], "bias": [True, False]}
    large = {name: list(range(12)) for name in ["c", "a", "b"]}
    grids("ParameterGrid", small)
    grids("ParameterGrid", {"b": [1, 2]}, {"a": ["x"], "B": [0.5, 1.5]}, {})
    for seed in [0, 1]:
        grids("ParameterSampler", small, n_iter=5, random_state=seed)
        grids("ParameterSampler", small, n_iter=16, random_state=seed)
        grids("ParameterSampler", small, {"k": [1, 2, 3]}, n_iter=4, random_state=seed)
        grids("ParameterSampler", large, n_iter=8, random_state=seed)
        grids("ParameterSampler", {"a": list(range(300))}, n_iter=298, random_state=seed)


class_scores()
refused_classes()
reports()
rankings()
losses()
refused_rankings()
regressions()
splits()
refused_splits()
parts()
combinations()

folder = pathlib.Path(sys.argv[1])


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


arrays = ",\n".join(f"{line(name)}:{line(items)}" for name, items in data.items())
text = ",\n".join(map(line, cases))
(folder / "cases.json").write_text(f'{{"data":{{\n{arrays}\n}},"cases":[\n{text}\n]}}\n', encoding="utf-8")
print(len(cases), "cases,", sum("refused" in case for case in cases), "refused")
