//! Products in tiles: which tiles cover the output, and which matrices are copied first to lie as tiles read them.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::Memory;
use super::team::Team;
use super::tile::{Kernels, Pack, Tile, Walk};
use crate::kernels::threads::share;

/// Floats of a packed panel of `b`: 32 KiB, so that it stays in the first-level cache, or streams from the second.
const PANEL: usize = 8 * 1024;

/// Memory for a panel. Vectors that lie across cache lines take twice as long to load.
#[repr(align(64))]
struct Panel([MaybeUninit<f32>; PANEL]);

/// `size` things in `blocks` blocks, as even as possible: the first `larger` have one more than `each`.
#[derive(Clone, Copy)]
struct Split {
    blocks: usize,
    each: usize,
    larger: usize,
}

impl Split {
    fn new(size: usize, blocks: usize) -> Self {
        let blocks = blocks.max(1);
        Split { blocks, each: size / blocks, larger: size % blocks }
    }

    /// Where a block begins.
    fn start(&self, block: usize) -> usize {
        block * self.each + block.min(self.larger)
    }

    /// How many things are in a block.
    fn size(&self, block: usize) -> usize {
        self.each + usize::from(block < self.larger)
    }

    /// How many things are in the largest block.
    fn most(&self) -> usize {
        self.each + usize::from(self.larger > 0)
    }
}

/// Steps of `k` that are done together.
struct Stretch {
    steps: Range<usize>,
    /// Whether the sums go on from those of an earlier stretch.
    resume: bool,
}

/// How one product is done.
#[derive(Clone)]
pub(super) struct Tiles {
    /// `m`, `k`, `n`.
    sizes: [usize; 3],
    transpose_a: bool,
    transpose_b: bool,
    lanes: usize,
    /// Lanes of the last vector of a row.
    tail: usize,
    /// Blocks of rows of `out`.
    rows: Split,
    /// Blocks of vectors of `out`.
    columns: Split,
    /// By block of rows (smaller, larger) and of columns (smaller, larger, last).
    tiles: [[Tile; 3]; 2],
    /// How many sums an element consists of, each over a piece of `k`.
    pieces: usize,
    /// How many steps are done before the next, to keep packed memory small; all if nothing is packed.
    depth: usize,
    /// Copies all rows of `a` to the scratch memory.
    pack_a: Option<Pack>,
    /// Copies a block of columns of `b`.
    pack_b: Option<Pack>,
}

impl Tiles {
    /// `transposed`: whether `a` and `b` are; `shared`: whether threads may share the work.
    pub(super) fn new(
        kernels: &Kernels,
        sizes: [usize; 3],
        transposed: [bool; 2],
        pieces: usize,
        shared: bool,
    ) -> Self {
        let ([m, k, n], [transpose_a, transpose_b]) = (sizes, transposed);
        let lanes = kernels.lanes;
        let vectors = n.div_ceil(lanes);
        let (rows, columns) = blocks(kernels, m, vectors, shared);
        let large = m >= 64 && k * n >= 128 * 1024;
        let pack_b = if transpose_b { kernels.pack_transposed } else { kernels.pack };
        let pack_b = (transpose_b || large).then_some(pack_b);
        let pack_a = if transpose_a { kernels.pack } else { kernels.pack_transposed };
        let pack_a = (large && columns.blocks >= 4).then_some(pack_a);
        let depth = if pack_b.is_some() { k.min(PANEL / (columns.most() * lanes).max(1)) } else { k };
        let tail = n - vectors.saturating_sub(1) * lanes;
        let [whole, tailed] = kernels.tiles[usize::from(transpose_a || pack_a.is_some())];
        let last = if tail == lanes { whole } else { tailed };
        // A size of zero belongs to no block and stands for any tile.
        let tile = |tiles: &[&[Tile]], rows: usize, vectors: usize| tiles[vectors.max(1) - 1][rows.max(1) - 1];
        let tiles = [rows.each, rows.most()].map(|rows| {
            [tile(whole, rows, columns.each), tile(whole, rows, columns.most()), tile(last, rows, columns.each)]
        });
        Tiles { sizes, transpose_a, transpose_b, lanes, tail, rows, columns, tiles, pieces, depth, pack_a, pack_b }
    }

    /// How many floats of scratch memory `run` needs: for the sums but the first, then for packed rows of `a`.
    pub(super) fn scratch(&self) -> usize {
        let [m, _, n] = self.sizes;
        (self.pieces - 1) * m * n + if self.pack_a.is_some() { m * self.depth } else { 0 }
    }

    /// Computes the product.
    pub(super) fn run(&self, team: &Team, at: &Memory) {
        let [m, k, n] = self.sizes;
        if m == 0 || n == 0 {
            return;
        }
        let piece = |piece: usize| {
            let out = if piece == 0 { at.out } else { at.scratch.wrapping_add((piece - 1) * m * n) };
            (
                Memory { out, scratch: at.scratch.wrapping_add((self.pieces - 1) * m * n), ..*at },
                share(k, piece, self.pieces),
            )
        };
        if self.pieces > 1 && self.pack_b.is_none() {
            let blocks = self.columns.blocks;
            team.split(self.pieces * blocks, |shares| {
                for i in 0..self.pieces {
                    let [begin, end] = [shares.start, shares.end].map(|at| at.saturating_sub(i * blocks).min(blocks));
                    let (at, steps) = piece(i);
                    self.multiply(&at, &Stretch { steps, resume: false }, 0..self.rows.blocks, begin..end);
                }
            });
        } else {
            (0..self.pieces).map(piece).for_each(|(at, steps)| self.run_piece(team, &at, steps));
        }
        // SAFETY: the output and the sums in the scratch memory, which nobody writes any more.
        let (out, sums) = unsafe {
            let sums = std::slice::from_raw_parts(at.scratch, (self.pieces - 1) * m * n);
            (std::slice::from_raw_parts_mut(at.out, m * n), sums)
        };
        for sums in sums.chunks_exact(m * n) {
            out.iter_mut().zip(sums).for_each(|(sum, more)| *sum += more);
        }
    }

    /// Computes the sums over one piece of `k`.
    fn run_piece(&self, team: &Team, at: &Memory, piece: Range<usize>) {
        // Packing a block of columns takes about as long as using it twice.
        let grid = [self.rows.blocks, self.columns.blocks, if self.pack_b.is_some() { 2 } else { 0 }];
        let mut begin = piece.start;
        loop {
            let steps = begin..piece.end.min(begin + self.depth);
            let stretch = Stretch { steps, resume: begin > piece.start };
            begin = stretch.steps.end;
            if let Some(pack) = self.pack_a {
                team.split(self.rows.blocks, |rows| self.pack_a(pack, at, &stretch, rows));
            }
            team.split_grid(grid, |rows, columns| match self.pack_b {
                Some(pack) => self.multiply_packed(pack, at, &stretch, rows, columns),
                None => self.multiply(at, &stretch, rows, columns),
            });
            if begin == piece.end {
                return;
            }
        }
    }

    /// Copies `steps` of blocks of rows of `a` to the scratch memory, one block after the other.
    fn pack_a(&self, pack: Pack, at: &Memory, Stretch { steps, .. }: &Stretch, blocks: Range<usize>) {
        for block in blocks {
            let (offset, stride) = self.rows_of(steps, block);
            let (row, height) = (self.rows.start(block), self.rows.size(block));
            // SAFETY: the block is inside `a`, and its place in the scratch memory is written by no other part.
            unsafe { pack(steps.len(), height, at.a.add(offset), stride, height, at.scratch.add(row * steps.len())) };
        }
    }

    /// Where in `a` the steps of a block of rows begin, and the stride from a row or column to the next.
    fn rows_of(&self, steps: &Range<usize>, block: usize) -> (usize, usize) {
        let [m, k, _] = self.sizes;
        let row = self.rows.start(block);
        if self.transpose_a { (steps.start * m + row, m) } else { (row * k + steps.start, k) }
    }

    /// Where in `b` the steps of a column begin, and the stride to the next row (or column, if transposed).
    fn columns_of(&self, steps: &Range<usize>, column: usize) -> (usize, usize) {
        let [_, k, n] = self.sizes;
        if self.transpose_b { (column * k + steps.start, k) } else { (steps.start * n + column, n) }
    }

    /// Computes the tiles of those blocks of rows and columns, as far as the stretch goes.
    fn multiply(&self, at: &Memory, stretch: &Stretch, rows: Range<usize>, columns: Range<usize>) {
        for block in columns {
            let (offset, stride) = self.columns_of(&stretch.steps, self.columns.start(block) * self.lanes);
            // SAFETY: the block is inside `b`, which is not transposed, or it would be packed.
            unsafe { self.multiply_column(at, stretch, rows.clone(), block, at.b.add(offset), stride) };
        }
    }

    /// The same, with each block of columns of `b` copied first.
    fn multiply_packed(&self, pack: Pack, at: &Memory, stretch: &Stretch, rows: Range<usize>, columns: Range<usize>) {
        let steps = &stretch.steps;
        let mut panel = Panel([const { MaybeUninit::uninit() }; PANEL]);
        let panel = panel.0.as_mut_ptr().cast::<f32>();
        for block in columns {
            let column = self.columns.start(block) * self.lanes;
            let (offset, stride) = self.columns_of(steps, column);
            let width = self.columns.size(block) * self.lanes;
            // SAFETY: the block is inside `b`, and the panel has room for it (see `depth`).
            unsafe {
                let columns = width.min(self.sizes[2] - column);
                pack(steps.len(), columns, at.b.add(offset), stride, width, panel);
                self.multiply_column(at, stretch, rows.clone(), block, panel, width);
            }
        }
    }

    /// Computes the tiles of a block of columns whose rows of `b`, `b_stride` apart, are at `b`.
    ///
    /// # Safety
    /// There must be one for each step, and no other part may write those tiles.
    #[inline(always)]
    unsafe fn multiply_column(
        &self,
        at: &Memory,
        stretch: &Stretch,
        rows: Range<usize>,
        block: usize,
        b: *const f32,
        b_stride: usize,
    ) {
        let (n, Stretch { steps, resume }) = (self.sizes[2], stretch);
        let column = self.columns.start(block) * self.lanes;
        let width = if block + 1 == self.columns.blocks { 2 } else { usize::from(block < self.columns.larger) };
        let mut walk = Walk { depth: steps.len(), a_stride: 0, out_stride: n, tail: self.tail, resume: *resume };
        for block in rows {
            let row = self.rows.start(block);
            // SAFETY: the tile and what it reads are inside the matrices or what was packed. The level whose tiles
            // these are was there when they were chosen.
            unsafe {
                let a = if self.pack_a.is_some() {
                    walk.a_stride = self.rows.size(block);
                    at.scratch.add(row * steps.len()).cast_const()
                } else {
                    let (offset, stride) = self.rows_of(steps, block);
                    walk.a_stride = stride;
                    at.a.add(offset)
                };
                let tile = self.tiles[usize::from(block < self.rows.larger)][width];
                tile(&walk, a, b, b_stride, at.out.add(row * n + column));
            }
        }
    }
}

/// The blocks of `m` rows and of `vectors` vectors, as large as there are tiles.
fn blocks(kernels: &Kernels, m: usize, vectors: usize, shared: bool) -> (Split, Split) {
    let tiles = kernels.tiles[0][0];
    let most_rows = tiles[vectors.clamp(1, 2) - 1].len();
    let most_vectors = |rows: Split| tiles.iter().filter(|tiles| tiles.len() >= rows.most()).count();
    let mut rows = Split::new(m, m.div_ceil(most_rows));
    let mut columns = Split::new(vectors, vectors.div_ceil(most_vectors(rows)));
    // With an even number of a few blocks, two threads have the same work.
    let odd = |split: Split| split.blocks % 2 == 1 && split.blocks < 8;
    if shared && odd(rows) && odd(columns) {
        if m > 1 {
            rows = Split::new(m, rows.blocks + 1);
        } else {
            columns = Split::new(vectors, vectors.min(columns.blocks + 1));
        }
    }
    (rows, columns)
}
