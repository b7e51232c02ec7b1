//! What ops make of whole numbers, by Rust's own operators on the types themselves: a second opinion on the reference.

use cornu_graph::ops::{Arg, Binary, Compare, Dot, Op, Reduce, Reduction, Unary};
use cornu_graph::{Array, Bf16, DType, Element, F16, Type};

/// A type of whole numbers.
trait Whole: Element + Ord {
    const ENDS: (Self, Self);
    const ZERO: Self;
    fn unary(op: Unary, x: Self) -> Option<Self>;
    fn binary(op: Binary, x: Self, y: Self) -> Option<Self>;
    fn to(self, dtype: DType) -> Array;
}

macro_rules! whole {
    ($($t:ty: $negative:expr, $absolute:expr, $sign:expr;)*) => { $(
        impl Whole for $t {
            const ENDS: (Self, Self) = (<$t>::MIN, <$t>::MAX);
            const ZERO: Self = 0;
            fn unary(op: Unary, x: Self) -> Option<Self> {
                match op {
                    Unary::Neg => $negative(x),
                    Unary::Abs => $absolute(x),
                    Unary::Sign => $sign(x),
                    Unary::Relu => Some(Ord::max(x, 0)),
                    Unary::StopGradient => Some(x),
                    _ => None,
                }
            }
            fn binary(op: Binary, x: Self, y: Self) -> Option<Self> {
                Some(match op {
                    Binary::Add => x.wrapping_add(y),
                    Binary::Sub => x.wrapping_sub(y),
                    Binary::Mul => x.wrapping_mul(y),
                    Binary::Div => if y == 0 { !0 } else { x.wrapping_div(y) },
                    Binary::Max => Ord::max(x, y),
                    Binary::Min => Ord::min(x, y),
                    Binary::Pow | Binary::And | Binary::Or => return None,
                })
            }
            #[allow(clippy::cast_lossless, trivial_numeric_casts)]
            fn to(self, dtype: DType) -> Array {
                match dtype {
                    DType::Bool => Array::scalar(self != 0),
                    DType::U8 => Array::scalar(self as u8),
                    DType::U16 => Array::scalar(self as u16),
                    DType::U32 => Array::scalar(self as u32),
                    DType::U64 => Array::scalar(self as u64),
                    DType::I8 => Array::scalar(self as i8),
                    DType::I16 => Array::scalar(self as i16),
                    DType::I32 => Array::scalar(self as i32),
                    DType::I64 => Array::scalar(self as i64),
                    DType::F16 => Array::scalar(F16::from_whole(self as i128)),
                    DType::Bf16 => Array::scalar(Bf16::from_whole(self as i128)),
                    DType::F32 => Array::scalar(self as f32),
                    DType::F64 => Array::scalar(self as f64),
                    other => panic!("no {other}"),
                }
            }
        }
    )* };
}

whole! {
    u8: |_| None, |_| None, |_| None;
    u16: |_| None, |_| None, |_| None;
    u32: |_| None, |_| None, |_| None;
    u64: |_| None, |_| None, |_| None;
    i8: |x: i8| Some(x.wrapping_neg()), |x: i8| Some(x.wrapping_abs()), |x: i8| Some(x.signum());
    i16: |x: i16| Some(x.wrapping_neg()), |x: i16| Some(x.wrapping_abs()), |x: i16| Some(x.signum());
    i32: |x: i32| Some(x.wrapping_neg()), |x: i32| Some(x.wrapping_abs()), |x: i32| Some(x.signum());
    i64: |x: i64| Some(x.wrapping_neg()), |x: i64| Some(x.wrapping_abs()), |x: i64| Some(x.signum());
}

/// The result of an op that computes with whole numbers; `None` for others, and for those that only move elements.
pub(crate) fn expected(op: &Op, args: &[Array]) -> Option<Array> {
    match args.first()?.dtype() {
        DType::U8 => of::<u8>(op, args),
        DType::U16 => of::<u16>(op, args),
        DType::U32 => of::<u32>(op, args),
        DType::U64 => of::<u64>(op, args),
        DType::I8 => of::<i8>(op, args),
        DType::I16 => of::<i16>(op, args),
        DType::I32 => of::<i32>(op, args),
        DType::I64 => of::<i64>(op, args),
        _ => None,
    }
}

fn of<T: Whole>(op: &Op, args: &[Array]) -> Option<Array> {
    let x = args[0].as_slice::<T>()?;
    let y = || args[1].as_slice::<T>();
    let shape = args[0].shape().clone();
    let array = |shape, data: Vec<T>| Some(Array::new::<T>(shape, data).expect("the op's own size"));
    match op {
        Op::Unary(op) => array(shape, x.iter().map(|&x| T::unary(*op, x)).collect::<Option<_>>()?),
        Op::Binary(op) => {
            let pairs = x.iter().zip(y()?);
            array(shape, pairs.map(|(&x, &y)| T::binary(*op, x, y)).collect::<Option<_>>()?)
        }
        Op::Compare(op) => {
            let truths = x.iter().zip(y()?).map(|(x, y)| holds(*op, x, y)).collect();
            Some(Array::new(shape, truths).expect("the op's own size"))
        }
        Op::Cast(to) => {
            let mut out = Array::zeros(&Type::new(to.0, shape));
            x.iter().enumerate().for_each(|(i, &x)| out.buffer_mut().set_number(i, x.to(to.0).number(0)));
            Some(out)
        }
        Op::Reduce(reduce) => {
            let (shape, data) = reduced(reduce, &args[0].ty(), x);
            array(shape.into(), data)
        }
        Op::Dot(dot) if args[0].ty().rank() == 2 => {
            let (_, m, _, n) = dot.sizes(&shape, args[1].shape())?;
            array([m, n].into(), product(*dot, [&shape, args[1].shape()], x, y()?))
        }
        Op::Arg(Arg { largest, axis }) if *axis + 1 == shape.rank() => {
            let best = |row: &[T]| {
                let best = if *largest { row.iter().max() } else { row.iter().min() };
                row.iter().position(|x| Some(x) == best).expect("one of them") as i64
            };
            let rows = x.chunks_exact(shape[*axis]).map(best).collect();
            Some(Array::new(shape.without(*axis), rows).expect("one for each row"))
        }
        _ => None,
    }
}

fn holds<T: Whole>(op: Compare, x: &T, y: &T) -> bool {
    match op {
        Compare::Eq => x == y,
        Compare::Ne => x != y,
        Compare::Lt => x < y,
        Compare::Le => x <= y,
        Compare::Gt => x > y,
        Compare::Ge => x >= y,
    }
}

fn plus<T: Whole>(x: T, y: T) -> T {
    T::binary(Binary::Add, x, y).expect("a sum")
}

/// One axis after the other, from the last.
fn reduced<T: Whole>(reduce: &Reduce, ty: &Type, x: &[T]) -> (Vec<usize>, Vec<T>) {
    let (mut dims, mut data) = (ty.shape.to_vec(), x.to_vec());
    for &axis in reduce.axes.iter().rev() {
        let (outer, count) = (dims[..axis].iter().product::<usize>(), dims[axis]);
        let inner: usize = dims[axis + 1..].iter().product();
        let mut out = Vec::with_capacity(outer * inner);
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let all = (0..count).map(|j| data[(o * count + j) * inner + i]);
            out.push(match reduce.kind {
                Reduction::Sum => all.fold(T::ZERO, plus),
                Reduction::Max => all.max().unwrap_or(T::ENDS.0),
                Reduction::Min => all.min().unwrap_or(T::ENDS.1),
            });
        }
        (data, _) = (out, dims.remove(axis));
    }
    (dims, data)
}

/// The definition, cell by cell.
fn product<T: Whole>(dot: Dot, [a, b]: [&[usize]; 2], x: &[T], y: &[T]) -> Vec<T> {
    let cell = |data: &[T], shape: &[usize], swapped, [i, j]: [usize; 2]| {
        let [i, j] = if swapped { [j, i] } else { [i, j] };
        data[i * shape[1] + j]
    };
    let (m, k) = if dot.transpose_a { (a[1], a[0]) } else { (a[0], a[1]) };
    let n = if dot.transpose_b { b[0] } else { b[1] };
    let times = |i, j, p| {
        let (x, y) = (cell(x, a, dot.transpose_a, [i, p]), cell(y, b, dot.transpose_b, [p, j]));
        T::binary(Binary::Mul, x, y).expect("a product")
    };
    let cells = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
    cells.map(|(i, j)| (0..k).map(|p| times(i, j, p)).fold(T::ZERO, plus)).collect()
}
