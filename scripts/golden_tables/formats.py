"""What pandas reads out of Parquet files and JSON lines: testdata/golden/pandas-formats.

Needs pandas 3 and pyarrow. Numbers are stored by their bits, so that equal means equal to the bit.
"""
import datetime as dt
import decimal
import io
import json
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parents[2] / "testdata/golden/pandas-formats"
KINDS = {"float16": "float32", "datetime64[s]": "datetime64[us]", "datetime64[ms]": "datetime64[us]",
         "datetime64[ns]": "datetime64[us]"}
cases = []


def kind(values):
    name = str(values.dtype)
    if name.startswith(("int", "uint")):
        return "int64"
    if name == "object" and any(isinstance(value, dt.date) for value in values):
        return "datetime64[us]"
    return KINDS.get(name, name)


def cell(value):
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else {"bits": struct.pack(">d", float(value)).hex()}
    if isinstance(value, (pd.Timestamp, dt.date)):
        return {"micros": int(pd.Timestamp(value).to_datetime64().astype("datetime64[us]").astype("int64"))}
    return str(value)


def stored(values):
    more = {}
    if isinstance(values.dtype, pd.CategoricalDtype):
        more = {"categories": [cell(value) for value in values.cat.categories], "ordered": bool(values.cat.ordered)}
    return {"dtype": kind(values), "values": [cell(value) for value in values], **more}


def case(name, frame, **source):
    index = frame.index.to_series()
    columns = [{"name": str(name), **stored(frame[name])} for name in frame.columns]
    cases.append({"id": name, **source, "columns": columns, "rows": len(frame),
                  "index": {"name": frame.index.name, **stored(index)}})


def parquet(name, table, refused=False, **options):
    path = HERE / f"{name}.parquet"
    if isinstance(table, pd.DataFrame):
        table.to_parquet(path, **options)
    else:
        pq.write_table(table, path, **options)
    if refused:
        cases.append({"id": name, "parquet": path.name, "refused": True})
    else:
        case(name, pd.read_parquet(path), parquet=path.name)


def lines(name, text):
    try:
        case(name, pd.read_json(io.StringIO(text), lines=True), lines=text)
    except ValueError:
        cases.append({"id": name, "lines": text, "refused": True})


people = pd.DataFrame({
    "name": ["ann", None, "é", ""], "age": [31, 58, -1, 2**62], "height": [1.7, np.nan, -0.0, 1e300],
    "single": np.array([0.1, np.nan, 2, 3], "float32"), "member": [True, False, True, True],
    "maybe": [True, None, False, None], "born": pd.to_datetime(["1993-05-01 10:00:00.5", None, "1890-01-01", "2100-12-31"], format="ISO8601"),
    "town": pd.Categorical(["b", "a", None, "b"], ["c", "b", "a"]),
    "size": pd.Categorical(["s", "m", "m", "s"], ["s", "m"], ordered=True),
})
for packing in ["snappy", "gzip", "zstd", "lz4", None]:
    parquet(f"people-{packing}", people, compression=packing)
parquet("labels-of-text", people.set_index("name")[["age"]].rename(index={None: "x"}))
parquet("labels-without-name", people[["age", "height"]].iloc[[3, 0, 1]])
parquet("labels-by-twos", people[["age"]].iloc[::2])
parquet("no-rows", people.iloc[:0])
parquet("no-columns", people[[]])
widths = {f"{sign}int{bits}": pa.array([1, 2, 100], f"{sign}int{bits}") for sign in ["", "u"] for bits in [8, 16, 32, 64]}
gaps = {f"{name} with a gap": pa.array([1, None, 100], name) for name in widths}
parquet("widths", pa.table({**widths, **gaps, "half": pa.array(np.array([0.5, 1.5, np.inf], "float16"))}))
moment = dt.datetime(2024, 5, 31, 14, 0, 1)
parquet("times", pa.table({**{unit: pa.array([moment, None], pa.timestamp(unit)) for unit in ["s", "ms", "us", "ns"]},
                           "day": pa.array([moment.date(), None]), "day64": pa.array([moment.date(), None], "date64")}))
parquet("texts", pa.table({"small": pa.array(["a", None, "ccc"], "string"), "large": pa.array(["", "b", None], "large_string"),
                           "dictionary": pa.array(["x", "y", "x"]).dictionary_encode()}))
long = {"n": range(70_000), "text": [str(row % 7) for row in range(70_000)]}
pq.write_table(pa.table(long), HERE / "long.parquet", row_group_size=30_000, compression="zstd", use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED", "text": "DELTA_LENGTH_BYTE_ARRAY"})
cases.append({"id": "long", "parquet": "long.parquet", "counts": 70_000})
refused = {
    "list": pa.array([[1], [2]]), "struct": pa.array([{"a": 1}, {"a": 2}]), "decimal": pa.array([decimal.Decimal("1.5")] * 2),
    "binary": pa.array([b"a", b"b"]), "zone": pa.array([moment, moment], pa.timestamp("us", tz="UTC")),
    "nanoseconds": pa.array([1, 2], pa.timestamp("ns")), "large": pa.array([2**63, 1], "uint64"), "time": pa.array([dt.time(1)] * 2),
}
for name, array in refused.items():
    parquet(f"refused-{name}", pa.table({name: array}), refused=True)

for number, text in enumerate([
    '{"a":1,"b":2.5}\n{"a":3,"b":4}\n', '{"a":1}\n{"b":true}\n', '{"a":"1"}\n{"a":"2"}\n', '{"a":"1.5"}\n{"a":null}\n',
    '{"a":"01"}\n{"a":"x"}\n', '{"a":true}\n{"a":false}\n', '{"a":true}\n{"a":null}\n', '{"a":1.0}\n{"a":2.0}\n',
    '{"a":1.0}\n{"a":null}\n', '{"a":1}\n{"a":"x"}\n', '{"a":1}\n{"a":true}\n', '{"a":null}\n{"a":null}\n',
    '{"d":"2024-05-01"}\n', '{"a":9223372036854775807}\n', '{"a":-9223372036854775808}\n', '\n{"a":1}\n\n{"a":2}\n',
    '{"a":1,"a":2}\n', '{"a":""}\n{"a":"1"}\n', '{"a":"True"}\n', '{"a":"x"}\n{"a":null}\n', '{"a":1e20}\n',
    '{"a":"1"}\n{"b":1}\n', '{"a":0.1}\n{"a":0.30000000000000004}\n', '{"b":1,"a":2}\r\n{"c":3,"a":4}\r\n',
    '{"a":"é\\u00e9\\n"}', '{"a":1}\n{"a":\n', '{"a":1}\nx\n', '{"a":18446744073709551616}\n', '{"a":1} {"a":2}\n',
    '{"a":1}\n{"a":null}\n', '{"a":-0.0}\n{"a":0.5}\n', '{"a":true}\n{"a":"x"}\n', '{"a":false}\n{"a":2.5}\n',
]):
    lines(f"lines-{number}", text)
(HERE / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
