//! The steps of a program, and the loop that runs them.

use std::fmt;

use cornu_graph::ops::Random;
use cornu_graph::{Check, Result};

use crate::arena::{Arena, Place};
use crate::control::Control;
use crate::kernels::dot::Slices as Dot;
use crate::kernels::fused::Fused;
use crate::kernels::parallel;
use crate::kernels::reduce::Reduce;
use crate::kernels::simd::Level;
use crate::kernels::subnormal::Flush;
use crate::kernels::threads::Threads;
use crate::plain::Plain;

/// One step of a program, with everything about it decided.
pub(crate) enum Step {
    /// Element-wise operations.
    Fused(Fused),
    /// That many matrix products, one after the other.
    Dot { dot: Dot, batch: usize, a: Place, b: Place, out: Place },
    /// A reduction of singles along neighbouring axes.
    Reduce(Reduce, Place, Place),
    /// Work without a kernel of its own.
    Plain(Plain),
    /// Random numbers of a stream, or another stream.
    Random(Random, Place, Place),
    /// A copy.
    Copy(Place, Place),
    /// Stops where a truth does not hold: the truth, then the numbers to be shown.
    Check(Check, Vec<Place>),
    /// Steps that run more than once, or not at all.
    Control(Control),
}

/// What steps run on.
pub(crate) struct Machine {
    pub(crate) level: Level,
    pub(crate) threads: Threads,
    pub(crate) arena: Arena,
    /// Memory for a single step: packed matrices, blocks of registers.
    pub(crate) scratch: Vec<f32>,
}

/// Runs steps in order. Allocates nothing.
///
/// # Errors
/// That of the first check that does not hold.
pub(crate) fn run(all: &[Step], machine: &mut Machine) -> Result<()> {
    let _flush = Flush::new();
    steps(all, machine)
}

/// [`run`], inside of it.
pub(crate) fn steps(steps: &[Step], machine: &mut Machine) -> Result<()> {
    for step in steps {
        let Machine { level, threads, arena, scratch } = machine;
        match step {
            Step::Control(control) => control.run(machine)?,
            Step::Check(check, places) => {
                let mut numbers = places.iter().map(|&place| arena.number(place, 0));
                if numbers.next().is_some_and(|holds| holds.f64() == 0.0) {
                    return Err(check.error(numbers));
                }
            }
            Step::Fused(fused) => parallel::fused(fused, *level, threads, arena.f32.all_mut(), scratch),
            Step::Dot { dot, batch, a, b, out } => {
                let (sizes, row) = ([a.len, b.len, out.len].map(|len| len / (*batch).max(1)), arena.f32.all_mut());
                for i in 0..*batch {
                    let at = |place: &Place, size: usize| place.at + i * size..place.at + (i + 1) * size;
                    let (out, rest) = split(row, at(out, sizes[2]));
                    dot.run(Some(threads), rest.get(at(a, sizes[0])), rest.get(at(b, sizes[1])), out, scratch);
                }
            }
            Step::Reduce(reduce, x, out) => {
                let (out, rest) = split(arena.f32.all_mut(), out.range());
                reduce.run(rest.get(x.range()), out);
            }
            Step::Plain(plain) => plain.run(arena),
            Step::Random(random, from, to) => {
                let stream = random.stream(&arena.u32.all()[from.range()]);
                match random {
                    Random::Uniform(_) => parallel::uniform(threads, stream, &mut arena.f32.all_mut()[to.range()]),
                    Random::Advance(_) | Random::Stateless(_) => {
                        arena.u32.all_mut()[to.range()].copy_from_slice(&stream.pack());
                    }
                }
            }
            Step::Copy(from, to) => arena.copy(*from, *to),
        }
    }
    Ok(())
}

/// What is left of a row when a span is lent out to be written.
struct Rest<'a> {
    before: &'a [f32],
    after: &'a [f32],
    start: usize,
}

impl<'a> Rest<'a> {
    /// A span that does not overlap the one lent out.
    fn get(&self, span: std::ops::Range<usize>) -> &'a [f32] {
        if span.end <= self.before.len() {
            &self.before[span]
        } else {
            &self.after[span.start - self.start..span.end - self.start]
        }
    }
}

fn split(row: &mut [f32], out: std::ops::Range<usize>) -> (&mut [f32], Rest<'_>) {
    let start = out.end;
    let (before, rest) = row.split_at_mut(out.start);
    let (out, after) = rest.split_at_mut(out.end - out.start);
    (out, Rest { before, after, start })
}

impl Step {
    /// How many floats of scratch memory it needs.
    pub(crate) fn scratch(&self, threads: &Threads) -> usize {
        match self {
            Step::Fused(fused) => parallel::scratch(fused, threads.count()),
            Step::Dot { dot, .. } => dot.scratch(),
            Step::Control(control) => control.scratch(threads),
            Step::Reduce(..) | Step::Plain(_) | Step::Random(..) | Step::Copy(..) | Step::Check(..) => 0,
        }
    }
}

/// What the step does, for snapshots of plans.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Fused(fused) if fused.is_whole() => write!(f, "fused {} in one pass", fused.len()),
            Step::Fused(fused) => write!(f, "fused {}", fused.len()),
            Step::Dot { batch, a, b, out, .. } => write!(f, "dot {batch} x {} {} -> {}", a.len, b.len, out.len),
            Step::Reduce(reduce, x, out) => write!(f, "reduce {:?} {} -> {}", reduce.kind, x.len, out.len),
            Step::Plain(Plain::Each(op, _, out)) => write!(f, "{op} {} {}", out.dtype, out.len),
            Step::Plain(Plain::Moves(moves, to)) => {
                f.write_str("move")?;
                moves.iter().try_for_each(|part| write!(f, " {}", part.from.len))?;
                write!(f, " -> {}", to.len)
            }
            Step::Plain(Plain::Gather([table, _], to)) => write!(f, "gather {} -> {}", table.len, to.len),
            Step::Plain(Plain::ScatterAdd([table, _, new], _)) => write!(f, "scatter_add {} -> {}", new.len, table.len),
            Step::Plain(Plain::Reduce(kind, from, to, _)) => write!(f, "reduce {kind:?} {} -> {}", from.len, to.len),
            Step::Plain(Plain::Sum(from, to, ..)) => write!(f, "reduce Sum {} -> {}", from.len, to.len),
            Step::Plain(Plain::Arg(arg, _, from, to)) => write!(f, "{arg} {} -> {}", from.len, to.len),
            Step::Plain(Plain::Dot(_, _, [a, b], out)) => write!(f, "dot {} {} -> {}", a.len, b.len, out.len),
            Step::Random(random, _, to) => write!(f, "{random} {}", to.len),
            Step::Copy(from, _) => write!(f, "copy {}", from.len),
            Step::Control(control) => write!(f, "{control}"),
            Step::Check(check, _) => write!(f, "check {}", check.text),
        }
    }
}
