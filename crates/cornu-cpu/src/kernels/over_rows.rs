//! Kernels that are done one after the other to a few rows at a time: what lies between them stays in a near cache.

use std::fmt;
use std::ops::Range;

use super::memory::LINE;
use super::operand::{Bases, Kernel, Span};
use super::simd::Level;

/// Kernels whose units can all be cut into the same rows, and the table of buffers that they work on: some of the run's,
/// then one for each value that has memory for a few rows only. Its units are rows.
pub(crate) struct OverRows {
    rows: usize,
    /// How many rows there is memory for.
    together: usize,
    /// The numbers of those buffers of the run.
    bases: Box<[u32]>,
    blocks: Box<[Block]>,
    /// Each with its units of a row.
    parts: Box<[(Box<dyn Kernel>, usize)]>,
    /// Where blocks, and the memory that each part works on, begin in the scratch memory; and its bytes.
    at: [usize; 2],
    scratch: usize,
}

/// Memory for a few rows of a value: where it begins among the blocks, and the bytes of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) at: usize,
    pub(crate) row: usize,
}

impl OverRows {
    /// Does that to `together` rows at a time, whose blocks take so many bytes.
    pub(crate) fn new(
        [rows, together]: [usize; 2],
        bases: Vec<u32>,
        (blocks, bytes): (Vec<Block>, usize),
        parts: Vec<(Box<dyn Kernel>, usize)>,
    ) -> OverRows {
        let fits = |(part, each): &(Box<dyn Kernel>, usize)| part.units().div_ceil(*each) == rows;
        debug_assert!(parts.iter().all(fits), "each part has {rows} rows");
        let table = (bases.len() + blocks.len()) * size_of::<*mut u8>();
        let blocks_at = table.next_multiple_of(LINE);
        let parts_at = (blocks_at + bytes).next_multiple_of(LINE);
        let scratch = parts_at + parts.iter().map(|(part, _)| part.scratch()).max().unwrap_or(0);
        let (bases, blocks, parts) = (bases.into(), blocks.into(), parts.into());
        OverRows { rows, together, bases, blocks, parts, at: [blocks_at, parts_at], scratch }
    }
}

impl Kernel for OverRows {
    fn units(&self) -> usize {
        self.rows
    }

    fn grain(&self) -> usize {
        let worth: f64 = self.parts.iter().map(|(part, _)| part.units() as f64 / part.grain().max(1) as f64).sum();
        (self.rows as f64 / worth).ceil().max(1.0) as usize
    }

    fn scratch(&self) -> usize {
        self.scratch
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        let table = scratch.cast::<*mut u8>();
        let count = self.bases.len();
        let [blocks, own] = self.at.map(|at| scratch.wrapping_add(at));
        // SAFETY: the table lies at the beginning of the scratch memory, and the blocks of so many rows behind it. A row is
        // found as if its block were the whole value. What else is read or written is the caller's promise.
        unsafe {
            for (i, &base) in self.bases.iter().enumerate() {
                table.add(i).write(bases.at(Span::of(base)));
            }
            for start in units.clone().step_by(self.together) {
                let end = units.end.min(start + self.together);
                for (i, block) in self.blocks.iter().enumerate() {
                    let first = blocks.wrapping_add(block.at).wrapping_sub(start * block.row);
                    table.add(count + i).write(first);
                }
                let bases = Bases::new(std::slice::from_raw_parts(table, count + self.blocks.len()));
                for (part, each) in &self.parts {
                    part.run(level, bases, start * each..part.units().min(end * each), own);
                }
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for OverRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)?;
        self.parts
            .iter()
            .enumerate()
            .try_for_each(|(i, (part, _))| write!(f, "{} {part}", if i == 0 { ":" } else { "," }))
    }
}
