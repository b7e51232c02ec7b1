"""Writes what pandas reads from files of separated values.

usage: read.py FOLDER [TABLES]
Made with pandas 3.1.1. FOLDER gets cases.json. TABLES, if given, is a folder of other files: each becomes a case, with the
options of a .json file of the same name beside it, and is copied to FOLDER.
"""

import base64
import gzip
import io
import json
import math
import pathlib
import shutil
import sys
import warnings
import zipfile

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")


def value(x):
    """A value as JSON has it: floats by their bits, dates in microseconds, what is missing as null."""
    if x is None or x is pd.NaT or x is pd.NA:
        return None
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (float, np.floating)):
        return None if math.isnan(x) else float(x).hex()
    if isinstance(x, (int, np.integer)):
        return int(x) if -(2**63) <= int(x) < 2**63 else str(x)
    if isinstance(x, (pd.Timestamp, np.datetime64)):
        return int(pd.Timestamp(x).as_unit("us").asm8.astype("int64"))
    return str(x)


def column(values, name):
    dtype = "str" if str(values.dtype) in ("str", "string") else str(values.dtype)
    described = {"name": name, "dtype": dtype, "values": [value(x) for x in values]}
    if dtype == "category":
        described["categories"] = [value(x) for x in values.cat.categories]
    return described


def read(source, options):
    options = dict(options)
    if options.get("skipfooter"):
        options["engine"] = "python"
    table = pd.read_csv(source, **options)
    index = None
    if len(table) > 0 and not (table.index.equals(pd.RangeIndex(len(table))) and table.index.name is None):
        assert not isinstance(table.index, pd.MultiIndex), "two columns of labels"
        index = column(pd.Series(table.index), table.index.name)
    columns = [column(table.iloc[:, i], str(name)) for i, name in enumerate(table.columns)]
    return {"rows": len(table), "columns": columns, "index": index}


def case(id, data, found_out=(), refuses=False, **options):
    """What pandas makes of some bytes. `found_out` names options that are not said to the reader under test."""
    data = data.encode() if isinstance(data, str) else data
    made = {"id": id}
    try:
        made["text"] = data.decode()
    except UnicodeDecodeError:
        made["base64"] = base64.b64encode(data).decode()
    # Packed bytes are told by their contents.
    given = {**options, "compression": "gzip" if data[:2] == b"\x1f\x8b" else "zip" if data[:2] == b"PK" else None}
    made["options"] = {name: setting for name, setting in options.items() if name not in found_out}
    try:
        made["result"] = read(io.BytesIO(data), given)
        assert not refuses, f"{id}: pandas reads it"
    except (ValueError, TypeError, pd.errors.ParserError, UnicodeError, AssertionError, LookupError) as error:
        if isinstance(error, AssertionError) or not refuses:
            raise
        made["error"] = f"{type(error).__name__}: {error}".strip()
    return made


def packed(text, name="table.csv"):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(name)
        file.writestr(info, text)
    return archive.getvalue()


random = np.random.RandomState(7)
WIDE = ",".join(f"c{i}" for i in range(300)) + "\n" + "\n".join(",".join(map(str, random.randint(0, 9, 300))) for _ in range(3)) + "\n"
NUMBERS = ["0.1", "-0.30000000000000004", "1e22", "1e23", "5e-324", "1.7976931348623157e308", "1e400", "-1e400", "1e-400", "0.10000000000000000555",
           "123456789012345678", "9007199254740993.0", "2.2250738585072011e-308", "-0.0", ".5", "5.", "1E5", "+1.5", " 2.5 ", "4.35", "0.000001", "1.005"]
NUMBERS += [repr(x) for x in (random.normal(size=200) * 10.0 ** random.randint(-9, 9, 200)).tolist()]
NUMBERS += [f"{x:.6f}" for x in random.normal(size=50)] + [f"{x:.17f}" for x in random.normal(size=50)] + [f"{x:.20e}" for x in random.normal(size=50)]
WORDS = ["inf", "-inf", "+inf", "Infinity", "INF", " inf", "inf ", "nan", "NaN", " nan", "NAN", "-nan", "NULL", "null", "None", "N/A", "n/a", "#N/A", "NA", "<NA>", "1_000", "0x10", "1 2", "1e",
         ".", "-", "+", "", "١", "1d5", "00012", "+5", "-0", "1,5", "$5", "5%", "12 kg", "TRUE", "yes", "#NA", "-1.#IND", "none", "Na"]

CASES = [
    # types
    case("floats", "x\n" + "\n".join(NUMBERS) + "\n"),
    *[case(f"word {word!r}", f'a,b\n"{word}",1\n') for word in WORDS],
    *[case(f"word {word!r} among numbers", f'a,b\n1,1\n"{word}",1\n2,3\n') for word in WORDS],
    case("largest int", "a\n9223372036854775807\n-9223372036854775808\n"),
    case("beyond int64", "a\n9223372036854775808\n1\n"),
    case("beyond uint64", "a\n18446744073709551616\n1\n"),
    case("beyond int64, negative", "a\n9223372036854775808\n-1\n"),
    case("beyond int64 and a fraction", "a\n9223372036854775808\n1.5\n"),
    case("ints with a gap", "a,b\n1,1\n,2\n"),
    case("minus zero", "a,b\n-0,-0\n1.5,2\n"),
    case("bools", "a,b,c\nTrue,true,FALSE\nFalse,tRUE,false\n"),
    case("bools with a gap", "a,b\nTrue,1\n,2\nFalse,3\n"),
    case("bools and numbers", "a\nTrue\n1\n"),
    case("bools and text after a gap", "a,b\n,1\nTrue,2\nmaybe,3\n"),
    case("nothing but gaps", "a,b\n,1\n,2\n"),
    case("gap first, then ints", "a,b\n,1\n5,2\n"),
    case("gap first, then bools", "a,b\n,1\nTrue,2\n"),
    case("text late", "a,b\n" + "".join(f"{i},{i / 2}\n" for i in range(50)) + "x,y\n"),
    case("ints with a gap and a minus zero", "a,b\n-0,1\n,2\n5,3\n"),
    case("gap, minus zero and a fraction", "a,b\n,1\n-0,2\n0.5,3\n"),
    case("minus zero as float", "a\n-0\n7\n", dtype="float64"),
    case("beyond int64 as float", "a\n9223372036854775808\n1\n", dtype="float64"),
    case("categories of ints with gaps", "a,b\n3,1\n,2\n-1,3\n3,4\n", dtype={"a": "category"}),
    case("dates of no rows", "d,v\n", parse_dates=["d"]),
    case("int to float late", "a\n" + "".join(f"{i}\n" for i in range(50)) + "0.5\n"),
    # names
    case("doubled names", "a,a,a.1,b,a\n1,2,3,4,5\n"),
    case("no names", ",a,,a,\n1,2,3,4,5\n"),
    case("names of numbers", "6,148,6\n1,2,3\n"),
    case("names of numbers are data", "6,148,6\n1,2,3\n", header=None),
    case("no header, names", "1,2\n3,4\n", names=["x", "y"]),
    case("names in place of the header", "a,b\n1,2\n", names=["x", "y"], header=0),
    case("more names than fields", "1,2\n3,4\n", names=["x", "y", "z"]),
    case("fewer names than fields", "1,2\n3,4\n", names=["x"]),
    case("header further down", "made by x\nsome day\na,b\n1,2\n", header=2),
    case("header behind blank lines", "\n\n a,b\n1,2\n"),
    case("names alone", "a,b\n"),
    case("names in quotes", '"a, b","c""d"\n1,2\n'),
    case("names with spaces", " a , b\n1,2\n"),
    case("first line in quotes with breaks", '"a\nb",c\n1,2\n'),
    # labels of the rows
    case("label column by name", "id,a\n7,1\n8,2\n", index_col="id"),
    case("label column by position", "id,a\nx,1\ny,2\n", index_col=0),
    case("labels without a name", ",a\nx,1\ny,2\n", index_col=0),
    case("labels in rows alone", "a,b\nx,1,2\ny,3,4\n"),
    case("separator at the ends", "a,b\n1,2,\n3,4,\n"),
    case("separator at the ends, no labels", "a,b\n1,2,\n3,4,\n", index_col=False),
    case("labels of dates", "d,v\n2020-01-05,1\n2020-01-06,2\n", index_col="d", parse_dates=True),
    # columns
    case("usecols by name", "a,b,c\n1,x,3\n4,y,6\n", usecols=["c", "a"]),
    case("usecols by position", "a,b,c\n1,x,3\n4,y,6\n", usecols=[2, 1]),
    case("usecols and labels", "a,b,c\n1,x,3\n4,y,6\n", usecols=[2, 0], index_col="c"),
    case("usecols, longer lines", "a,b,c\n1,2,3\n4,5,6,7\n", usecols=[0, 1]),
    case("usecols with names", "1,2,3\n4,5,6\n", usecols=[0, 2], names=["x", "z"]),
    case("usecols, names as many, longer lines", "c\n1,5\n2,6\n", usecols=[1]),
    case("usecols without a header", "1,2,3\n4,5,6\n", usecols=[0, 2], header=None),
    case("dtype of all", "a,b\n1,2.5\n3,\n", dtype="str"),
    case("dtypes", "zip,x,y,b,c,g\n01234,1,2,1,x,3\n00501,4,,0,y,1\n", dtype={"zip": "str", "x": "float64", "y": "float32", "b": "bool", "c": "category", "g": "category"}),
    case("whole floats as ints", "a\n1.0\n2.0\n", dtype="int64"),
    case("bools as ints", "a\nTrue\nFalse\n", dtype="int64"),
    # rows
    case("nrows", "a,b\n1,2\n3,x\n", nrows=1),
    case("nrows beyond the end", "a,b\n1,2\n3,4\n", nrows=9),
    case("skiprows count", "made by x\n\na,b\n1,2\n", skiprows=2),
    case("skiprows list", "made by x\na,b\nunits,kg\n1,2\n3,4\n", skiprows=[0, 2]),
    case("skipfooter", "a,b\n1,2\n3,4\nTotal,6\n", skipfooter=1),
    case("skipfooter of longer lines", "a,b\n1,2\n3,4\n\nSource: x, y, z\n", skipfooter=2),
    case("totals in the last row", "item,n\nx,1\ny,2\nTotal,3\n"),
    case("comments", "# made by x\na,b\n1,2#z\n#q\n3,#\n", comment="#"),
    case("blank lines", "a,b\n\n1,2\n   \n\n3,4\n\n\n"),
    case("blank lines count", "a,b\n1,2\n\n3,4\n", skip_blank_lines=False),
    case("ragged, shorter", "a,b,c\n1,2\n3\n4,5,6\n"),
    case("bad lines skipped", "a,b\n1,2\n3,4,5\n6,7\n", on_bad_lines="skip"),
    case("bad lines told", "a,b\n1,2\n3,4,5\n6,7\n", on_bad_lines="warn"),
    # missing values
    case("na_values", "a,b\n?,x\n-,-\n1,?\n", na_values=["?", "-"]),
    case("na_values of numbers", "a,b\n999,999.0\n1.5,2\n-1,3\n", na_values=["999"]),
    case("na_values of a column", "a,b\n0,0\n1,5\n", na_values={"a": ["0"]}),
    case("keep_default_na off", "a,b\nNA,x\n,y\n", keep_default_na=False),
    case("keep_default_na off, own words", "a,b\nNA,1\n?,2\n", keep_default_na=False, na_values=["?"]),
    case("true and false words", "a,b\nyes,1\nno,0\n", true_values=["yes"], false_values=["no"]),
    case("true and false words and gaps", "a,b\nja,1\nnein,0\n,2\n", true_values=["ja"], false_values=["nein"]),
    # marks
    case("semicolons", "a;b\n1;x\n2;y,z\n", sep=";"),
    case("tabs", "a\tb\n1\tx y\n\t3\n", sep="\t"),
    case("bars", "a|b\n1|x\n2|y\n", sep="|"),
    case("any spaces", "  a b   c\n1  2\t3\n 4 5 6  \n\n7 8 9\n", sep="\\s+"),
    case("semicolons found out", "a;b\n1;x\n2;y,z\n", found_out=["sep"], sep=";"),
    case("decimal commas found out", "a;b\n1,5;2,25\n3,0;4,75\n", found_out=["sep", "decimal"], sep=";", decimal=","),
    case("decimal commas and points found out", "a;b\n1.234,5;2\n3,0;4\n", found_out=["sep", "decimal", "thousands"], sep=";", decimal=",", thousands="."),
    case("tabs found out", "a\tb\n1\tx, y\n2\t3\n", found_out=["sep"], sep="\t"),
    case("bars found out", "a|b|c\n1|2|3\n4|5|6\n", found_out=["sep"], sep="|"),
    case("commas, though semicolons too", "a,b\nx;y,1\nz,2\n"),
    case("one column of text", "genre\nDrama|Comedy\nAction|Crime\n"),
    case("decimal comma", "a;b\n1,5;x\n-2,25;y\n1e3;z\n", sep=";", decimal=","),
    case("thousands", 'a,b\n"1,234",5\n"12,345,678","1,234.5"\n', thousands=","),
    case("thousands and decimal comma", "a;b\n1.234,5;1.000\n2.000.000,25;2.500\n", sep=";", decimal=",", thousands="."),
    case("quotes", 'a,b\n"x, y","say ""hi"""\n"z",""\n'),
    case("quoted numbers", 'a,b\n"1","2.5"\n"3",""\n'),
    case("quoted breaks", 'a,b\n"x\ny",1\n"p\r\nq\n\nr",2\n'),
    case("quotes inside", 'a,b\nx"y,1\n"x"y,2\nz "q",3\n'),
    case("quotechar", "a,b\n'x, y',1\n'it''s',2\n", quotechar="'"),
    case("escapechar", 'a,b\n"x \\"y\\"",1\nz\\,q,2\n', escapechar="\\"),
    case("doublequote off", 'a,b\n"x""y",2\n', doublequote=False),
    case("skipinitialspace", 'a, b,  c\n1, "x, y",  z\n', skipinitialspace=True),
    case("spaces kept", "a, b\n1, x\n2,y \n"),
    case("units in cells", "item,weight\nx,12 kg\ny,3 kg\n"),
    case("prices", "item,price\nx,$1.50\ny,$2\n"),
    case("percent", "item,share\nx,50%\ny,12.5%\n"),
    case("dates stay text", "day,v\n2020-01-05,1\n2020-01-06,2\n"),
    # ends of lines, encodings, packing
    case("CRLF", "a,b\r\n1,2\r\n\r\n3,4\r\n"),
    case("CR", "a,b\r1,2\r3,4\r"),
    case("no end of line", "a,b\n1,2"),
    case("empty last field without an end of line", "a,b\n1,"),
    case("byte order mark", b"\xef\xbb\xbfa,b\n1,2\n"),
    case("byte order mark and quotes", b'\xef\xbb\xbf"a",b\n1,2\n'),
    case("utf-8", "stadt,größe\nKöln,1\nZürich,2\n東京,3\n"),
    case("utf-8-sig", "\ufeffstadt,größe\nKöln,1\n", encoding="utf-8-sig"),
    case("latin-1", "stadt,größe\nKöln,1\nZürich,2\n".encode("latin-1"), encoding="latin-1"),
    case("iso-8859-1", "stadt;größe\nKöln;1,5\n".encode("latin-1"), encoding="ISO-8859-1", sep=";", decimal=","),
    case("cp1252", "what,€\n“x” – y…,1\n".encode("cp1252"), encoding="cp1252"),
    case("utf-16", "a,ß\n1,x\n2,😀\n".encode("utf-16"), encoding="utf-16"),
    case("utf-16-be", "a,ß\n1,x\n2,y\n".encode("utf-16-be"), encoding="utf-16-be"),
    case("gzip", gzip.compress(b"a,b\n1,2\n3,4\n", mtime=0)),
    case("zip", packed("a,b\n1,2\n3,x\n")),
    case("wide", WIDE),
    # dates
    *[case(f"dates {form}", "d\n" + "\n".join(f'"{pd.Timestamp(day).strftime(form)}"' for day in ("2020-01-25 13:05:06", "1999-12-03 00:00:59", "2024-02-29 23:59:00")) + "\n", parse_dates=["d"])
      for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%b %d, %Y",
                   "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%Y-%m", "%Y", "%m/%d/%Y %I:%M %p", "%m/%d/%y", "%a %b %d %Y", "%d %B %Y %H:%M:%S")],
    case("day first", "d\n01/02/2020\n03/04/2020\n", parse_dates=["d"], dayfirst=True),
    case("day first, dots", "d\n1.2.2020\n3.4.2020\n", parse_dates=["d"], dayfirst=True),
    case("day second", "d\n01/02/2020\n03/04/2020\n", parse_dates=["d"]),
    case("dates with gaps", "d,e\n2020-01-05,\nNA,\n2020-01-06,\n", parse_dates=["d"]),
    case("dates by position", "a,d\n1,2020-01-05\n", parse_dates=[1]),
    case("date format", "d\n5|1|2020\n26|1|2020\n", parse_dates=["d"], date_format="%d|%m|%Y"),
    case("no dates", "d\nx\ny\n", parse_dates=["d"]),
    case("not all dates", "d\n2020-01-05\nlater\n", parse_dates=["d"]),
    case("two forms of dates", "d\n2020-01-05\n2020-01-05 10:00\n", parse_dates=["d"]),
    case("no such day", "d\n2020-02-30\n", parse_dates=["d"]),
    case("numbers are no dates", "d\n5\n6\n", parse_dates=["d"]),
    case("zones stay text", "d\n2020-01-05T10:00:00+01:00\n2020-06-05T10:00:00+02:00\n", parse_dates=["d"]),
    # refused
    case("nothing", "", refuses=True),
    case("blank lines alone", "\n\n", refuses=True),
    case("a longer line", "a,b\n1,2\n3,4,5\n", refuses=True),
    case("a longer line behind one with a label", "a,b\nx,1,2\ny,1,2,\n", refuses=True),
    case("an open quote", 'a,b\n1,"x\n2,3\n', refuses=True),
    case("not utf-8", b"a,b\n1,\xe9\n", refuses=True),
    case("unknown usecols", "a,b\n1,2\n", refuses=True, usecols=["c"]),
    case("unknown label column", "a,b\n1,2\n", refuses=True, index_col="c"),
    case("unknown date column", "a,b\n1,2\n", refuses=True, parse_dates=["c"]),
    case("text as floats", "a\nx\n", refuses=True, dtype="float64"),
    case("gaps as ints", "a,b\n1,1\n,2\n", refuses=True, dtype="int64"),
    case("fractions as ints", "a\n1.5\n", refuses=True, dtype="int64"),
    case("numbers as bools", "a\n1\n2\n", refuses=True, dtype="bool"),
    case("header beyond the end", "a\n1\n", refuses=True, header=5),
    case("doubled names given", "1,2\n", refuses=True, names=["a", "a"]),
    case("unknown encoding", "a\n1\n", refuses=True, encoding="no-such"),
]


def others(tables, folder):
    for path in sorted(p for p in tables.iterdir() if p.suffix != ".json"):
        said = path.with_suffix(".json")
        options = json.loads(said.read_text()) if said.exists() else {}
        made = {"id": path.name, "file": path.name, "options": options}
        shutil.copy(path, folder / path.name)
        try:
            made["result"] = read(path, options)
        except Exception as error:
            made["error"] = f"{type(error).__name__}: {error}".strip()
        yield made


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = list(others(pathlib.Path(sys.argv[2]), folder)) if len(sys.argv) > 2 else CASES
    lines = ",\n".join(json.dumps(made, ensure_ascii=False, separators=(",", ":")) for made in cases)
    (folder / "cases.json").write_text(f"[\n{lines}\n]\n")
    print(len(cases), "cases")
