//! The loop that runs the steps of one block.

use super::super::math;
use super::super::simd::Simd;
use super::Opcode;

/// The memory a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Base {
    /// The arena, from the block's first element on.
    Arena,
    /// The scratch memory.
    Scratch,
    /// The constants.
    Constants,
}

/// Where a block of floats lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: Base,
    pub(super) offset: u32,
}

/// One instruction with its places. Operands that the operation does not have repeat another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) op: Opcode,
    pub(super) operands: [Place; 3],
    pub(super) out: Place,
}

/// Runs the steps over `len` elements, a multiple of a line.
///
/// # Safety
/// Every place holds `len` floats in its base, writable for the outputs. A step's output is one of its operands' places
/// or overlaps none of them.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(s: S, steps: &[Step], bases: [*mut f32; 3], len: usize) {
    for step in steps {
        // SAFETY: the caller promises the places; each vector is read before it is written.
        unsafe {
            let pointer = |place: Place| bases[place.base as usize].add(place.offset as usize);
            let [a, b, c] = step.operands.map(pointer);
            let out = pointer(step.out);
            /// Loops over the vectors: the named operands are loaded, the value is stored.
            macro_rules! each {
                ($($x:ident),* => $value:expr) => {{
                    let mut i = 0;
                    while i < len {
                        $(let $x = s.load($x.add(i));)*
                        s.store(out.add(i), $value);
                        i += S::LANES;
                    }
                }};
            }
            /// The same for a truth value, stored as 1 or 0.
            macro_rules! truth {
                ($($x:ident),* => $value:expr) => {{
                    let (one, zero) = (s.splat(1.0), s.splat(0.0));
                    each!($($x),* => s.select($value, one, zero))
                }};
            }
            let zero = s.splat(0.0);
            match step.op {
                Opcode::Copy => each!(a => a),
                Opcode::Neg => each!(a => s.neg(a)),
                Opcode::Abs => each!(a => s.abs(a)),
                Opcode::Sign => each!(a => sign(s, a)),
                Opcode::Exp => each!(a => math::exp(s, a)),
                Opcode::Log => each!(a => math::log(s, a)),
                Opcode::Log1p => each!(a => math::log1p(s, a)),
                Opcode::Sqrt => each!(a => s.sqrt(a)),
                Opcode::Tanh => each!(a => math::tanh(s, a)),
                Opcode::Logistic => each!(a => math::logistic(s, a)),
                Opcode::Not => truth!(a => s.eq(a, zero)),
                Opcode::Add => each!(a, b => s.add(a, b)),
                Opcode::Sub => each!(a, b => s.sub(a, b)),
                Opcode::Mul => each!(a, b => s.mul(a, b)),
                Opcode::Div => each!(a, b => s.div(a, b)),
                Opcode::Max => each!(a, b => s.maximum(a, b)),
                Opcode::Min => each!(a, b => s.minimum(a, b)),
                Opcode::Pow => pow(a, b, out, len),
                Opcode::Eq => truth!(a, b => s.eq(a, b)),
                Opcode::Ne => truth!(a, b => s.ne(a, b)),
                Opcode::Lt => truth!(a, b => s.lt(a, b)),
                Opcode::Le => truth!(a, b => s.le(a, b)),
                Opcode::Gt => truth!(a, b => s.gt(a, b)),
                Opcode::Ge => truth!(a, b => s.ge(a, b)),
                Opcode::And => truth!(a, b => s.both(s.ne(a, zero), s.ne(b, zero))),
                Opcode::Or => truth!(a, b => s.either(s.ne(a, zero), s.ne(b, zero))),
                Opcode::Select => each!(a, b, c => s.select(s.ne(a, zero), b, c)),
            }
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
