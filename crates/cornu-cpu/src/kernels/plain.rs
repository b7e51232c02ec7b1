//! Work on element types and forms that have no kernel of their own: one element after the other, as the reference
//! evaluator does, without allocating. Right for everything, quick for little.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Dot, Op};
use cornu_graph::{Bf16, DType, Element, F16, Number};

use super::memory::typed;
use super::operand::{Bases, Kernel, Place};
use super::simd::Level;

/// How many elements of mixed types are computed before they are written.
const MIXED: usize = 32;

/// An op on spans of any element types.
#[derive(Debug)]
pub(crate) enum Plain {
    /// One element after the other: the op, and its operands.
    Each(Op, Vec<Place>, Place),
    /// `(batch, m, k, n)` matrix products.
    Dot(Dot, (usize, usize, usize, usize), [Place; 2], Place),
}

impl Plain {
    /// Each element of the result from the same element of the operands.
    pub(crate) fn each(op: &Op, args: &[Place], out: Place) -> Plain {
        Plain::Each(op.clone(), args.to_vec(), out)
    }

    fn all(&self, bases: Bases) {
        match self {
            // Labels and counts of steps, in every step of training.
            Plain::Each(Op::Cast(_), args, out) if is_quick(args[0].dtype, out.dtype) => {
                match (args[0].dtype, out.dtype) {
                    (DType::I64, _) => converted(bases, args[0], *out, |x: i64| x as f32),
                    (DType::F16, _) => converted(bases, args[0], *out, F16::to_f32),
                    (DType::Bf16, _) => converted(bases, args[0], *out, Bf16::to_f32),
                    (_, DType::F16) => converted(bases, args[0], *out, |x: f32| F16::from_f64(x.into())),
                    _ => converted(bases, args[0], *out, |x: f32| Bf16::from_f64(x.into())),
                }
            }
            Plain::Each(op, args, out) if args.iter().all(|arg| arg.dtype == out.dtype) => {
                typed!(out.dtype, T => each::<T>(bases, op, args, *out));
            }
            Plain::Each(op, args, out) => mixed(bases, op, args, *out),
            Plain::Dot(dot, sizes, args, out) => typed!(out.dtype, T => product::<T>(bases, *dot, *sizes, *args, *out)),
        }
    }
}

impl Kernel for Plain {
    fn units(&self) -> usize {
        1
    }

    fn grain(&self) -> usize {
        1
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, _: Range<usize>, _: *mut u8) {
        self.all(bases);
    }
}

/// What the step does, for snapshots of plans.
impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plain::Each(op, _, out) => write!(f, "{op} {} {}", out.dtype, out.len),
            Plain::Dot(_, _, [a, b], out) => write!(f, "dot {} {} -> {}", a.len, b.len, out.len),
        }
    }
}

/// The elements of a value, of which another may be at the same place.
#[derive(Clone, Copy)]
struct Row<T>(*mut T, usize);

impl<T: Copy> Row<T> {
    fn new(bases: Bases, place: Place) -> Row<T> {
        Row(bases.at(place.span), place.len)
    }

    fn get(self, i: usize) -> T {
        assert!(i < self.1, "element {i} of {}", self.1);
        // SAFETY: places lie inside their buffers.
        unsafe { *self.0.add(i) }
    }

    fn set(self, i: usize, x: T) {
        assert!(i < self.1, "element {i} of {}", self.1);
        // SAFETY: as above.
        unsafe { *self.0.add(i) = x };
    }
}

/// Element `i` of a value.
fn number(bases: Bases, place: Place, i: usize) -> Number {
    typed!(place.dtype, T => Row::<T>::new(bases, place).get(i).number())
}

/// Labels and counts of steps, in every step of training, and what widens and rounds floats of 16 bits.
fn is_quick(from: DType, to: DType) -> bool {
    let narrow = |dtype: DType| dtype == DType::I64 || dtype.is_half();
    from == DType::F32 && to.is_half() || narrow(from) && to == DType::F32
}

fn converted<A: Element, B: Element>(bases: Bases, from: Place, to: Place, convert: impl Fn(A) -> B) {
    let (from, to) = (Row::<A>::new(bases, from), Row::<B>::new(bases, to));
    (0..to.1).for_each(|i| to.set(i, convert(from.get(i))));
}

fn each<T: Element>(bases: Bases, op: &Op, args: &[Place], out: Place) {
    let to = Row::<T>::new(bases, out);
    for i in 0..out.len {
        to.set(i, T::from_number(op.element(out.dtype, |k| Row::<T>::new(bases, args[k]).get(i).number())));
    }
}

/// As [`each`], where operands and result, or the condition of a choice, are of different types.
fn mixed(bases: Bases, op: &Op, args: &[Place], out: Place) {
    let own = args[args.len() - 1].dtype;
    let mut block = [Number::Whole(0); MIXED];
    for start in (0..out.len).step_by(MIXED) {
        let block = &mut block[..MIXED.min(out.len - start)];
        typed!(own, T => for (i, to) in block.iter_mut().enumerate() {
            let x = |k: usize| match args[k] {
                arg if arg.dtype == own => Row::<T>::new(bases, arg).get(start + i).number(),
                arg => number(bases, arg, start + i),
            };
            *to = op.element(out.dtype, x);
        });
        typed!(out.dtype, T => for (i, &number) in block.iter().enumerate() {
            Row::<T>::new(bases, out).set(start + i, T::from_number(number));
        });
    }
}

fn product<T: Element>(
    bases: Bases,
    dot: Dot,
    (batch, m, k, n): (usize, usize, usize, usize),
    [a, b]: [Place; 2],
    out: Place,
) {
    let (a, b, to) = (Row::<T>::new(bases, a), Row::<T>::new(bases, b), Row::<T>::new(bases, out));
    for at in 0..batch * m * n {
        let (matrix, line, column) = (at / (m * n), at / n % m, at % n);
        let x = |i: usize| a.get(matrix * m * k + if dot.transpose_a { i * m + line } else { line * k + i }).number();
        let y =
            |i: usize| b.get(matrix * k * n + if dot.transpose_b { column * k + i } else { i * n + column }).number();
        to.set(at, T::from_number(Dot::sum(out.dtype, (0..k).map(|i| (x(i), y(i))))));
    }
}
