//! Adam's step as one loop.
//!
//! Its division and its root take as long as all else together, and are hidden where other operations lie between them.
//! In a chain they come sixteen at a time.

use std::ops::Range;

use cornu_graph::DType;
use cornu_graph::ops::{Binary, Unary};

use super::super::operand::Bases;
use super::super::simd::{MOST_LANES, Simd};
use super::{Fused, Instruction, LINE, Opcode, Operand, Place};

/// Instructions of a program that are Adam's step, on singles:
///
/// ```text
/// m' = m + (g - m) p        v' = v + (g g - v) q        w' = w - m' a / (sqrt(v') + e)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Adam {
    /// `g`, `m`, `v`, `w`, then the numbers `p`, `q`, `a`, `e`; `a` may be a short row that is repeated.
    pub(super) reads: [Operand; 8],
    /// The registers of `m'`, `v'`, `w'`.
    pub(super) makes: [usize; 3],
    /// Whether the means are flushed.
    flushes: bool,
}

/// The same, with the places of what it reads and writes in the table.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) from: [u16; 8],
    pub(super) to: [u16; 3],
    pub(super) flushes: bool,
    /// After how many elements `a` begins again: 1, or another divisor of a [`LINE`], all of which are powers of two.
    pub(super) period: usize,
}

/// What finds an [`Adam`] in a program.
pub(super) struct Search<'a> {
    pub(super) code: &'a [Instruction],
    /// Which instructions read each register.
    pub(super) users: &'a [Vec<usize>],
    pub(super) is_output: &'a dyn Fn(usize) -> bool,
    /// Whether an operand is one number for all elements.
    pub(super) is_number: &'a dyn Fn(Operand) -> bool,
    /// Whether it is a number, or a short row that is repeated.
    pub(super) is_short: &'a dyn Fn(Operand) -> bool,
}

/// A running mean: the register of what it becomes, whether that is flushed, what it was, what it follows, and by which part.
struct Mean {
    register: usize,
    flushes: bool,
    old: Operand,
    follows: Operand,
    part: Operand,
}

impl Search<'_> {
    /// That which ends with instruction `k`, and the registers of what lies between.
    pub(super) fn ends_with(&self, k: usize) -> Option<(Adam, Vec<usize>)> {
        let mut between = Vec::new();
        let [w, step] = self.operands(Binary::Sub, k)?;
        let [step, root] = self.inner(Binary::Div, step, &mut between)?;
        let [m, a] = self.inner(Binary::Mul, step, &mut between)?;
        let [root, e] = self.inner(Binary::Add, root, &mut between)?;
        let [v, _] = self.inner(Unary::Sqrt, root, &mut between)?;
        let (m, v) = (self.mean(m, &mut between)?, self.mean(v, &mut between)?);
        let [g, same] = self.inner(Binary::Mul, v.follows, &mut between)?;
        let numbers = [m.part, v.part, a, e];
        let are_numbers = [m.part, v.part, e].into_iter().all(self.is_number) && (self.is_short)(a);
        let fits = g == same && g == m.follows && m.flushes == v.flushes && are_numbers;
        let kept = [m.register, v.register];
        between.extend(kept);
        let own = |&user: &usize| user == k || between.contains(&user);
        let apart = |&r: &usize| self.users[r].iter().all(own) && (kept.contains(&r) || !(self.is_output)(r));
        let [p, q, a, e] = numbers;
        let reads = [g, m.old, v.old, w, p, q, a, e];
        let adam = Adam { reads, makes: [m.register, v.register, k], flushes: m.flushes };
        (fits && between.iter().all(apart)).then_some((adam, between))
    }

    /// The operands of an instruction, if it is that operation on singles.
    fn operands(&self, op: impl Into<Opcode>, k: usize) -> Option<[Operand; 2]> {
        let Instruction { op: found, dtype, operands: [a, b, _] } = self.code[k];
        (found == op.into() && dtype == DType::F32).then_some([a, b])
    }

    /// The same for the register that an operand is, which is noted.
    fn inner(&self, op: impl Into<Opcode>, operand: Operand, between: &mut Vec<usize>) -> Option<[Operand; 2]> {
        let Operand::Register(r) = operand else { return None };
        let operands = self.operands(op, r.into())?;
        between.push(r.into());
        Some(operands)
    }

    fn mean(&self, operand: Operand, between: &mut Vec<usize>) -> Option<Mean> {
        let Operand::Register(register) = operand else { return None };
        let flushed = self.operands(Unary::Flush, register.into());
        let sum = match flushed {
            Some([sum, _]) => self.inner(Binary::Add, sum, between)?,
            None => self.operands(Binary::Add, register.into())?,
        };
        let [old, step] = sum;
        let [apart, part] = self.inner(Binary::Mul, step, between)?;
        let [follows, from] = self.inner(Binary::Sub, apart, between)?;
        (from == old).then_some(Mean { register: register.into(), flushes: flushed.is_some(), old, follows, part })
    }
}

impl Adam {
    /// `a`
    pub(super) fn rate(&self) -> Operand {
        self.reads[6]
    }

    pub(super) fn ready(&self, from: [u16; 8], to: [u16; 3], period: usize) -> Ready {
        Ready { from, to, flushes: self.flushes, period }
    }
}

/// Does the step for the `len` elements of the block from `start` on.
///
/// # Safety
/// The table has places for the operands, each of which holds the block; what is written is an operand's place or
/// overlaps none.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(s: S, adam: &Ready, table: *const Place, start: usize, len: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        let at = |place: u16| (*table.add(place.into())).at(start).cast::<f32>();
        let [g, m, v, w, p, q, a, e] = adam.from;
        let from = [g, m, v, w].map(at).map(<*mut f32>::cast_const);
        let numbers = [p, q, a, e].map(|place| (*table.add(place.into())).from.cast::<f32>().cast_const());
        let to = adam.to.map(at);
        adam.all(s, from, numbers, to, start, len);
    }
}

/// Does a program that is nothing but the step, for those elements: without a table.
///
/// # Safety
/// As [`Kernel::run`](crate::kernels::operand::Kernel::run).
#[inline(always)]
pub(super) unsafe fn segments<S: Simd>(s: S, adam: &Ready, fused: &Fused, bases: Bases, units: Range<usize>) {
    let mut before = 0;
    for segment in &fused.segments {
        let (start, end) = (units.start.max(before), units.end.min(before + segment.len));
        if start < end {
            let skipped = start - before;
            let at = |place: u16| match segment.spans.get(usize::from(place)) {
                Some(&span) => bases.at::<f32>(span),
                None => fused.constant(usize::from(place) - segment.spans.len()).cast(),
            };
            let [g, m, v, w, p, q, a, e] = adam.from.map(at);
            let from = [g, m, v, w].map(|from| from.wrapping_add(skipped).cast_const());
            // SAFETY: promised by the caller: operands are in their buffers, numbers among the constants.
            unsafe {
                let to = adam.to.map(|place| at(place).wrapping_add(skipped));
                adam.all(s, from, [p, q, a, e].map(<*mut f32>::cast_const), to, skipped, end - start);
            }
        }
        before += segment.len;
    }
}

impl Ready {
    /// # Safety
    /// So many elements are readable and writable, numbers are readable; what is written is what is read, or overlaps none.
    #[inline(always)]
    unsafe fn all<S: Simd>(
        &self,
        s: S,
        from: [*const f32; 4],
        [p, q, a, e]: [*const f32; 4],
        to: [*mut f32; 3],
        start: usize,
        len: usize,
    ) {
        let mut row = [0.0; LINE + MOST_LANES];
        if self.period > 1 {
            let elements = row.iter_mut().enumerate();
            // SAFETY: promised by the caller.
            elements.for_each(|(i, to)| *to = unsafe { *a.add((start + i) & (self.period - 1)) });
        }
        // SAFETY: promised by the caller.
        unsafe {
            let by = [p, q, a, e].map(|number| s.splat(*number));
            match (self.flushes, self.period > 1) {
                (true, false) => vectors::<S, true, false>(s, from, by, &row, to, len),
                (true, true) => vectors::<S, true, true>(s, from, by, &row, to, len),
                (false, false) => vectors::<S, false, false>(s, from, by, &row, to, len),
                (false, true) => vectors::<S, false, true>(s, from, by, &row, to, len),
            }
        }
    }
}

/// Where `a` is a `ROW`, element `i` of it is `row[i % LINE]`.
///
/// # Safety
/// As [`Ready::all`].
#[inline(always)]
unsafe fn vectors<S: Simd, const FLUSH: bool, const ROW: bool>(
    s: S,
    from: [*const f32; 4],
    [p, q, a, e]: [S::F; 4],
    row: &[f32; LINE + MOST_LANES],
    to: [*mut f32; 3],
    len: usize,
) {
    let mut i = 0;
    // SAFETY: as the caller promises; elements are read before they are written.
    unsafe {
        let rate = |i: usize| if ROW { s.load(row.as_ptr().add(i % LINE)) } else { a };
        while i + S::LANES <= len {
            let made = vector::<S, FLUSH>(s, from.map(|from| s.load(from.add(i))), [p, q, rate(i), e]);
            for k in 0..3 {
                s.store(to[k].add(i), made[k]);
            }
            i += S::LANES;
        }
        if i < len {
            let from = from.map(|from| s.load_first(len - i, from.add(i)));
            let made = vector::<S, FLUSH>(s, from, [p, q, rate(i), e]);
            for k in 0..3 {
                s.store_first(len - i, to[k].add(i), made[k]);
            }
        }
    }
}

/// `m'`, `v'` and `w'`.
#[inline(always)]
fn vector<S: Simd, const FLUSH: bool>(s: S, [g, m, v, w]: [S::F; 4], [p, q, a, e]: [S::F; 4]) -> [S::F; 3] {
    let mut m = s.add(m, s.mul(s.sub(g, m), p));
    let mut v = s.add(v, s.mul(s.sub(s.mul(g, g), v), q));
    if FLUSH {
        (m, v) = (s.flush(m), s.flush(v));
    }
    let step = s.div(s.mul(m, a), s.add(s.sqrt(v), e));
    [m, v, s.sub(w, step)]
}
