//! The loop that runs the steps of one block.

use super::super::math;
use super::super::simd::Simd;
use super::join::{Lead, Work};
use super::{Binary, Compare, Unary};

/// Where a block of floats lies: the number of a pointer, and floats from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: u32,
    pub(super) offset: u32,
}

/// One or two instructions with their places. Operands that they do not have repeat another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) work: Work,
    pub(super) operands: [Place; 3],
    pub(super) out: Place,
}

/// Loops over the vectors of a block: the named pointers are loaded, the value is stored.
macro_rules! each {
    ($s:ident, $len:ident, $out:ident, ($($x:ident),*) => $value:expr) => {{
        let mut i = 0;
        loop {
            $(let $x = $s.load($x.add(i));)*
            $s.store($out.add(i), $value);
            i += S::LANES;
            if i >= $len {
                break;
            }
        }
    }};
}

/// Runs the steps over `count` elements, and over the pads that round them up to `len`: a line, or a multiple of it.
///
/// # Safety
/// Every place holds `len` floats behind its pointer in the table, writable for the outputs. A step's output is one of its operands' places
/// or overlaps none of them.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(s: S, steps: &[Step], table: *const *mut f32, len: usize, count: usize) {
    for step in steps {
        // SAFETY: the caller promises the places; each vector is read before it is written.
        unsafe {
            let pointer = |place: Place| (*table.add(place.base as usize)).add(place.offset as usize);
            let (operands, out) = (step.operands.map(pointer), pointer(step.out));
            let [a, b, c] = operands;
            /// The first operation of a pair, then `value` of its result `x` and of `c`.
            macro_rules! pair {
                ($lead:expr, $x:ident, $c:ident => $value:expr) => {{
                    let $c = c;
                    match $lead {
                        Lead::Add => each!(s, len, out, (a, b, $c) => { let $x = s.add(a, b); $value }),
                        Lead::Sub => each!(s, len, out, (a, b, $c) => { let $x = s.sub(a, b); $value }),
                        Lead::Mul => each!(s, len, out, (a, b, $c) => { let $x = s.mul(a, b); $value }),
                        Lead::Div => each!(s, len, out, (a, b, $c) => { let $x = s.div(a, b); $value }),
                        Lead::Sqrt => each!(s, len, out, (a, $c) => { let $x = s.sqrt(a); $value }),
                    }
                }};
            }
            match step.work {
                Work::Unary(op) => unary(s, op, a, out, len),
                Work::Binary(op) => binary(s, op, [a, b], out, len),
                // Not a vector operation: pads would cost as much as elements.
                Work::Power => pow(a, b, out, count),
                Work::Compare(op) => compare(s, op, [a, b], out, len),
                Work::Select => each!(s, len, out, (a, b, c) => s.select(s.ne(a, s.splat(0.0)), b, c)),
                Work::Add(lead) => pair!(lead, x, c => s.add(x, c)),
                Work::Sub(lead) => pair!(lead, x, c => s.sub(x, c)),
                Work::From(lead) => pair!(lead, x, c => s.sub(c, x)),
                Work::Mul(lead) => pair!(lead, x, c => s.mul(x, c)),
                Work::Max(lead) => pair!(lead, x, c => s.maximum(x, c)),
            }
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn unary<S: Simd>(s: S, op: Unary, x: *mut f32, out: *mut f32, len: usize) {
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    macro_rules! map {
        ($x:ident => $value:expr) => { each!(s, len, out, ($x) => $value) };
    }
    // SAFETY: see `run`.
    unsafe {
        match op {
            Unary::Neg => map!(x => s.neg(x)),
            Unary::Abs => map!(x => s.abs(x)),
            Unary::Sign => map!(x => sign(s, x)),
            Unary::Exp => map!(x => math::exp(s, x)),
            Unary::Log => map!(x => math::log(s, x)),
            Unary::Log1p => map!(x => math::log1p(s, x)),
            Unary::Sqrt => map!(x => s.sqrt(x)),
            Unary::Tanh => map!(x => math::tanh(s, x)),
            Unary::Erf => map!(x => math::erf(s, x)),
            Unary::Logistic => map!(x => math::logistic(s, x)),
            Unary::Relu => map!(x => s.maximum(x, zero)),
            Unary::Not => map!(x => s.select(s.eq(x, zero), one, zero)),
            Unary::StopGradient => map!(x => x),
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn binary<S: Simd>(s: S, op: Binary, [a, b]: [*mut f32; 2], out: *mut f32, len: usize) {
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    macro_rules! map {
        ($a:ident, $b:ident => $value:expr) => { each!(s, len, out, ($a, $b) => $value) };
    }
    // SAFETY: see `run`.
    unsafe {
        match op {
            Binary::Add => map!(a, b => s.add(a, b)),
            Binary::Sub => map!(a, b => s.sub(a, b)),
            Binary::Mul => map!(a, b => s.mul(a, b)),
            Binary::Div => map!(a, b => s.div(a, b)),
            Binary::Max => map!(a, b => s.maximum(a, b)),
            Binary::Min => map!(a, b => s.minimum(a, b)),
            Binary::Pow => unreachable!("powers are taken one by one"),
            Binary::And => map!(a, b => s.select(s.both(s.ne(a, zero), s.ne(b, zero)), one, zero)),
            Binary::Or => map!(a, b => s.select(s.either(s.ne(a, zero), s.ne(b, zero)), one, zero)),
        }
    }
}

/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn compare<S: Simd>(s: S, op: Compare, [a, b]: [*mut f32; 2], out: *mut f32, len: usize) {
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    macro_rules! truth {
        ($a:ident, $b:ident => $value:expr) => { each!(s, len, out, ($a, $b) => s.select($value, one, zero)) };
    }
    // SAFETY: see `run`.
    unsafe {
        match op {
            Compare::Eq => truth!(a, b => s.eq(a, b)),
            Compare::Ne => truth!(a, b => s.ne(a, b)),
            Compare::Lt => truth!(a, b => s.lt(a, b)),
            Compare::Le => truth!(a, b => s.le(a, b)),
            Compare::Gt => truth!(a, b => s.gt(a, b)),
            Compare::Ge => truth!(a, b => s.ge(a, b)),
        }
    }
}

/// -1, 0 or 1, and NaN of NaN.
#[inline(always)]
fn sign<S: Simd>(s: S, a: S::F) -> S::F {
    let zero = s.splat(0.0);
    let positive = s.select(s.gt(a, zero), s.splat(1.0), zero);
    let signed = s.select(s.lt(a, zero), s.splat(-1.0), positive);
    s.select(s.ne(a, a), a, signed)
}

/// # Safety
/// As [`run`].
#[inline(never)]
unsafe fn pow(a: *const f32, b: *const f32, out: *mut f32, len: usize) {
    for i in 0..len {
        // SAFETY: see `run`; an element is read before it is written.
        unsafe { *out.add(i) = f64::from(*a.add(i)).powf(f64::from(*b.add(i))) as f32 };
    }
}
