//! One product in tiles: which tiles cover a part of the output, and which panels of `b` are copied first to lie as tiles
//! read them.

use std::ops::Range;

use super::is_packed;
use super::tile::{Element, End, Kernels, Last, ONE, Walk};
use crate::kernels::memory::LINE;
use crate::kernels::operand::Axis;
use crate::kernels::reduce::BLOCK;
use crate::kernels::simd::foresee_later;
use crate::kernels::threads::share;

/// Bytes of a packed panel of `b`: so many stay in the first-level cache, or stream from the second.
const PANEL: usize = 32 * 1024;

/// Where the matrices of one product are.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub(super) a: *const T,
    pub(super) b: *const T,
    pub(super) out: *mut T,
    /// From a row of the output to the next.
    pub(super) out_stride: usize,
    pub(super) sums: Option<*mut T>,
    pub(super) last: Last<T>,
}

/// `size` things in `blocks` blocks, as even as possible: the first `larger` have one more than `each`.
#[derive(Clone, Copy)]
pub(crate) struct Split {
    pub(crate) blocks: usize,
    each: usize,
    larger: usize,
}

impl Split {
    pub(crate) fn new(size: usize, blocks: usize) -> Self {
        let blocks = blocks.max(1);
        Split { blocks, each: size / blocks, larger: size % blocks }
    }

    /// Where a block begins.
    pub(crate) fn start(&self, block: usize) -> usize {
        block * self.each + block.min(self.larger)
    }

    /// How many things are in a block.
    pub(crate) fn size(&self, block: usize) -> usize {
        self.each + usize::from(block < self.larger)
    }

    /// How many things are in the largest block.
    pub(crate) fn most(&self) -> usize {
        self.each + usize::from(self.larger > 0)
    }
}

/// The blocks of rows and of vectors of a part of the output.
#[derive(Clone, Copy)]
struct Grid {
    rows: Split,
    columns: Split,
    /// Lanes of the last vector.
    tail: usize,
}

impl Grid {
    /// Blocks as large as there are tiles.
    fn new<T>(kernels: &Kernels<T>, rows: usize, columns: usize) -> Self {
        let tiles = kernels.tiles[0][0];
        let vectors = columns.div_ceil(kernels.lanes);
        let most_rows = tiles[vectors.clamp(1, 2) - 1].len();
        let rows = Split::new(rows, rows.div_ceil(most_rows));
        let most_vectors = tiles.iter().filter(|tiles| tiles.len() >= rows.most()).count();
        let tail = columns - vectors.saturating_sub(1) * kernels.lanes;
        Grid { rows, columns: Split::new(vectors, vectors.div_ceil(most_vectors)), tail }
    }
}

/// A matrix as it lies: elements from a row to the next, or from a column where it is transposed.
#[derive(Clone, Copy)]
struct Matrix {
    transposed: bool,
    stride: usize,
}

impl Matrix {
    fn new([rows, columns]: [Axis; 2]) -> Self {
        let transposed = columns.step != 1 && columns.size > 1;
        assert!(!transposed || rows.step == 1 || rows.size <= 1, "one step of {rows:?}, {columns:?} must be 1");
        let stride = if transposed { columns.step } else { rows.step };
        Matrix { transposed, stride: stride.cast_unsigned() }
    }

    fn offset(&self, row: usize, column: usize) -> usize {
        if self.transposed { column * self.stride + row } else { row * self.stride + column }
    }
}

/// How one product is done.
pub(super) struct Tiles<T: 'static> {
    /// `m`, `k`, `n`.
    pub(super) sizes: [usize; 3],
    kernels: &'static Kernels<T>,
    a: Matrix,
    b: Matrix,
    pub(super) out_stride: usize,
    /// A vector times a transposed matrix.
    along: bool,
    pieces: usize,
    pack_b: bool,
    /// That of the whole output.
    grid: Grid,
}

impl<T: Element> Tiles<T> {
    pub(super) fn new(kernels: &'static Kernels<T>, [a, b, out]: [[Axis; 2]; 3], pieces: usize) -> Self {
        let sizes @ [m, k, n] = [out[0].size, a[1].size, out[1].size];
        let fits = a[0].size == m && b.map(|axis| axis.size) == [k, n] && (out[1].step == 1 || n <= 1);
        assert!(fits, "`{a:?}` · `{b:?}` is not `{out:?}`");
        let [a, b, out] = [a, b, out].map(Matrix::new);
        Tiles {
            sizes,
            kernels,
            a,
            b,
            out_stride: out.stride,
            along: m == 1 && b.transposed && pieces == 1,
            pieces,
            pack_b: b.transposed || is_packed(sizes) && n > 2 * kernels.lanes,
            grid: Grid::new(kernels, m, n),
        }
    }

    /// Lanes of a vector.
    pub(super) fn lanes(&self) -> usize {
        self.kernels.lanes
    }

    /// Whether rows are asked for before they are read: those of a `b` that is packed as it lies are far apart.
    fn foresees(&self) -> bool {
        self.pack_b && !self.b.transposed
    }

    /// Whether threads should share rows rather than columns.
    pub(super) fn prefers_rows(&self) -> bool {
        let Grid { rows, columns, .. } = &self.grid;
        let packing = if self.pack_b { 4 } else { 1 };
        rows.blocks >= packing * columns.blocks * self.pieces || columns.blocks == 1 && rows.blocks > 1
    }

    /// Where the steps end that are done together with this one, `width` columns at a time.
    fn stretch(&self, step: usize, width: usize) -> usize {
        let [_, k, _] = self.sizes;
        match self.pieces {
            2 => {
                if step == 0 {
                    k / 2
                } else {
                    k
                }
            }
            _ if self.pack_b => k.min(step + PANEL / size_of::<T>() / width),
            _ => k,
        }
    }

    /// Elements of scratch memory: a panel of `b`, and sums of columns.
    pub(super) fn scratch(&self) -> usize {
        self.panel() + self.sizes[2]
    }

    fn panel(&self) -> usize {
        let [_, k, _] = self.sizes;
        let widest = if self.b.transposed { self.kernels.tiles[0][0].len() } else { 2 };
        match (self.pack_b, self.pieces) {
            (false, _) => 0,
            (true, 2) => k.div_ceil(2) * widest * self.lanes(),
            (true, _) => PANEL / size_of::<T>(),
        }
    }

    /// Computes those rows and columns of the output, over those steps of `k`: all, or a piece.
    ///
    /// # Safety
    /// They must be inside, belong to the caller, and `scratch` have the elements asked for.
    pub(super) unsafe fn run(
        &self,
        at: &At<T>,
        rows: Range<usize>,
        columns: Range<usize>,
        steps: Range<usize>,
        scratch: *mut T,
    ) {
        let [m, k, n] = self.sizes;
        if self.along {
            // SAFETY: the columns are inside; so below.
            return unsafe {
                let (b, out) = (at.b.add(columns.start * self.b.stride), at.out.add(columns.start));
                (self.kernels.along)(k, columns.len(), at.a, b, self.b.stride, out);
            };
        }
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        let whole = rows.len() == m && columns.len() == n;
        let grid = if whole { self.grid } else { Grid::new(self.kernels, rows.len(), columns.len()) };
        let part = Part {
            tiles: self,
            at,
            sums: at.sums.filter(|_| rows.start == 0),
            grid: &grid,
            row: rows.start,
            column: columns.start,
            panel: scratch,
            carry: scratch.wrapping_add(self.panel()),
        };
        // SAFETY: see above.
        unsafe { part.run(steps) };
    }
}

/// Rows of a matrix that are read soon: where they begin, how many bytes they are apart, and how many are read of each.
#[derive(Clone, Copy)]
struct Ahead {
    from: *const u8,
    step: usize,
    bytes: usize,
    rows: usize,
}

impl Ahead {
    /// Asks for a part of them: all at once would keep the processor waiting.
    fn ask(&self, part: usize, parts: usize) {
        let rows = share(self.rows, part, parts);
        let from = self.from.wrapping_add(rows.start * self.step);
        let step = self.step.cast_signed();
        (0..self.bytes).step_by(LINE).for_each(|at| foresee_later(from.wrapping_add(at), step, rows.len()));
    }
}

/// A part of the output, with its own memory.
struct Part<'a, T: 'static> {
    tiles: &'a Tiles<T>,
    at: &'a At<T>,
    sums: Option<*mut T>,
    grid: &'a Grid,
    row: usize,
    column: usize,
    panel: *mut T,
    carry: *mut T,
}

impl<T: Element> Part<'_, T> {
    /// # Safety
    /// See [`Tiles::run`].
    unsafe fn run(&self, all: Range<usize>) {
        let width = self.grid.columns.most() * self.tiles.lanes();
        let mut steps = all.start..self.tiles.stretch(all.start, width);
        let mut end = End::Store;
        loop {
            let next = steps.end..if steps.end == all.end { all.end } else { self.tiles.stretch(steps.end, width) };
            // SAFETY: the steps are inside.
            unsafe {
                for block in 0..self.grid.columns.blocks {
                    self.column(&steps, &next, block, end);
                }
            }
            if steps.end == all.end {
                return;
            }
            steps = next;
            end = if self.tiles.pieces == 2 { End::Add } else { End::Resume };
        }
    }

    /// What is read after a block of columns, of `b` and of `a`: the next block, or the first one of the `next` steps.
    fn ahead(&self, steps: &Range<usize>, next: &Range<usize>, block: usize) -> [Ahead; 2] {
        let Tiles { a, b, kernels, sizes: [m, ..], .. } = self.tiles;
        let columns = &self.grid.columns;
        let size = size_of::<T>();
        let (of, block) = if block + 1 < columns.blocks { (steps, block + 1) } else { (next, 0) };
        let from = b.offset(of.start, self.column + columns.start(block) * kernels.lanes);
        let width = columns.size(block) * kernels.lanes;
        let b = Ahead {
            from: self.at.b.wrapping_add(from).cast(),
            step: b.stride * size,
            bytes: width * size,
            rows: of.len(),
        };
        let from = a.offset(self.row, next.start);
        let a = Ahead {
            from: self.at.a.wrapping_add(from).cast(),
            step: a.stride * size,
            bytes: m * size,
            rows: if a.transposed { next.len() } else { 0 },
        };
        [b, a]
    }

    /// Those steps of a block of columns, and what is read soon: in the `next` steps.
    unsafe fn column(&self, steps: &Range<usize>, next: &Range<usize>, block: usize, end: End) {
        let Tiles { b, kernels, pack_b, .. } = self.tiles;
        let columns = &self.grid.columns;
        let first = columns.start(block) * kernels.lanes;
        let width = columns.size(block) * kernels.lanes;
        let is_last = block + 1 == columns.blocks;
        let some = if is_last { width - kernels.lanes + self.grid.tail } else { width };
        let column = self.column + first;
        // SAFETY: the columns are inside `b`, and the panel has room for them.
        unsafe {
            let mut from = self.at.b.add(b.offset(steps.start, column));
            let mut stride = b.stride;
            if let Some(sums) = self.sums {
                self.add_columns(steps, some, from, self.carry.add(column), sums.add(column));
            }
            // A few rows take wide blocks, which are read as they lie at full speed.
            if b.transposed || *pack_b && columns.most() <= 2 {
                let pack = if b.transposed { kernels.pack_transposed } else { kernels.pack };
                pack(steps.len(), some, from, stride, width, self.panel);
                (from, stride) = (self.panel, width);
            }
            let ahead = self.tiles.foresees().then(|| self.ahead(steps, next, block));
            self.tiles(steps, block, (from, stride), end, ahead);
        }
    }

    /// The tiles of a block of columns, whose rows of `b` are `stride` apart.
    unsafe fn tiles(
        &self,
        steps: &Range<usize>,
        block: usize,
        (b, stride): (*const T, usize),
        end: End,
        ahead: Option<[Ahead; 2]>,
    ) {
        let (Tiles { a, kernels, .. }, out_stride) = (self.tiles, self.at.out_stride);
        let Grid { rows, columns, tail } = self.grid;
        let is_tail = block + 1 == columns.blocks && *tail < kernels.lanes;
        let tiles = kernels.tiles[ONE + usize::from(a.transposed)][usize::from(is_tail)][columns.size(block) - 1];
        let column = self.column + columns.start(block) * kernels.lanes;
        let [_, k, n] = self.tiles.sizes;
        let width = columns.size(block) * kernels.lanes;
        let in_a_row = columns.blocks == 1 && out_stride == n && self.column == 0 && width <= 2 * n;
        let mut walk = Walk {
            stretches: &[],
            depth: steps.len(),
            a_strides: [a.stride; 2],
            out_stride,
            tail: *tail,
            in_a_row,
            end,
            last: Last::Nothing,
        };
        let done = block * rows.blocks;
        for block in 0..rows.blocks {
            let (row, height) = (rows.start(block), rows.size(block));
            if let Some([b, a]) = &ahead {
                b.ask(block, rows.blocks);
                a.ask(done + block, columns.blocks * rows.blocks);
            }
            // SAFETY: the tile and what it reads are inside the matrices or what was packed. The level whose tiles these
            // are was there when they were chosen.
            unsafe {
                let from = self.at.a.add(a.offset(self.row + row, steps.start));
                if steps.end == k {
                    walk.last = self.at.last.at(self.row + row, column);
                }
                tiles[height - 1](&walk, from, b, stride, self.at.out.add((self.row + row) * out_stride + column));
            }
        }
    }

    /// Adds those steps of columns of `b` to their sums: blocks of 512 rows, each from zero, are added in order.
    unsafe fn add_columns(&self, steps: &Range<usize>, columns: usize, b: *const T, carry: *mut T, sums: *mut T) {
        let [_, k, _] = self.tiles.sizes;
        let Tiles { b: matrix, kernels, .. } = self.tiles;
        let mut step = steps.start;
        while step < steps.end || k == 0 {
            let end = steps.end.min((step / BLOCK + 1) * BLOCK);
            // SAFETY: promised by the caller.
            unsafe {
                let from = b.add(matrix.offset(step - steps.start, 0));
                (kernels.sums)(end - step, columns, from, matrix.stride, !step.is_multiple_of(BLOCK), carry);
                if end.is_multiple_of(BLOCK) || end == k {
                    (kernels.sums)(1, columns, carry, columns, step >= BLOCK, sums);
                }
            }
            if k == 0 {
                return;
            }
            step = end;
        }
    }
}
