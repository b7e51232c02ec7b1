//! Random numbers of streams, and streams themselves.

use std::ops::Range;

use cornu_graph::ops::Random as Op;
use cornu_graph::random::uniform01;

use super::operand::{Bases, Kernel, Span};
use super::simd::Level;

/// Random numbers that are worth a thread: a few microseconds.
const GRAIN: usize = 8 * 1024;

/// Random numbers of a stream, whose units they are; or another stream, one unit.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Random {
    pub op: Op,
    pub from: Span,
    pub to: Span,
}

impl Kernel for Random {
    fn units(&self) -> usize {
        match &self.op {
            Op::Uniform(shape) => shape.size(),
            Op::Advance(_) | Op::Stateless(_) => 1,
        }
    }

    fn grain(&self) -> usize {
        GRAIN
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        let words = if matches!(self.op, Op::Stateless(_)) { 2 } else { 6 };
        // SAFETY: a stream is six words, and a pair of seeds two; results are this unit's.
        unsafe {
            let stream = self.op.stream(std::slice::from_raw_parts(bases.at(self.from), words));
            if let Op::Uniform(_) = self.op {
                let to = std::slice::from_raw_parts_mut(bases.at::<f32>(self.to).add(units.start), units.len());
                uniform01(stream, units.start, to);
            } else {
                *bases.at(self.to) = stream.pack();
            }
        }
    }
}

#[test]
fn parts_are_those_of_the_whole() {
    use cornu_graph::random::Stream;

    let stream = Stream::stateful(42, 1);
    let mut want = vec![0.0; 1000];
    uniform01(stream, 0, &mut want);
    let (mut words, mut out) = (stream.pack(), vec![0f32; 1000]);
    let spans = [0, 1].map(|base| Span { base, at: 0 });
    let random = |op| Random { op, from: spans[0], to: spans[1] };
    let uniform = random(Op::Uniform([1000].into()));
    for units in [0..1, 1..7, 7..500, 500..1000] {
        let pointers = [words.as_mut_ptr().cast(), out.as_mut_ptr().cast()];
        // SAFETY: six words, and a thousand numbers.
        unsafe { uniform.run(Level::Portable, Bases::new(&pointers), units, std::ptr::null_mut()) };
    }
    assert_eq!((uniform.units(), out), (1000, want));
    let mut next = [0u32; 6];
    let pointers = [words.as_mut_ptr().cast(), next.as_mut_ptr().cast()];
    // SAFETY: six words each.
    unsafe { random(Op::Advance(3)).run(Level::Portable, Bases::new(&pointers), 0..1, std::ptr::null_mut()) };
    assert_eq!(next, Op::Advance(3).stream(&words).pack());
}
