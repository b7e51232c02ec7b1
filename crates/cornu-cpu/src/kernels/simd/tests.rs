//! Every method on every level against the same arithmetic on single numbers.

use super::{Level, Simd};

const A: [f32; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    3.5,
    -2.5,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1e-40,
    1e30,
    -1e30,
    7.25,
    0.1,
    -0.3,
];
const B: [f32; 16] =
    [-0.0, 0.0, 1.0, 2.0, -3.0, f32::NAN, -2.5, 1.0, f32::INFINITY, f32::NAN, 1.0, 1e30, 3.0, -7.25, 0.7, 0.3];

type Binary = fn(f32, f32) -> f32;
const TABLE: [(&str, Binary); 20] = [
    ("add", |a, b| a + b),
    ("sub", |a, b| a - b),
    ("mul", |a, b| a * b),
    ("div", |a, b| a / b),
    ("max", |a, b| if a > b { a } else { b }),
    ("min", |a, b| if a < b { a } else { b }),
    ("maximum", |a, b| if a.is_nan() || a > b { a } else { b }),
    ("minimum", |a, b| if a.is_nan() || a < b { a } else { b }),
    ("abs", |a, _| a.abs()),
    ("neg", |a, _| -a),
    ("sqrt", |a, _| a.sqrt()),
    ("eq", |a, b| f32::from(a == b)),
    ("ne", |a, b| f32::from(a != b)),
    ("lt", |a, b| f32::from(a < b)),
    ("le", |a, b| f32::from(a <= b)),
    ("gt", |a, b| f32::from(a > b)),
    ("ge", |a, b| f32::from(a >= b)),
    ("both", |a, b| f32::from(a < b && a == a.abs())),
    ("either", |a, b| f32::from(a < b || a == a.abs())),
    ("mul_add", |a, b| a.mul_add(b, 0.5)),
];

#[inline(always)]
fn apply<S: Simd>(s: S, name: &str, a: S::F, b: S::F) -> S::F {
    let number = |m| s.select(m, s.splat(1.0), s.splat(0.0));
    match name {
        "add" => s.add(a, b),
        "sub" => s.sub(a, b),
        "mul" => s.mul(a, b),
        "div" => s.div(a, b),
        "max" => s.max(a, b),
        "min" => s.min(a, b),
        "maximum" => s.maximum(a, b),
        "minimum" => s.minimum(a, b),
        "abs" => s.abs(a),
        "neg" => s.neg(a),
        "sqrt" => s.sqrt(a),
        "eq" => number(s.eq(a, b)),
        "ne" => number(s.ne(a, b)),
        "lt" => number(s.lt(a, b)),
        "le" => number(s.le(a, b)),
        "gt" => number(s.gt(a, b)),
        "ge" => number(s.ge(a, b)),
        "both" => number(s.both(s.lt(a, b), s.eq(a, s.abs(a)))),
        "either" => number(s.either(s.lt(a, b), s.eq(a, s.abs(a)))),
        "mul_add" => s.mul_add(a, b, s.splat(0.5)),
        _ => unreachable!("no method {name}"),
    }
}

#[inline(always)]
fn map<S: Simd>(s: S, name: &str, out: &mut [f32; 16]) {
    for i in (0..16).step_by(S::LANES) {
        // SAFETY: the arrays hold sixteen floats and `LANES` divides sixteen.
        unsafe {
            s.store(out.as_mut_ptr().add(i), apply(s, name, s.load(A.as_ptr().add(i)), s.load(B.as_ptr().add(i))));
        };
    }
}
dispatch! { fn map_at = map(name: &str, out: &mut [f32; 16]); }

#[test]
fn floats() {
    for level in Level::all() {
        for (name, expected) in TABLE {
            let mut out = [0.0; 16];
            map_at(level, name, &mut out);
            for i in 0..16 {
                let want = expected(A[i], B[i]);
                let close = name == "mul_add" && (out[i] - want).abs() <= want.abs() * 1e-6;
                let same = out[i].to_bits() == want.to_bits() || out[i].is_nan() && want.is_nan() || close;
                assert!(same, "{} {name}({}, {}): needed {want}, got {}", level.name(), A[i], B[i], out[i]);
            }
        }
    }
}

#[inline(always)]
fn integers<S: Simd>(s: S, out: &mut [[f32; 16]; 8]) {
    let half = s.splat_int(5);
    for i in (0..16).step_by(S::LANES) {
        // SAFETY: as in `map`.
        unsafe {
            let x = s.round_int(s.load(
                [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 7.4, -7.6, 0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 7.4, -7.6].as_ptr().add(i),
            ));
            let results = [
                x,
                s.add_int(x, half),
                s.sub_int(x, half),
                s.and_int(x, half),
                s.or_int(x, half),
                s.shift_left(x, 3),
                s.shift_right(x, 1),
                s.bits_of(s.float_of(x)),
            ];
            for (out, result) in out.iter_mut().zip(results) {
                s.store(out.as_mut_ptr().add(i), s.to_float(result));
            }
        }
    }
}
dispatch! { fn integers_at = integers(out: &mut [[f32; 16]; 8]); }

#[test]
fn whole_numbers() {
    let rounded = [0, 0, 2, 2, 0, -2, 7, -8];
    let table: [fn(i32) -> i32; 8] = [|x| x, |x| x + 5, |x| x - 5, |x| x & 5, |x| x | 5, |x| x << 3, |x| x >> 1, |x| x];
    for level in Level::all() {
        let mut out = [[0.0; 16]; 8];
        integers_at(level, &mut out);
        for (row, expected) in out.iter().zip(table) {
            let want: Vec<f32> = (0..16).map(|i| expected(rounded[i % 8]) as f32).collect();
            assert_eq!(row.to_vec(), want, "{}", level.name());
        }
    }
}

/// Copies the first `from.len() % LANES` floats of the last vector, and whole vectors before.
#[inline(always)]
fn copy<S: Simd>(s: S, from: &[f32], to: &mut [f32]) {
    for i in (0..from.len()).step_by(S::LANES) {
        let n = (from.len() - i).min(S::LANES);
        // SAFETY: `n` floats are left in both slices.
        unsafe { s.store_first(n, to.as_mut_ptr().add(i), s.load_first(n, from.as_ptr().add(i))) };
    }
}
dispatch! { fn copy_at = copy(from: &[f32], to: &mut [f32]); }

#[test]
fn tails() {
    for level in Level::all() {
        for n in 0..=33 {
            let from: Vec<f32> = (0..n).map(|i| i as f32 + 1.0).collect();
            let mut to = vec![-1.0; n + 16];
            copy_at(level, &from, &mut to);
            assert_eq!(to[..n], from, "{} {n}", level.name());
            assert!(to[n..].iter().all(|&x| x == -1.0), "{} {n}: wrote behind the end", level.name());
        }
    }
}

#[inline(always)]
fn bytes<S: Simd>(s: S, from: &[u8; 16], to: &mut [u8; 16], numbers: &mut [f32; 16]) {
    for i in (0..16).step_by(S::LANES) {
        // SAFETY: as in `map`.
        unsafe {
            let x = s.load_bytes(from.as_ptr().add(i));
            s.store(numbers.as_mut_ptr().add(i), x);
            s.store_bytes(to.as_mut_ptr().add(i), x);
        }
    }
}
dispatch! { fn bytes_at = bytes(from: &[u8; 16], to: &mut [u8; 16], numbers: &mut [f32; 16]); }

#[test]
fn bytes_are_numbers_there_and_back() {
    for level in Level::all() {
        let from = std::array::from_fn(|i| [0, 1, 127, 128, 255, 17, 254, 3][i % 8]);
        let (mut to, mut numbers) = ([7; 16], [0.0; 16]);
        bytes_at(level, &from, &mut to, &mut numbers);
        assert_eq!((to, numbers), (from, from.map(f32::from)), "{}", level.name());
    }
}
