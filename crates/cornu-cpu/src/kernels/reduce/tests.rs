use cornu_graph::ops::{OneResult, Reduce as Op};
use cornu_graph::random::{Stream, uniform01};
use cornu_graph::{Array, DType, Number};

use super::super::threads::share;
use super::*;

/// Runs a kernel on memory in shares, from the last to the first.
fn run(kernel: &Reduce, level: Level, pointers: &[*mut u8], parts: usize) {
    for part in (0..parts).rev() {
        // SAFETY: whoever calls it has made the memory as large as the kernel was told.
        unsafe {
            kernel.run(level, Bases::new(pointers), share(kernel.units(), part, parts), std::ptr::null_mut());
        }
    }
}

fn span(base: u32) -> Span {
    Span { base, at: 0 }
}

/// The results of a reduction of those numbers, in one step or two, on that level, in shares.
fn reduced<T: Stored>(kind: Reduction, ty: &Type, axes: &[usize], x: &[T], how: (Level, usize, bool)) -> Vec<T> {
    let kernel = Reduce::new(kind, ty, axes, [span(0), span(1)]);
    let (mut x, mut out) = (x.to_vec(), vec![T::store(T::Register::MOST); kernel.results]);
    let (level, shares, split) = how;
    if !split || kernel.count == 0 {
        run(&kernel, level, &[x.as_mut_ptr().cast(), out.as_mut_ptr().cast()], shares);
        return out;
    }
    let mut parts = vec![T::store(T::Register::MOST); kernel.results * kernel.count.div_ceil(BLOCK)];
    let pointers = [x.as_mut_ptr().cast(), out.as_mut_ptr().cast(), parts.as_mut_ptr().cast()];
    kernel.in_parts(span(2)).iter().for_each(|kernel| run(kernel, level, &pointers, shares));
    out
}

fn sum(shape: &[usize], axes: &[usize], x: &[f32]) -> Vec<f32> {
    reduced(Reduction::Sum, &Type::f32(shape.to_vec()), axes, x, (Level::detect(), 1, false))
}

/// Irregular numbers from 0 to 1.
fn numbers(len: usize) -> Vec<f32> {
    (1..=len).map(|i| (i as f64 * 0.618_033_988_749_894_9).fract() as f32).collect()
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn more_ones_than_singles_count() {
    let rows = 1 << 25;
    let ones = vec![1.0; rows * 2];
    assert_eq!(sum(&[rows, 2], &[0], &ones), [rows as f32; 2]);
    assert_eq!(sum(&[rows * 2], &[0], &ones), [rows as f32 * 2.0]);
    assert_eq!(sum(&[rows / 64, 2, 64], &[0, 2], &ones), [rows as f32; 2]);
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn the_mean_of_ten_million_is_near() {
    let mut x = vec![0.0; 10_000_000];
    uniform01(Stream::stateful(1, 2), 0, &mut x);
    for inner in [1, 2, 5, 100] {
        let rows = x.len() / inner;
        for (column, sum) in sum(&[rows, inner], &[0], &x).into_iter().enumerate() {
            let want: f64 = x.iter().skip(column).step_by(inner).map(|&x| f64::from(x)).sum();
            let error = (f64::from(sum) - want).abs() / want;
            assert!(error < 3e-6, "column {column} of {inner}: {sum}, not {want}");
        }
    }
}

const SHAPES: [(&[usize], &[usize]); 24] = [
    (&[63], &[0]),
    (&[64], &[0]),
    (&[3, 513], &[1]),
    (&[3, 1500], &[1]),
    (&[512, 3], &[0]),
    (&[513, 3], &[0]),
    (&[2, 1500, 70], &[1]),
    (&[1025, 64], &[0]),
    (&[600, 1100], &[0]),
    (&[2, 2000, 65], &[1]),
    (&[30, 4, 50], &[0, 2]),
    (&[30, 1, 50], &[0, 2]),
    (&[5, 3, 700], &[0, 2]),
    (&[20, 3, 30, 7], &[0, 2]),
    (&[40, 3, 33, 2, 5], &[0, 2, 4]),
    (&[4, 5, 3, 2], &[1, 2]),
    (&[1000, 0], &[0]),
    (&[0, 1000, 3], &[1]),
    (&[2, 0, 3], &[1]),
    (&[2, 0, 3], &[0, 1]),
    (&[3, 1, 4], &[1]),
    (&[10, 12], &[0]),
    (&[19, 10], &[1]),
    (&[19, 130], &[1]),
];

/// The elements of each result, in the order of memory.
fn columns_of<T: Copy>(shape: &[usize], axes: &[usize], x: &[T]) -> Vec<Vec<T>> {
    let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).collect();
    let mut all = vec![Vec::new(); kept.iter().map(|&axis| shape[axis]).product()];
    for (i, &x) in x.iter().enumerate() {
        let along = |axis: usize| i / shape[axis + 1..].iter().product::<usize>() % shape[axis];
        all[kept.iter().fold(0, |at, &axis| at * shape[axis] + along(axis))].push(x);
    }
    all
}

/// What the head of the module says, as plain as can be.
#[test]
fn sums_have_the_order_that_is_told() {
    for (shape, axes) in SHAPES {
        let (x, ty) = (numbers(shape.iter().product()), Type::f32(shape.to_vec()));
        let innermost = shape.iter().rposition(|&size| size != 1).is_none_or(|axis| axes.contains(&axis));
        let block = |block: &[f32], lanes: bool| match lanes {
            false => block.iter().fold(0.0, |total, x| total + x),
            true => {
                (0..16).map(|lane| block.iter().skip(lane).step_by(16).fold(0.0, |total, x| total + x)).sum::<f32>()
            }
        };
        let total = |column: Vec<f32>| {
            let lanes = innermost && column.len() >= 64;
            column.chunks(512).map(|x| block(x, lanes)).reduce(|total, sum| total + sum).unwrap_or(0.0).to_bits()
        };
        let want: Vec<u32> = columns_of(shape, axes, &x).into_iter().map(total).collect();
        for level in Level::all() {
            for how in [(level, 1, false), (level, 3, false), (level, 1, true), (level, 5, true)] {
                let got = reduced(Reduction::Sum, &ty, axes, &x, how);
                let got: Vec<u32> = got.into_iter().map(f32::to_bits).collect();
                assert!(got == want, "{shape:?} along {axes:?}, {how:?}: {got:?}, not {want:?}");
            }
        }
    }
}

/// As the reference evaluator has them, to the bit: whole numbers wrapped, extremes of every type.
#[test]
fn every_type_is_as_in_the_reference() {
    for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool) {
        let small = |&(shape, axes): &(&[usize], &[usize])| {
            axes.iter().any(|&axis| shape[axis] != 1) && shape.iter().product::<usize>() < 20_000
        };
        for (shape, axes) in SHAPES.into_iter().filter(small) {
            for kind in [Reduction::Sum, Reduction::Max, Reduction::Min] {
                if kind == Reduction::Sum && dtype.is_float() {
                    continue;
                }
                let ty = Type::new(dtype, shape.to_vec());
                let bits = |i: usize| (i as u64 + 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7;
                let x = Array::from_numbers(&ty, |i| match dtype.is_float() {
                    true => Number::Double([0.0, -0.0, -1.5, f64::NAN, f64::INFINITY, 7.0][bits(i) as usize % 6]),
                    false => Number::Whole(bits(i).into()),
                });
                let op = Op { kind, axes: axes.into() };
                let want = op.eval(&[&x], &op.infer(&[&ty]).expect("axes of the shape"));
                typed!(dtype, T => if let Some(x) = x.as_slice::<T>() {
                    for how in [(Level::Portable, 1, false), (Level::detect(), 3, false), (Level::detect(), 2, true)] {
                        let got = Array::vector(reduced(kind, &ty, axes, x, how));
                        // Debug texts tell the signs of zeros, and nothing else of not-a-number.
                        let [a, b] = [&got, &want].map(|x| (0..x.len()).map(|i| format!("{:?}", x.number(i))).collect::<Vec<_>>());
                        assert!(a == b, "{kind:?} {ty} along {axes:?}, {how:?}: {a:?}, not {b:?}");
                    }
                });
            }
        }
    }
}

#[test]
fn infinities_and_not_a_number_stay() {
    for inner in [1, 3] {
        let mut x = vec![1.0; 1500 * inner];
        x[700 * inner] = f32::INFINITY;
        assert_eq!(sum(&[1500, inner], &[0], &x)[0], f32::INFINITY);
        x[1400 * inner] = f32::NEG_INFINITY;
        assert!(sum(&[1500, inner], &[0], &x)[0].is_nan());
    }
}

/// Zeros of both signs, infinities, not-a-number and subnormal numbers, beside each other in every order.
#[test]
fn edges() {
    let edges = [0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-45, -1e-40, f32::MAX, f32::MIN];
    for inner in [1, 3] {
        for (first, second) in (0..100).map(|i| (i / 10, i % 10)) {
            let column = [edges[first], edges[second], -0.0];
            let x: Vec<f32> = column.iter().flat_map(|&x| vec![x; inner]).collect();
            for kind in [Reduction::Sum, Reduction::Max, Reduction::Min] {
                let out = reduced(kind, &Type::f32([3, inner]), &[0], &x, (Level::detect(), 1, false));
                let number = |x: f32| Number::Double(x.into());
                let step = |total: f32, x: &f32| kind.step(number(total), number(*x)).f64() as f32;
                let want = column.iter().fold(kind.start(DType::F32).f64() as f32, step);
                let same = |got: &f32| got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(out.iter().all(same), "{kind:?} of {column:?}: {out:?}, not {want}");
            }
        }
    }
}

#[test]
fn few_results_are_made_of_blocks() {
    let parts = |shape: &[usize], axes: &[usize]| {
        Reduce::new(Reduction::Sum, &Type::f32(shape.to_vec()), axes, [span(0), span(1)]).parts()
    };
    assert_eq!(parts(&[64, 1024], &[0, 1]), 128);
    assert_eq!(parts(&[50_000, 128], &[0]), 98 * 128);
    assert_eq!(parts(&[32, 8, 100, 100], &[0, 2, 3]), 8 * 625);
    assert_eq!([parts(&[4096, 1000], &[1]), parts(&[1000, 64], &[0]), parts(&[0, 5], &[0])], [0; 3]);
}
