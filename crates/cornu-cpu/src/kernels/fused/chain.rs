//! Chains: operations on singles, one after the other, with the number in between in vector registers.

use cornu_graph::ops::Compare;

use super::super::simd::Simd;
use super::Place;

/// What a link does to the number `x` that the chain holds, with the operands `a`, `b`, `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// `a`
    Load,
    /// `x`
    Keep,
    /// `x + a`
    Add,
    /// `x - a`
    Sub,
    /// `a - x`
    From,
    /// `x * a`
    Mul,
    /// `x / a`
    Div,
    /// `a / x`
    Into,
    /// `max(x, a)`
    Max,
    /// `max(a, x)`
    MaxOf,
    /// `min(x, a)`
    Min,
    /// `min(a, x)`
    MinOf,
    /// `x * x`
    Square,
    Neg,
    Abs,
    Sign,
    Sqrt,
    Relu,
    Flush,
    /// Of the truth `a`: 1 or 0.
    Truth,
    /// `if b { x } else { a }`, of the truth `b`
    Then,
    /// `if b { a } else { x }`, of the truth `b`
    Else,
    /// `if b ? c { x } else { a }`
    ThenIf(Compare),
    /// `if b ? c { a } else { x }`
    ElseIf(Compare),
    /// Writes the truth of `x ? a` to `b`.
    Test(Compare),
}

/// One operation of a chain, and its operands' places in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) act: Act,
    /// Whether `a` is one number for all.
    pub(super) same: bool,
    pub(super) operands: [u16; 3],
    /// Where `x` is written then, or [`NOWHERE`].
    pub(super) to: u16,
}

/// In the place of a place.
pub(super) const NOWHERE: u16 = u16::MAX;

/// Vectors that go through a chain side by side, enough to hide how long an operation takes: a half of the registers.
const WIDE: usize = 16;
const NARROW: usize = 8;
const FEW: usize = 4;

/// Runs a chain over the `len` elements of the block from `start` on.
///
/// # Safety
/// The table has places for the operands, each of which holds the block; what is written is an operand's place or
/// overlaps none.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(s: S, links: &[Link], table: *const Place, start: usize, len: usize) {
    let (wide, narrow) = (WIDE * S::LANES, NARROW * S::LANES);
    let mut i = 0;
    // SAFETY: as the caller promises.
    unsafe {
        while S::LANES == 16 && i + wide <= len {
            part::<S, WIDE, false>(s, links, table, start, i, wide);
            i += wide;
        }
        while i + narrow <= len {
            part::<S, NARROW, false>(s, links, table, start, i, narrow);
            i += narrow;
        }
        while i < len {
            let n = narrow.min(len - i);
            if n <= S::LANES {
                part::<S, 1, true>(s, links, table, start, i, n);
            } else if n <= FEW * S::LANES {
                part::<S, FEW, true>(s, links, table, start, i, n);
            } else {
                part::<S, NARROW, true>(s, links, table, start, i, n);
            }
            i += n;
        }
    }
}

/// Runs a chain over `W` vectors of which `n` elements are there: all of them, unless it is the `LAST` part of a block.
///
/// # Safety
/// As [`run`].
#[inline(always)]
#[allow(clippy::too_many_lines, reason = "one arm for each act, so that one jump leads to it")]
#[allow(clippy::needless_range_loop, reason = "vectors and operands go by one number")]
unsafe fn part<S: Simd, const W: usize, const LAST: bool>(
    s: S,
    links: &[Link],
    table: *const Place,
    start: usize,
    i: usize,
    n: usize,
) {
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    let mut x = [zero; W];
    for Link { act, same, operands, to } in links {
        /// Where the elements of an operand begin.
        macro_rules! at {
            ($k:literal, $t:ty) => {
                (*table.add(operands[$k].into())).at(start).cast::<$t>().wrapping_add(i)
            };
        }
        /// The elements that are there of vector `j`.
        macro_rules! count {
            ($j:ident) => {
                if LAST { n.saturating_sub($j * S::LANES).min(S::LANES) } else { S::LANES }
            };
        }
        macro_rules! load {
            ($from:ident, $j:ident) => {
                if LAST {
                    s.load_first(count!($j), $from.wrapping_add($j * S::LANES))
                } else {
                    s.load($from.add($j * S::LANES))
                }
            };
        }
        /// The number that the first operand is.
        macro_rules! one {
            () => {
                s.splat(*(*table.add(operands[0].into())).from.cast::<f32>())
            };
        }
        /// The first operand, one number or many.
        macro_rules! any {
            ($from:ident, $j:ident) => {
                if *same { one!() } else { load!($from, $j) }
            };
        }
        macro_rules! truths {
            ($from:ident, $j:ident) => {
                s.load_truths(count!($j), $from.wrapping_add($j * S::LANES))
            };
        }
        /// A new value of the number, of itself and one operand.
        macro_rules! map {
            ($x:ident => $value:expr) => {
                for j in 0..W {
                    let $x = x[j];
                    x[j] = $value;
                }
            };
            ($x:ident, $a:ident => $value:expr) => {{
                if *same {
                    let $a = one!();
                    map!($x => $value);
                } else {
                    let a = at!(0, f32);
                    for j in 0..W {
                        let ($x, $a) = (x[j], load!(a, j));
                        x[j] = $value;
                    }
                }
            }};
        }
        /// The same, where a truth or a comparison decides.
        macro_rules! choose {
            ($x:ident, $a:ident, $m:ident => $value:expr) => {{
                let (a, b) = (at!(0, f32), at!(1, u8));
                for j in 0..W {
                    let ($x, $a, $m) = (x[j], any!(a, j), truths!(b, j));
                    x[j] = $value;
                }
            }};
            ($compare:ident: $x:ident, $a:ident, $m:ident => $value:expr) => {{
                let (a, b, c) = (at!(0, f32), at!(1, f32), at!(2, f32));
                for j in 0..W {
                    let ($x, $a, $m) = (x[j], any!(a, j), s.$compare(load!(b, j), load!(c, j)));
                    x[j] = $value;
                }
            }};
        }
        macro_rules! compared {
            ($op:expr, $run:ident!($($arg:tt)*)) => {
                match $op {
                    Compare::Eq => $run!(eq: $($arg)*),
                    Compare::Ne => $run!(ne: $($arg)*),
                    Compare::Lt => $run!(lt: $($arg)*),
                    Compare::Le => $run!(le: $($arg)*),
                    Compare::Gt => $run!(gt: $($arg)*),
                    Compare::Ge => $run!(ge: $($arg)*),
                }
            };
        }
        macro_rules! test {
            ($compare:ident:) => {{
                let (a, to) = (at!(0, f32), at!(1, u8));
                for j in 0..W {
                    let a = any!(a, j);
                    s.store_truths(count!(j), to.wrapping_add(j * S::LANES), s.$compare(x[j], a));
                }
            }};
        }
        // SAFETY: the caller promises the places; each vector is read before it is written, and lanes that are not there
        // are not touched.
        unsafe {
            match *act {
                Act::Load => map!(_x, a => a),
                Act::Keep => {}
                Act::Add => map!(x, a => s.add(x, a)),
                Act::Sub => map!(x, a => s.sub(x, a)),
                Act::From => map!(x, a => s.sub(a, x)),
                Act::Mul => map!(x, a => s.mul(x, a)),
                Act::Div => map!(x, a => s.div(x, a)),
                Act::Into => map!(x, a => s.div(a, x)),
                Act::Max => map!(x, a => s.maximum(x, a)),
                Act::MaxOf => map!(x, a => s.maximum(a, x)),
                Act::Min => map!(x, a => s.minimum(x, a)),
                Act::MinOf => map!(x, a => s.minimum(a, x)),
                Act::Square => map!(x => s.mul(x, x)),
                Act::Neg => map!(x => s.neg(x)),
                Act::Abs => map!(x => s.abs(x)),
                Act::Sign => map!(x => sign(s, x)),
                Act::Sqrt => map!(x => s.sqrt(x)),
                Act::Relu => map!(x => s.maximum(x, zero)),
                Act::Flush => map!(x => s.flush(x)),
                Act::Truth => {
                    let a = at!(0, u8);
                    for j in 0..W {
                        x[j] = s.select(truths!(a, j), one, zero);
                    }
                }
                Act::Then => choose!(x, a, m => s.select(m, x, a)),
                Act::Else => choose!(x, a, m => s.select(m, a, x)),
                Act::ThenIf(op) => compared!(op, choose!(x, a, m => s.select(m, x, a))),
                Act::ElseIf(op) => compared!(op, choose!(x, a, m => s.select(m, a, x))),
                Act::Test(op) => compared!(op, test!()),
            }
            if *to != NOWHERE {
                let to = (*table.add((*to).into())).at(start).cast::<f32>().wrapping_add(i);
                for j in 0..W {
                    if LAST {
                        s.store_first(count!(j), to.wrapping_add(j * S::LANES), x[j]);
                    } else {
                        s.store(to.add(j * S::LANES), x[j]);
                    }
                }
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
