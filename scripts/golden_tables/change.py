"""Writes testdata/golden/pandas-change/cases.json: what pandas makes of operations on small tables.

A case is a table and steps, each an operation by its name with its arguments; the test of cornu-data takes the same steps.
Run it with pandas 3.1: python scripts/golden_tables/change.py
"""

import io
import json
import pathlib

import numpy as np
import pandas as pd
from change_cases import PRINTING, UNPRINTED

OUT = pathlib.Path(__file__).parents[2] / "testdata/golden/pandas-change/cases.json"


def tables():
    day = pd.to_datetime(["2024-01-01", "2024-02-29", None, "2023-12-31", "2024-01-01", "2024-02-29"]).astype("datetime64[us]")
    people = pd.DataFrame({
        "age": [31, 58, 7, 31, 44, -3],
        "size": [1.7, np.nan, 1.1, 1.85, 1.7, 0.1],
        "sex": ["f", "m", None, "m", "f", "m"],
        "alive": [True, False, True, True, False, True],
        "born": day,
        "class": pd.Categorical(["b", "a", "b", None, "c", "a"]),
    })
    numbers = pd.DataFrame({
        "x": [3.5, -1.25, 0.0, 1e-3, 7.1, 2.0, -0.0, 1 / 3],
        "y": [1, 2, 3, 4, 0, -5, 1000, 7],
        "z": np.array([0.1, 2.5, np.nan, 4, 16777216, -1, 0.3333, 8], dtype="float32"),
    })
    random = np.random.RandomState(7)
    wide = pd.DataFrame({f"column {i}": random.randint(0, 5, 4) for i in range(14)})
    many = pd.DataFrame({
        "a": random.randn(62).round(3) * 1000,
        "b": np.where(random.rand(62) < 0.1, np.nan, random.rand(62).round(4)),
        "c": random.randint(-50, 50, 62),
        "f": random.randn(62).astype("float32"),
        "w": random.choice(["red", "green", "blue", "brown"], 62),
    })
    long = pd.DataFrame({"a": np.where(random.rand(300) < 0.1, np.nan, random.randn(300)), "c": random.randint(-99, 99, 300),
                         "f": random.randn(300).astype("float32")})
    gaps = pd.DataFrame({
        "a": [1.0, np.nan, np.nan, 4.0],
        "b": [np.nan, np.nan, np.nan, 2.0],
        "s": ["x", None, None, "y"],
        "n": [1, 2, 3, 4],
    })
    twice = pd.DataFrame({"p": [1, 1, 2, 1, 2], "q": ["a", "a", "b", "a", "c"], "r": [np.nan, np.nan, 0.5, 1.0, 0.5]})
    moments = pd.DataFrame({
        "when": pd.to_datetime(["2024-01-01 10:00:00", "2024-01-02 00:00:00", None]).astype("datetime64[us]"),
        "part": pd.to_datetime(["2024-01-01 10:00:00.5", "2024-01-02", "2020-01-01"], format="mixed").astype("datetime64[us]"),
        "object": pd.Series([True, np.nan, False], dtype=object),
        "text": ["1", " 2 ", "-3"],
        "decimal": ["1.5", None, "1e3"],
        "quote": ["a,b", 'say "hi"', "two\nlines"],
        "dated": ["2024-05-31", "2024-06-01 12:30:00", None],
    })
    ordered = pd.DataFrame({
        "size": pd.Categorical(["small", "large", None, "medium"], categories=["small", "medium", "large"], ordered=True),
        "grade": pd.Categorical([2, 1, 2, None]),
    })
    return {"people": people, "numbers": numbers, "wide": wide, "many": many, "long": long, "gaps": gaps, "twice": twice,
            "moments": moments, "ordered": ordered, "none": people.iloc[:0], "tens": pd.DataFrame({"n": np.arange(70) * 10})}


# --- values as JSON ---------------------------------------------------------------------------------------------------

def scalar(value):
    if value is None or value is pd.NaT or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return {"float": repr(float(value))}
    if isinstance(value, pd.Timestamp):
        return {"date": value.as_unit("us")._value}
    assert isinstance(value, str), type(value)
    return value


def values(series):
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories if isinstance(series, pd.Series) else series.categories
        codes = series.cat.codes if isinstance(series, pd.Series) else series.codes
        return {"dtype": "category", "codes": [int(code) for code in codes], "ordered": bool(series.dtype.ordered),
                "categories": values(pd.Series(categories))}
    if series.dtype.kind == "f":
        return {"dtype": str(series.dtype), "values": [number(float(value)) for value in series]}
    return {"dtype": str(series.dtype), "values": [scalar(value) for value in series]}


def number(value):
    """A float of a column of them: null for NaN, a word for infinity."""
    return None if np.isnan(value) else str(value) if np.isinf(value) else value


def named(name):
    return None if name is None else str(name)


def index(labels):
    if isinstance(labels, pd.RangeIndex) and labels.name is None and labels.step == 1:
        return {"range": [labels.start, labels.stop]}
    return {"name": named(labels.name), **values(labels)}


def column(series):
    return {"kind": "column", "name": named(series.name), **values(series), "index": index(series.index), "print": str(series)}


def table(frame):
    columns = [{"name": name, **values(frame[name])} for name in frame.columns]
    return {"kind": "table", "columns": columns, "index": index(frame.index), "print": str(frame)}


def result(value):
    if isinstance(value, pd.DataFrame):
        return table(value)
    if isinstance(value, pd.Series):
        return column(value)
    if isinstance(value, tuple):
        return {"kind": "text", "text": value[0]}
    if isinstance(value, (list, np.ndarray)) or hasattr(value, "categories"):
        return {"kind": "list", "values": [scalar(one) for one in value]}
    return {"kind": "scalar", "value": scalar(value)}


# --- operations -------------------------------------------------------------------------------------------------------

def unpack(value):
    """An argument: dates and floats are written as objects."""
    if isinstance(value, dict) and "date" in value:
        return pd.Timestamp(value["date"], unit="us")
    if isinstance(value, dict) and "float" in value:
        return float(value["float"])
    return value


BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "mod": lambda a, b: a % b, "floordiv": lambda a, b: a // b, "pow": lambda a, b: a ** b,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b,
}
FUNCTIONS = {"sqrt": np.sqrt, "double": lambda x: x * 2.0}


def expression(frame, e):
    """`["gt", ["col", "age"], 30]`: an operation with its operands."""
    if not isinstance(e, list):
        return unpack(e)
    name, *args = e
    if name == "col":
        return frame[args[0]]
    first = expression(frame, args[0])
    if name in BINARY:
        return BINARY[name](first, expression(frame, args[1]))
    match name:
        case "not":
            return ~first
        case "neg":
            return -first
        case "isin":
            return first.isin([unpack(value) for value in args[1]])
        case "between":
            return first.between(unpack(args[1]), unpack(args[2]))
        case "isna":
            return first.isna()
        case "notna":
            return first.notna()
        case "contains":
            return first.str.contains(args[1], regex=False)
        case "abs":
            return first.abs()
        case "round":
            return first.round(args[1])
        case "clip":
            return first.clip(unpack(args[1]), unpack(args[2]))
        case "map":
            return FUNCTIONS[args[1]](first)
    raise KeyError(name)


def pairs(list_):
    return {unpack(a): unpack(b) for a, b in list_}


def info(frame):
    text = io.StringIO()
    frame.info(buf=text)
    return (text.getvalue(),)


def concat(frame, tables, **options):
    return pd.concat([frame, *[run(TABLES[t["table"]], t["steps"]) for t in tables]], **options)


def insert(frame, place, name, value):
    frame = frame.copy()
    frame.insert(place, name, expression(frame, value))
    return frame


def mean_filled(obj, how):
    if isinstance(obj, pd.Series):
        return obj.fillna(getattr(obj, how)()) if how != "mode" else obj.fillna(obj.mode()[0])
    return obj.fillna(getattr(obj, how)(numeric_only=True)) if how != "mode" else obj.fillna(obj.mode().iloc[0])


def fill(obj, value):
    if value in ("ffill", "bfill"):
        return getattr(obj, value)()
    if isinstance(value, dict) and "statistic" in value:
        return mean_filled(obj, value["statistic"])
    if isinstance(value, list):
        for name, one in value:
            obj = obj.assign(**{name: fill(obj[name], one)})
        return obj
    return obj.fillna(unpack(value))


def loc(frame, labels):
    return frame.loc[[unpack(label) for label in labels]]


PLAIN = ["head", "tail", "sum", "mean", "std", "var", "median", "min", "max", "count", "nunique", "mode", "idxmax", "idxmin",
         "cumsum", "quantile", "corr", "cov", "any", "all", "isna", "notna", "abs", "round", "dropna", "drop_duplicates",
         "duplicated", "describe", "reset_index", "set_index", "sort_index", "value_counts", "sample", "to_csv", "unique",
         "ffill", "bfill", "select_dtypes"]
OPS = {
    "column": lambda o, name: o[name],
    "select": lambda o, names: o[names],
    "drop": lambda o, names: o.drop(columns=names),
    "rename": lambda o, names: o.rename(columns=dict(names), errors="raise"),
    "with_column": lambda o, name, value: o.assign(**{name: expression(o, value)}),
    "insert": insert,
    "compute": lambda o, value: expression(o, value),
    "filter": lambda o, where: o[expression(o, where)],
    "take": lambda o, rows: o.iloc[rows],
    "slice": lambda o, start, end: o.iloc[start:end],
    "row": lambda o, row: o.iloc[row],
    "cell": lambda o, row, name: o[name].iloc[row],
    "loc": loc,
    "get": lambda o, row: o.iloc[row],
    "fillna": fill,
    "astype": lambda o, dtype: o.astype(dict(dtype) if isinstance(dtype, list) else dtype),
    "replace": lambda o, pairs: o.replace(globals()["pairs"](pairs)),
    "map_values": lambda o, pairs: o.map(globals()["pairs"](pairs)),
    "sort_values": lambda o, **options: o.sort_values(**options, kind="stable"),
    "numeric_only": lambda o: o.select_dtypes(["number", "bool"]),
    "info": info,
    "text": lambda o: (o.to_string(),),
    "print": lambda o: (str(o),),
    "concat": concat,
    "corr_with": lambda o, a, b: o[a].corr(o[b]),
    "cov_with": lambda o, a, b: o[a].cov(o[b]),
    "std_with": lambda o, ddof: o.std(ddof=ddof),
    "var_with": lambda o, ddof: o.var(ddof=ddof),
    **{name: (lambda name: lambda o, **options: getattr(o, name)(**options))(name) for name in PLAIN},
}
OPS["to_csv"] = lambda o, **options: (o.to_csv(**options, lineterminator="\n"),)
OPS["sort_index"] = lambda o, **options: o.sort_index(**options, kind="stable")
OPS["unique"] = lambda o: list(o.unique())


def run(obj, steps):
    for step in steps:
        step = dict(step)
        obj = OPS[step.pop("op")](obj, **step)
    return obj


TABLES = tables()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def main():
    cases = []
    for name, source, steps, *rest in [*UNPRINTED, *PRINTING]:
        try:
            # Tables that were used take more memory than new ones.
            want = result(run(tables()[source], steps))
        except (KeyError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            want = {"kind": "error", "of_pandas": f"{type(error).__name__}: {error}".split("\n")[0][:100]}
        if (want["kind"] == "error") != name.startswith("refused"):
            print("not as named:", name, want)
        if len(cases) < len(UNPRINTED) and steps[-1]["op"] != "isna":
            want.pop("print", None)
        cases.append({"id": f"{len(cases)} {name}", "table": source, "steps": steps, "want": want, **(rest[0] if rest else {})})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    tables_ = {name: table(frame) for name, frame in TABLES.items()}
    [one.pop("print") for one in tables_.values()]
    text = ",\n".join(compact(case) for case in cases)
    text = f'{{"pandas": "{pd.__version__}",\n"tables": {compact(tables_)},\n"cases": [\n{text}\n]}}\n'
    OUT.write_text(text)
    print(len(cases), "cases,", len(text), "bytes")


if __name__ == "__main__":
    main()
