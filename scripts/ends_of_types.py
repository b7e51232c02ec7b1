"""Writes what NumPy makes of whole numbers at the ends of their types: testdata/ends.txt.

usage: ends_of_types.py > testdata/ends.txt

Each line is `NAME TYPE = NUMBERS`: `ends` are the numbers of a type; a function of two has each of them beside each, the
second one faster; a function of one, and `cast TYPE to TYPE`, has them in turn; `sum` and the like bring all together.
Quotients are cut towards zero and by zero have all bits set, as XLA has them: NumPy's are rounded down, and 0.
"""

import numpy as np

TYPES = {
    "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
}
OTHERS = {"bool": np.bool_, "f32": np.float32, "f64": np.float64}
ODD = 2**53 + 1  # no double
TWICE = 2**54 + 2**30 + 1  # rounded to a double and then to a single it is not the nearest single


def quotient(a, b):
    """Cut towards zero; all bits set by zero."""
    by = np.where(b == 0, np.ones_like(b), b)
    return np.where(b == 0, ~np.zeros_like(b), (a - np.fmod(a, by)) // by)


PAIRS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": quotient, "max": np.maximum, "min": np.minimum,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}
SIGNED = {"neg": np.negative, "abs": np.abs, "sign": np.sign, "relu": lambda x: np.maximum(x, x.dtype.type(0))}


def line(name, values):
    words = [str(int(x)) if x.dtype.kind in "iub" else repr(float(x)) for x in np.atleast_1d(values)]
    print(name, "=", " ".join(words))


np.seterr(all="ignore")
print("; what NumPy", np.__version__, "makes of whole numbers at the ends of their types; see scripts/ends_of_types.py")
for name, kind in TYPES.items():
    info = np.iinfo(kind)
    ends = {info.min, info.min + 1, 0, 1, 7, info.max - 1, info.max}
    ends |= {-1, -7} if info.min < 0 else {info.max // 2 + 1}
    ends |= {ODD, TWICE} if info.bits == 64 else set()
    x = np.array(sorted(ends), dtype=kind)
    a, b = np.repeat(x, len(x)), np.tile(x, len(x))
    line(f"ends {name}", x)
    for op, function in PAIRS.items():
        line(f"{op} {name}", function(a, b))
    for op, function in SIGNED.items() if info.min < 0 else ():
        line(f"{op} {name}", function(x))
    for to, other in (TYPES | OTHERS).items():
        line(f"cast {name} to {to}", x.astype(other))
    line(f"sum {name}", np.sum(x, dtype=kind))
    line(f"greatest {name}", np.max(x))
    line(f"least {name}", np.min(x))
    line(f"argmax {name}", np.argmax(x[::-1]))
    line(f"argmin {name}", np.argmin(x[::-1]))
    line(f"dot {name}", np.dot(x, x))
    line(f"iota {name}", np.arange(300).astype(kind))
for name, kind in OTHERS.items():
    x = np.array([0.0, -0.0, 0.5, 0.99, 1.5, 7.0, 126.9] if name != "bool" else [0, 1]).astype(kind)
    line(f"ends {name}", x)
    for to, other in (TYPES | OTHERS).items():
        line(f"cast {name} to {to}", x.astype(other))
