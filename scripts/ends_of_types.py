"""Writes what NumPy makes of numbers at the ends of their types: testdata/ends.txt.

usage: ends_of_types.py > testdata/ends.txt

Each line is `NAME TYPE = NUMBERS`: `ends` are the numbers of a type; a function of two has each of them beside each, the
second one faster; a function of one, and `cast TYPE to TYPE`, has them in turn; `sum` and the like bring all together.
Lines of floats have numbers of their own for functions and for rounding. NumPy has no bfloat16: that is the one of ml_dtypes.
Quotients are cut towards zero and by zero have all bits set, as XLA has them: NumPy's are rounded down, and 0.
"""

from fractions import Fraction

import ml_dtypes
import numpy as np

TYPES = {
    "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
    "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
}
HALVES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}
OTHERS = {"bool": np.bool_, **HALVES, "f32": np.float32, "f64": np.float64}
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


def rounded(x, to):
    """As floats of 16 bits, in one rounding: numbers that are no singles are first cut to an odd last digit."""
    with np.errstate(all="ignore"):
        single = np.array([odd(number) for number in x], np.float32)
    return single.astype(HALVES[to])


def odd(number):
    """The number as a single that is even only if it is that number."""
    if not np.isfinite(number):
        return np.float32(number)
    exact = Fraction(int(number)) if isinstance(number, np.integer) else Fraction(float(number))
    near = np.float32(exact.numerator / exact.denominator)
    if np.isinf(near) or Fraction(float(near)) == exact:
        return near
    if abs(Fraction(float(near))) > abs(exact):
        near = np.nextafter(near, np.float32(0))
    return (near.view(np.uint32) | np.uint32(1)).view(np.float32)


np.seterr(all="ignore")
print("; what NumPy", np.__version__, "makes of numbers at the ends of their types; see scripts/ends_of_types.py")
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
        line(f"cast {name} to {to}", rounded(x, to) if to in HALVES else x.astype(other))
    line(f"sum {name}", np.sum(x, dtype=kind))
    line(f"greatest {name}", np.max(x))
    line(f"least {name}", np.min(x))
    line(f"argmax {name}", np.argmax(x[::-1]))
    line(f"argmin {name}", np.argmin(x[::-1]))
    line(f"dot {name}", np.dot(x, x))
    line(f"iota {name}", np.arange(300).astype(kind))
for name, kind in OTHERS.items():
    if name in HALVES:
        # Nothing here makes of bfloat16 what as a single would be subnormal: executors may take that for zero.
        low, high = (2.0**-24, 65504.0) if name == "f16" else (2.0**-60, 2.0**120)
        x = np.array([0.0, 1 / 3, -1.0, 2 + 1 / 128, 7.0, 255.0, low, -3 * low, high, -high, np.inf, -np.inf, np.nan])
        x = x.astype(kind)
        a, b = np.repeat(x, len(x)), np.tile(x, len(x))
        line(f"ends {name}", x)
        for op, function in (PAIRS | {"div": np.divide}).items():
            line(f"{op} {name}", function(a, b))
        for op, function in (SIGNED | {"sqrt": np.sqrt}).items():
            line(f"{op} {name}", function(x))
        finite = x[:10]
        line(f"ends {name}", finite)
        line(f"sum {name}", np.sum(finite.astype(np.float32), dtype=np.float32).astype(kind))
        line(f"dot {name}", np.dot(finite.astype(np.float32), finite.astype(np.float32)).astype(kind))
        line(f"greatest {name}", np.max(finite))
        line(f"least {name}", np.min(finite))
        line(f"argmax {name}", np.argmax(finite[::-1]))
        line(f"argmin {name}", np.argmin(finite[::-1]))
        line(f"iota {name}", np.arange(300).astype(kind))
    if name in ("f32", "f64"):
        # Ties, what is rounded twice by way of a single, subnormal numbers of half precision, the largest, beyond it.
        edges = [2.0**-8, 2.0**-11, 3 * 2.0**-8, 3 * 2.0**-11, 2.0**-8 + 2.0**-40, 2.0**-11 + 2.0**-40]
        x = [1 + edge for edge in edges] + [2.0**-24, 2.0**-25, 2.0**-25 + 2.0**-50, 3 * 2.0**-25, 1e-7, 6.1e-5, 1e-8]
        x += [65504.0, 65519.99, 65520.0, 3.3895e38, 3.395e38, 3.4e38, np.inf, np.nan]
        x += [1e300, 1e-300] if name == "f64" else []
        x = np.array([*x, *(-edge for edge in x)]).astype(kind)
        line(f"ends {name}", x)
        for to in HALVES:
            line(f"cast {name} to {to}", rounded(x, to))
    x = np.array([0.0, -0.0, 0.5, 0.99, 1.5, 7.0, 126.9] if name != "bool" else [0, 1]).astype(kind)
    line(f"ends {name}", x)
    for to, other in (TYPES | OTHERS).items():
        line(f"cast {name} to {to}", x.astype(other))
