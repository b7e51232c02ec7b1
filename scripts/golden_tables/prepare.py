#!/usr/bin/env python3
"""What scikit-learn and pandas make of tables: writes testdata/golden/sklearn-prepare/cases.json.

Each case holds the call (class or function, settings, input) and the result, or that it is refused. Floats are in the
shortest form that reads back to the same bits; `nan`, `inf` and `-inf` are texts.

    python scripts/golden_tables/prepare.py testdata/golden/sklearn-prepare

Made with pandas 3.1.1 and scikit-learn 1.9.1.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn import compose, impute, pipeline, preprocessing

warnings.filterwarnings("ignore")
rng = np.random.default_rng(19)
NAN = float("nan")
# One message of scikit-learn fails on its own way out.
REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError)


# Values as the reader takes them: `{"float64": [...]}`.
def number(value):
    value = float(value)
    if math.isnan(value):
        return "nan"
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def missing(value):
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def plain(value):
    """One value of a column of objects."""
    if missing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return number(value)
    return str(value)


def values(column):
    column = pd.Series(column)
    kind = str(column.dtype)
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        if isinstance(categories, pd.IntervalIndex):
            categories = [str(interval) for interval in categories]
        return {
            "category": {
                "codes": [None if code < 0 else int(code) for code in column.cat.codes],
                "categories": values(pd.Series(list(categories))),
                "ordered": bool(column.cat.ordered),
            }
        }
    if kind in ("float64", "float32"):
        return {kind: [number(value) for value in column]}
    if kind in ("int64", "int32", "uint8"):
        return {"int64": [int(value) for value in column]}
    if kind == "bool":
        return {"bool": [bool(value) for value in column]}
    if kind == "str":
        return {"str": [plain(value) for value in column]}
    return {"any": [plain(value) for value in column]}


def table(frame):
    columns = [{"name": str(name), "values": values(frame[name])} for name in frame.columns]
    out = {"columns": columns, "rows": len(frame)}
    if list(frame.index) != list(range(len(frame))):
        out["index"] = values(pd.Series(list(frame.index)))
    return out


inputs = {}


def data(x):
    """The name of an input: each is written once."""
    return inputs.setdefault(json.dumps(raw(x)), f"x{len(inputs)}")


def raw(x):
    if isinstance(x, pd.DataFrame):
        return {"table": table(x)}
    x = np.asarray(x)
    if x.dtype == object:
        return {"any": [[plain(value) for value in row] for row in x]}
    return {"array": [[number(value) for value in row] for row in x], "width": int(x.shape[1])}


def numbers(array):
    return [number(value) for value in np.atleast_1d(np.asarray(array, dtype=float))]


# A class with its settings, for scikit-learn and for the file.
class Spec:
    def __init__(self, name, **settings):
        self.name, self.settings = name, settings

    def make(self):
        settings = {key: made(key, value) for key, value in self.settings.items()}
        if self.name == "OneHotEncoder":
            settings["sparse_output"] = False
        if self.name == "ColumnTransformer":
            settings["transformers"] = [(n, made("", t), made_columns(c)) for n, t, c in settings["transformers"]]
        if self.name == "Pipeline":
            settings["steps"] = [(n, t.make()) for n, t in settings["steps"]]
        if self.name == "PolynomialFeatures" and isinstance(settings.get("degree"), list):
            settings["degree"] = tuple(settings["degree"])
        for key in ("feature_range", "quantile_range"):
            if key in settings:
                settings[key] = tuple(settings[key])
        modules = (preprocessing, impute, compose, pipeline)
        return next(getattr(m, self.name) for m in modules if hasattr(m, self.name))(**settings)

    def json(self):
        return {"class_name": self.name, "config": {key: spelt(key, value) for key, value in self.settings.items()}}


def made(key, value):
    if isinstance(value, Spec):
        return value.make()
    if key == "categories":
        return [list(column) for column in value]
    return value


def made_columns(columns):
    if isinstance(columns, dict):
        return compose.make_column_selector(
            dtype_include=columns["dtype_include"] or None, dtype_exclude=columns["dtype_exclude"] or None
        )
    return columns


def spelt(key, value):
    if isinstance(value, Spec):
        return value.json()
    if key == "categories":
        return [values(pd.Series(column)) for column in value]
    if key == "transformers":
        return [{"name": n, "branch": spelt("", t), "columns": c} for n, t, c in value]
    if key == "steps":
        return [{"name": n, "transformer": t.json()} for n, t in value]
    if isinstance(value, float):
        return None if key == "missing_values" and math.isnan(value) else number(value)
    return value


ATTRIBUTES = ["data_min", "data_max", "scale", "min", "mean", "var", "center", "max_abs"]
cases = []


def case(kind, **fields):
    cases.append({"id": f"{len(cases):03} {kind} {fields.get('name', '')}".strip(), "kind": kind, **fields})


def transformer(spec, fit, *others, own=True):
    """Fits, transforms the same rows (unless they are many) and others, and goes back."""
    fields = {"name": spec.name, "spec": spec.json(), "fit": data(fit)}
    is_table = isinstance(fit, pd.DataFrame)
    try:
        made = spec.make()
        if is_table:
            made.set_output(transform="pandas")
        made.fit(fit)
    except REFUSALS as error:
        return case("transformer", **fields, refused="fit", says=str(error)[:80])
    fields["learnt"] = {
        name: numbers(getattr(made, name + "_")) for name in ATTRIBUTES if getattr(made, name + "_", None) is not None
    }
    fields["names"] = [str(name) for name in made.get_feature_names_out()]
    fields["transforms"] = []
    for x in (fit, *others) if own else others:
        one = {"x": data(x)}
        try:
            out = made.transform(x)
            one["out"] = raw(out)
            if is_table and len(cases) % 3 == 0:
                one["printed"] = str(out.head(4)) if out.shape[1] and len(out) <= 60 else None
        except REFUSALS as error:
            fields["transforms"].append({**one, "refused": True, "says": str(error)[:80]})
            continue
        try:
            if hasattr(made, "inverse_transform") and out.shape[1]:
                one["inverse"] = raw(np.array(made.inverse_transform(np.array(out))))
        except (ValueError, TypeError):
            one["inverse_refused"] = True
        except IndexError:
            # `SimpleImputer` loses its way back where it kept empty columns.
            pass
        fields["transforms"].append(one)
    case("transformer", **fields)


# Inputs.
long = np.cumsum(rng.standard_normal((137, 3)), axis=0) * [1.0, 1e6, 1e-3] + [0.1, -5e5, 7.0]
long = np.round(long, 4)
wide = np.round(rng.standard_normal((4, 19)) * 10, 3)
small = np.array([[1.5, -2.0, 0.0], [0.25, 4.0, 0.0], [3.0, 0.1, 0.0], [-7.0, 0.3, 0.0]])
gaps = small.copy()
gaps[1, 0] = gaps[3, 1] = NAN
empty = gaps.copy()
empty[:, 2] = NAN
other = np.array([[10.0, 0.5, 1.0], [-0.125, -9.0, 0.25]])
infinite = small.copy()
infinite[2, 1] = np.inf
names = ["a", "b", "c"]


def frame(array, columns=names):
    return pd.DataFrame(np.asarray(array), columns=columns[: np.asarray(array).shape[1]])


mixed = pd.DataFrame(
    {"whole": [3, -1, 7, 3, 0], "half": [0.5, NAN, 2.25, -1.5, 0.1], "truth": [True, False, True, True, False]}
)
single = frame(np.round(rng.standard_normal((11, 3)) * 7, 3).astype(np.float32))
labelled = frame(small).set_axis(["r", "s", "t", "u"])

SCALERS = [
    Spec("MinMaxScaler"),
    Spec("MinMaxScaler", feature_range=[-2.0, 0.5]),
    Spec("MinMaxScaler", clip=True),
    Spec("StandardScaler"),
    Spec("StandardScaler", with_mean=False),
    Spec("StandardScaler", with_std=False),
    Spec("StandardScaler", with_mean=False, with_std=False),
    Spec("RobustScaler"),
    Spec("RobustScaler", with_centering=False),
    Spec("RobustScaler", with_scaling=False),
    Spec("RobustScaler", quantile_range=[10.0, 87.5]),
    Spec("RobustScaler", unit_variance=True),
    Spec("RobustScaler", unit_variance=True, quantile_range=[1.0, 95.0]),
    Spec("MaxAbsScaler"),
    Spec("MaxAbsScaler", clip=True),
]
for spec in SCALERS:
    transformer(spec, small, other)
    transformer(spec, frame(gaps), frame(other))
for spec in [SCALERS[0], SCALERS[3], SCALERS[7], SCALERS[13]]:
    transformer(spec, long, other, own=False)
    transformer(spec, frame(long), frame(other), own=False)
    transformer(spec, long[:, :1], other[:, :1], own=False)
    transformer(spec, gaps)
    transformer(spec, empty)
    transformer(spec, mixed, mixed.head(2))
    transformer(spec, single, single.head(3))
    transformer(spec, labelled)
    transformer(spec, infinite)
    transformer(spec, frame(infinite))
    transformer(spec, frame(small), frame(infinite), frame(small)[["b", "a", "c"]], frame(small)[["a", "b"]])
    transformer(spec, np.zeros((0, 2)))
    transformer(spec, pd.DataFrame({"t": ["x", "y"]}))
    transformer(spec, np.full((3, 2), 5.25))
transformer(Spec("MinMaxScaler", feature_range=[1.0, 1.0]), small)
transformer(Spec("RobustScaler", quantile_range=[75.0, 25.0]), small)

for norm in ("l1", "l2", "max"):
    transformer(Spec("Normalizer", norm=norm), wide, np.zeros((2, 19)))
    transformer(Spec("Normalizer", norm=norm), frame(small), frame(other))
    transformer(Spec("Normalizer", norm=norm), single)
transformer(Spec("Normalizer"), gaps)
transformer(Spec("Normalizer"), frame(infinite))
for threshold in (0.0, 0.25, -1.0):
    transformer(Spec("Binarizer", threshold=threshold), frame(small), frame(other))
transformer(Spec("Binarizer"), small)
transformer(Spec("Binarizer", threshold=1.0), pd.DataFrame({"p": [0, 1, 2], "q": [5, -5, 1]}))
transformer(Spec("Binarizer"), gaps)

for settings in (
    {},
    {"degree": 3},
    {"degree": 3, "interaction_only": True},
    {"degree": 2, "include_bias": False},
    {"degree": [2, 3]},
    {"degree": [2, 4], "include_bias": False, "interaction_only": True},
    {"degree": 0},
    {"degree": 0, "include_bias": False},
    {"degree": [3, 2]},
):
    transformer(Spec("PolynomialFeatures", **settings), frame(small), frame(other))
    transformer(Spec("PolynomialFeatures", **settings), small[:2])
transformer(Spec("PolynomialFeatures", degree=5), small[:, :2])
transformer(Spec("PolynomialFeatures"), gaps)
transformer(Spec("PolynomialFeatures"), single.head(4))

words = pd.DataFrame(
    {
        "port": ["S", "C", None, "S", "Q", "C"],
        "deck": [None, "B", "B", "A", "A", None],
    }
)
people = pd.DataFrame(
    {
        "age": [22.0, NAN, 38.0, 26.0, 35.0, NAN],
        "class": [3, 1, 1, 3, 2, 3],
        "sex": ["m", "f", "f", "f", "m", "m"],
        "port": ["S", "C", None, "S", "Q", "S"],
    }
)
holes = frame(np.array([[1.0, NAN, NAN], [2.5, 4.0, NAN], [NAN, 4.0, NAN], [1.0, -3.0, NAN], [0.5, NAN, NAN]]))
for strategy in ("mean", "median", "most_frequent", "constant"):
    for settings in ({}, {"add_indicator": True}, {"keep_empty_features": True}, {"add_indicator": True, "keep_empty_features": True}):
        spec = Spec("SimpleImputer", strategy=strategy, **settings)
        transformer(spec, holes, frame(gaps))
        transformer(spec, gaps, empty)
    transformer(Spec("SimpleImputer", strategy=strategy), words)
    transformer(Spec("SimpleImputer", strategy=strategy), frame(infinite))
    transformer(Spec("SimpleImputer", strategy=strategy, missing_values=0), pd.DataFrame({"n": [3, 0, 5, 3], "m": [1, 2, 0, 0]}))
    transformer(Spec("SimpleImputer", strategy=strategy, missing_values=-7.0), small)
    transformer(Spec("SimpleImputer", strategy=strategy), frame(long).mask(frame(long) % 3 < 0.5), frame(gaps), own=False)
    transformer(Spec("SimpleImputer", strategy=strategy), np.where(long % 3 < 0.5, NAN, long), gaps, own=False)
transformer(Spec("SimpleImputer", strategy="constant", fill_value=-1), holes)
transformer(Spec("SimpleImputer", strategy="constant", fill_value=0.5), gaps)
transformer(Spec("SimpleImputer", strategy="constant", fill_value="none"), words)
transformer(Spec("SimpleImputer", strategy="constant", fill_value="none"), holes)
transformer(Spec("SimpleImputer", strategy="constant", fill_value=0.5), pd.DataFrame({"n": [1, 2]}))
transformer(Spec("SimpleImputer", strategy="most_frequent"), people[["sex", "port"]])

sizes = pd.DataFrame({"size": ["small", "large", "medium", "small"], "rank": [3, 1, 2, 3]})
more = pd.DataFrame({"size": ["large", "huge"], "rank": [2, 9]})
for settings in (
    {},
    {"categories": [["small", "medium", "large"], [1, 2, 3]]},
    {"categories": [["small", "medium", "large", "huge"], [1, 2, 3, 9]]},
    {"categories": [["small", "medium"], [1, 2, 3]]},
    {"categories": [["small", "medium", "large"]]},
    {"categories": [["small", "medium", "large"], [3, 2, 1]]},
    {"categories": [["small", "small", "large", "medium"], [1, 2, 3]]},
    {"handle_unknown": "use_encoded_value", "unknown_value": -1},
    {"handle_unknown": "use_encoded_value", "unknown_value": NAN},
    {"handle_unknown": "use_encoded_value", "unknown_value": 1},
    {"handle_unknown": "use_encoded_value"},
    {"unknown_value": -1},
):
    transformer(Spec("OrdinalEncoder", **settings), sizes, more)
for settings in (
    {"min_frequency": 2},
    {"max_categories": 2},
    {"max_categories": 1},
    {"min_frequency": 0.4, "handle_unknown": "use_encoded_value", "unknown_value": -5},
):
    transformer(Spec("OrdinalEncoder", **settings), sizes, more)
for settings in ({}, {"encoded_missing_value": -1}, {"encoded_missing_value": 0}, {"handle_unknown": "use_encoded_value", "unknown_value": -2}):
    transformer(Spec("OrdinalEncoder", **settings), words, words.tail(2), pd.DataFrame({"port": ["X"], "deck": ["A"]}))
transformer(Spec("OrdinalEncoder"), small, other)
transformer(Spec("OrdinalEncoder"), gaps)
transformer(Spec("OrdinalEncoder"), pd.DataFrame({"t": [True, False, True]}))

binary = pd.DataFrame({"sex": ["m", "f", "m", "f", "m"], "port": ["S", "C", "Q", "S", "S"]})
unseen = pd.DataFrame({"sex": ["f", "x"], "port": ["T", "S"]})
for settings in (
    {},
    {"drop": "first"},
    {"drop": "if_binary"},
    {"drop": ["m", "Q"]},
    {"drop": ["m", "T"]},
    {"drop": ["m"]},
    {"handle_unknown": "ignore"},
    {"handle_unknown": "ignore", "drop": "first"},
    {"handle_unknown": "ignore", "drop": "if_binary"},
    {"handle_unknown": "infrequent_if_exist", "min_frequency": 2},
    {"handle_unknown": "warn", "max_categories": 2},
    {"handle_unknown": "ignore", "min_frequency": 0.3},
    {"handle_unknown": "infrequent_if_exist"},
    {"min_frequency": 2, "drop": "first"},
    {"min_frequency": 2, "drop": ["f", "C"]},
    {"max_categories": 1},
    {"max_categories": 2, "drop": "if_binary"},
    {"categories": [["m", "f"], ["S", "C", "Q", "T"]]},
    {"categories": [["m", "f", "x"], ["S", "C", "Q", "T"]], "drop": "first"},
    {"categories": [["m"], ["S", "C", "Q", "T"]]},
):
    transformer(Spec("OneHotEncoder", **settings), binary, unseen)
for settings in ({}, {"drop": "first"}, {"handle_unknown": "ignore"}):
    transformer(Spec("OneHotEncoder", **settings), words, words.tail(3))
    transformer(Spec("OneHotEncoder", **settings), mixed, mixed.head(1))
transformer(Spec("OneHotEncoder"), small, other)
transformer(Spec("OneHotEncoder", handle_unknown="ignore"), small, other)
transformer(Spec("OneHotEncoder", drop="first"), pd.DataFrame({"one": ["x", "x"]}))

numeric = Spec("Pipeline", steps=[("fill", Spec("SimpleImputer", strategy="median")), ("scale", Spec("StandardScaler"))])
text = Spec("Pipeline", steps=[("fill", Spec("SimpleImputer", strategy="most_frequent")), ("hot", Spec("OneHotEncoder"))])
for settings in (
    {},
    {"remainder": "passthrough"},
    {"remainder": "passthrough", "verbose_feature_names_out": False},
    {"remainder": Spec("MinMaxScaler")},
):
    parts = [("num", Spec("MinMaxScaler"), ["age"]), ("cat", Spec("OneHotEncoder"), ["sex", "port"])]
    transformer(Spec("ColumnTransformer", transformers=parts, **settings), people, people.head(2)[["port", "sex", "class", "age"]])
for parts in (
    [("num", numeric, ["age", "class"]), ("cat", text, ["sex", "port"])],
    [("num", numeric, {"dtype_include": ["number"], "dtype_exclude": []}), ("cat", text, {"dtype_include": [], "dtype_exclude": ["number"]})],
    [("num", Spec("StandardScaler"), [0, 1]), ("no", "drop", [2, -1])],
    [("same", "passthrough", ["sex"]), ("num", Spec("StandardScaler"), ["age"])],
    [("none", Spec("StandardScaler"), []), ("num", Spec("StandardScaler"), ["age"])],
    [("num", Spec("StandardScaler"), ["nobody"])],
    [("num", Spec("StandardScaler"), ["sex"])],
    [("a", Spec("StandardScaler"), ["age"]), ("a", Spec("StandardScaler"), ["class"])],
    [("a__b", Spec("StandardScaler"), ["age"])],
    [("num", Spec("StandardScaler"), [7])],
):
    transformer(Spec("ColumnTransformer", transformers=parts), people, people.head(3), people[["age", "sex"]])
twice = [("a", Spec("MinMaxScaler"), ["age"]), ("b", Spec("StandardScaler"), ["age"])]
transformer(Spec("ColumnTransformer", transformers=twice), people)
transformer(Spec("ColumnTransformer", transformers=twice, verbose_feature_names_out=False), people)
places = [("a", Spec("StandardScaler"), [0, 2]), ("b", Spec("MinMaxScaler"), [1])]
transformer(Spec("ColumnTransformer", transformers=places), long, other, own=False)
transformer(Spec("ColumnTransformer", transformers=places[:1], remainder="passthrough"), long, other, own=False)

rows = Spec("Pipeline", steps=[("fill", Spec("SimpleImputer")), ("poly", Spec("PolynomialFeatures", include_bias=False)), ("scale", Spec("StandardScaler"))])
transformer(rows, gaps, other)
transformer(rows, frame(gaps), frame(other))
both = Spec("Pipeline", steps=[("one", Spec("StandardScaler")), ("two", Spec("MinMaxScaler"))])
transformer(both, long, other, own=False)
transformer(both, frame(long), frame(other), own=False)
transformer(numeric, people[["age", "class"]], people[["age", "class"]].head(1))


# Functions.
def label_encoder(fit, other=None):
    fields = {"name": "LabelEncoder", "fit": values(fit)}
    encoder = preprocessing.LabelEncoder().fit(pd.Series(fit))
    fields["classes"] = values(pd.Series(encoder.classes_))
    fields["codes"] = encoder.transform(pd.Series(fit)).tolist()
    try:
        fields["other"] = values(other if other is not None else fit)
        fields["other_codes"] = encoder.transform(pd.Series(other if other is not None else fit)).tolist()
    except REFUSALS:
        fields["refused"] = True
    case("label_encoder", **fields)


label_encoder(["paris", "tokyo", "amsterdam", "paris"], ["tokyo", "paris"])
label_encoder(["b", "a", "Ä", "é", "B", ""], ["a", "z"])
label_encoder([3, -1, 7, 3], [7, 8])
label_encoder([3, -1, 7, 3], [7.0, -1.0])
label_encoder([0.5, NAN, -2.0, 0.5, NAN], [NAN, 0.5])
label_encoder([True, False, True])
label_encoder(["x", None, "a"])
label_encoder(pd.Categorical(["lo", "hi", "lo"], categories=["lo", "hi"], ordered=True))


def dummies(x, **settings):
    fields = {"name": "get_dummies", "x": raw(x) if isinstance(x, pd.DataFrame) else {"column": values(x)}}
    fields["settings"] = dict(settings)
    try:
        out = pd.get_dummies(x if isinstance(x, pd.DataFrame) else pd.Series(x), **settings)
        fields["out"] = table(out)
        # Without a prefix, names are values, which are not always text.
        fields["printed"] = str(out) if isinstance(x, pd.DataFrame) or "prefix" in settings else None
    except REFUSALS:
        fields["refused"] = True
    case("get_dummies", **fields)


category = pd.DataFrame(
    {"level": pd.Categorical(["hi", "lo", None, "hi"], categories=["lo", "mid", "hi"], ordered=True), "n": [1, 2, 3, 4]}
)
for settings in (
    {},
    {"drop_first": True},
    {"dummy_na": True},
    {"dummy_na": True, "drop_first": True},
    {"prefix": "p"},
    {"prefix": ["s", "t"]},
    {"prefix": ["s"]},
    {"prefix": {"sex": "x", "port": "y"}},
    {"prefix_sep": "="},
    {"columns": ["port"]},
    {"columns": ["class", "sex"]},
    {"columns": ["nobody"]},
    {"dtype": "float"},
    {"dtype": "int"},
):
    dummies(people, **settings)
dummies(category)
dummies(category, dummy_na=True)
dummies(category, drop_first=True)
dummies(words.set_axis([5, 4, 3, 2, 1, 0]))
dummies(pd.Series(["b", "a", None, "b"]))
dummies(pd.Series(["b", "a", None, "b"]), prefix="q", dummy_na=True)
dummies(pd.Series([1, 3, 1]))
dummies(pd.Series([1.5, NAN, 1.5]), dummy_na=True)
dummies(pd.Series([True, False]))
dummies(mixed, columns=["truth", "whole", "half"])
dummies(pd.DataFrame({"same": ["x", "x"], "n": [1, 2]}), drop_first=True)
dummies(pd.DataFrame({"n": [1, 2]}))


def factorize(x, **settings):
    codes, uniques = pd.factorize(pd.Series(x), **settings)
    if isinstance(uniques, pd.CategoricalIndex):
        uniques = pd.Series(list(uniques))
    case("factorize", name="factorize", x=values(x), settings=settings, codes=codes.tolist(), uniques=values(pd.Series(uniques)))


for settings in ({}, {"sort": True}, {"use_na_sentinel": False}, {"sort": True, "use_na_sentinel": False}):
    factorize(["b", None, "a", "c", "b"], **settings)
    factorize([2.5, NAN, -1.0, 2.5], **settings)
    factorize([3, 1, 3, 2], **settings)
    factorize([True, False, True], **settings)


def cut(x, bins, **settings):
    fields = {"name": "cut", "x": values(x), "settings": settings}
    fields["bins"] = bins if isinstance(bins, int) else values(np.array(bins))
    try:
        out, edges = pd.cut(pd.Series(x), bins, retbins=True, **settings)
        fields["out"], fields["edges"], fields["printed"] = values(out), numbers(edges), str(out.rename("x"))
        # Beside a gap pandas prints whole ends as floats.
        if len(cases) % 2 or "int64" in str(fields["bins"]) and out.isna().any():
            del fields["printed"]
    except REFUSALS:
        fields["refused"] = True
    case("cut", **fields)


def qcut(x, q, **settings):
    fields = {"name": "qcut", "x": values(x), "settings": settings, "q": q if isinstance(q, int) else values(np.array(q))}
    try:
        out, edges = pd.qcut(pd.Series(x), q, retbins=True, **settings)
        fields["out"], fields["edges"], fields["printed"] = values(out), numbers(edges), str(out.rename("x"))
    except REFUSALS:
        fields["refused"] = True
    case("qcut", **fields)


ages = [22, 38, 26, 35, 35, 54, 2, 27, 14, 4, 58, 20, 39, 71]
fares = [7.25, 71.2833, 7.925, NAN, 8.05, 51.8625, 21.075, 11.1333, 30.0708, 0.0]
for bins in (1, 3, 4, 7, [0, 12, 18, 65], [0, 12, 18, 65, 100], [2, 20, 71]):
    for settings in ({}, {"right": False}, {"include_lowest": True}, {"labels": False}):
        cut(ages, bins, **settings)
for bins in (3, 5, [0, 10, 50.5, 100], [0.0, 7.25, 8.05, 71.2833], [0, 1e-7, 1000], [-1e9, 7.00001, 7.925001, 1e12]):
    cut(fares, bins)
    cut(fares, bins, precision=1)
    cut(fares, bins, include_lowest=True, precision=5)
cut(ages, 3, labels=["young", "middle", "old"])
cut(ages, [0, 18, 40, 100], labels=["young", "middle", "old"], right=False)
cut(ages, 3, labels=["a", "b"])
cut(ages, 3, labels=["a", "b", "a"])
cut(ages, 3, labels=["a", "b", "a"], ordered=False)
cut(ages, 3, labels=["z", "y", "x"], ordered=False)
cut(ages, [10, 5, 20])
cut(ages, [5, 5, 20])
cut(ages, [5, 5, 20], duplicates="drop")
cut(ages, 0)
cut(pd.Series([], dtype=float), 3)
cut([5, 5, 5], 2)
cut([0.0, 0.0], 2)
cut([NAN, NAN], 2)
cut([1.0, float("inf")], 2)
cut([1.0, float("inf"), -3.0], [0, 1, float("inf")])
cut([True, False, True], 2)
cut([0.0011, 0.0012, 0.00135], 4)
cut([1e10, 1e10 + 1, 1e10 + 2], 3)
for q in (1, 2, 4, 10, [0, 0.5, 1], [0, 0.1, 0.9]):
    qcut(ages, q)
    qcut(fares, q)
qcut(ages, 4, labels=["1st", "2nd", "3rd", "4th"])
qcut(ages, 4, labels=False)
qcut(fares, 3, precision=1)
qcut([1, 1, 1, 2], 4)
qcut([1, 1, 1, 2], 4, duplicates="drop")
qcut(ages, 0)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    shortest = {"ensure_ascii": False, "separators": (",", ":")}
    known = ",\n".join(f'"{name}":{json.dumps(json.loads(x), **shortest)}' for x, name in inputs.items())
    lines = ",\n".join(json.dumps(case, **shortest) for case in cases)
    (folder / "cases.json").write_text(f'{{"inputs":{{\n{known}\n}},\n"cases":[\n{lines}\n]}}\n')
    print(len(cases), "cases of", pd.__version__, sklearn.__version__)
