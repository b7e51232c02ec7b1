//! Convolutions, channels last: what slides over images (forwards, and back to the input), and sums for each number of a
//! kernel. All are tiles of products whose sums go over a list of stretches; nothing is copied but the kernel.
//!
//! An element of the result is one sum, over taps and then channels in order, of the taps that reach it: images alone have
//! the bits that they have in a batch. An element of a kernel's gradient is made of sums over at most 512 places, whole
//! images or rows of them, which are added in order within a shard; a batch is divided into 8 shards of images, or is one
//! where the kernel is large, and shards are added in order. Where a row of taps has few channels, sums over places that all
//! taps of it reach, and over those at borders, are apart. No division depends on the number of threads.

mod slide;
mod weights;
mod zones;

use cornu_graph::ops::{self, Window};
use cornu_graph::{DType, Shape};

use super::dot::Ending;
use super::dot::tile::{ACROSS, ALONG, Element, Kernels, LANES, Tile};
use super::dot::tiles::Split;
use super::operand::{Kernel, Span};
use super::simd::Level;
use slide::Slide;
use weights::Weights;
use zones::Zones;

/// Multiply-adds that are worth a thread.
const GRAIN: usize = 64 * 1024;

/// Which of images `x`, a kernel `w` and a result `y` is made of the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Makes {
    /// `y`, of `x` and `w`.
    Output,
    /// `x`, of `y` and `w`.
    Input,
    /// `w`, of `x` and `y`.
    Weights,
}

/// A convolution, by the shapes of `x`, `w` and `y`.
#[derive(Clone, Debug)]
pub struct Convolution {
    makes: Makes,
    groups: usize,
    /// A window over each axis, and the sizes of the axes of `x` and `y`; at least two, the last of which is the innermost.
    axes: Vec<(ops::Slide, [usize; 2])>,
    images: usize,
    /// Channels of `x` and of `y`.
    channels: [usize; 2],
}

/// Makes a kernel over operands and a result in those places, with what is done to its elements.
pub type Making = dyn FnOnce([Span; 3], Option<Ending<Span>>) -> Box<dyn Kernel>;

/// A convolution for one element type and level.
pub struct Prepared {
    /// What is made of `w` first, if it cannot be read as it lies: once a step.
    pub packing: Option<Packing>,
    /// Makes the kernel over `x`, `w` or what was made of it, and `y`.
    pub kernel: Box<Making>,
}

/// Copies of the parts of a kernel.
pub struct Packing {
    /// Elements of the copy.
    pub len: usize,
    /// Each part: where it begins in the kernel and in the copy, and its axes: sizes, and elements from one to the next in
    /// either.
    pub parts: Vec<([usize; 2], Vec<[usize; 3]>)>,
}

impl Convolution {
    /// That of a window over images of shape `x` and results of shape `y`, which fit each other.
    pub fn new(makes: Makes, window: &Window, groups: usize, x: &Shape, y: &Shape) -> Convolution {
        let mut axes: Vec<_> = window.0.iter().enumerate().map(|(i, &slide)| (slide, [x[i + 1], y[i + 1]])).collect();
        if window.is_one() {
            // A single row of places.
            let places = axes.iter().map(|(_, sizes)| sizes[0]).product();
            axes = vec![(axes[0].0, [places; 2])];
        }
        let one = ops::Slide { size: 1, stride: 1, dilation: 1, low: 0, high: 0 };
        let missing = 2usize.saturating_sub(axes.len());
        axes.splice(0..0, std::iter::repeat_n((one, [1, 1]), missing));
        let last = x.rank() - 1;
        Convolution { makes, groups, axes, images: x[0], channels: [x[last], y[last]] }
    }

    /// How many copies of a kernel's gradient are made first, which are added to be the gradient.
    pub fn shards(&self) -> usize {
        if self.kernel_size() > 256 * 1024 { 1 } else { self.images.clamp(1, 8) }
    }

    /// All that is decided for operands and a result of that type. Weights are made in so many copies as
    /// [`Convolution::shards`] says.
    pub fn prepared(&self, dtype: DType, level: Level) -> Prepared {
        match dtype {
            DType::F32 => self.typed::<f32>(level),
            DType::F64 => self.typed::<f64>(level),
            // What wraps has the same bits with a sign and without.
            DType::I8 | DType::U8 => self.typed::<i8>(level),
            DType::I16 | DType::U16 => self.typed::<i16>(level),
            DType::I32 | DType::U32 => self.typed::<i32>(level),
            DType::I64 | DType::U64 => self.typed::<i64>(level),
            other => unreachable!("the type rule and `widen` leave no convolution of {other}"),
        }
    }

    fn typed<T: Element>(&self, level: Level) -> Prepared {
        let made = usize::from(self.makes != Makes::Input);
        let deep = T::kernels(level, self.channels[made]);
        let is_deep = self.groups > 1 && self.channels == [self.groups; 2] && !deep.tiles[LANES][0].is_empty();
        let kernels = if is_deep { deep } else { T::kernels(level, self.channels[made] / self.groups) };
        let kind = match (is_deep, self.makes) {
            (true, _) => LANES,
            (false, Makes::Weights) => ACROSS,
            (false, _) => ALONG,
        };
        if self.makes == Makes::Weights {
            let weights = Weights::<T>::new(self, kernels, kind);
            return Prepared { packing: None, kernel: Box::new(|spans, _| Box::new(weights.over(spans))) };
        }
        let slide = Slide::<T>::new(self, kernels, kind);
        Prepared { packing: slide.packing(self), kernel: Box::new(|spans, end| Box::new(slide.over(spans, end))) }
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|(slide, _)| slide.size).product()
    }

    fn kernel_size(&self) -> usize {
        self.taps() * (self.channels[0] / self.groups) * self.channels[1]
    }

    /// How many multiply-adds there are, those with padding included.
    fn work(&self) -> usize {
        let places = self.axes.iter().map(|(_, sizes)| sizes[1]).product::<usize>();
        (self.images * places).saturating_mul(self.kernel_size())
    }

    /// The sizes of the axes of `x` or `y`.
    fn sizes(&self, of: usize) -> Vec<usize> {
        self.axes.iter().map(|(_, sizes)| sizes[of]).collect()
    }

    /// Places with the same taps, along each axis.
    fn zones(&self) -> Vec<Zones> {
        let of = |&(slide, sizes): &(ops::Slide, [usize; 2])| match self.makes {
            Makes::Output | Makes::Weights => Zones::forwards(slide, sizes),
            Makes::Input => Zones::backwards(slide, sizes),
        };
        self.axes.iter().map(of).collect()
    }
}

/// Elements from a place to the next along each axis, and of all places.
fn strides(sizes: &[usize], channels: usize) -> (Vec<usize>, usize) {
    let shape: Shape = sizes.iter().copied().chain([channels]).collect();
    (shape.strides()[..sizes.len()].to_vec(), shape.size())
}

/// The channels of operands and results in groups, and the tiles that compute them.
struct Channels<T: 'static> {
    kernels: &'static Kernels<T>,
    kind: usize,
    groups: usize,
    /// Those of a group, in what is multiplied and in what is made.
    each: [usize; 2],
    /// The vectors of a group's channels in the result.
    columns: Split,
}

/// Columns of a group that tiles have together.
struct Block<T: 'static> {
    /// The first column among those of the group.
    first: usize,
    vectors: usize,
    /// Columns of the last vector.
    tail: usize,
    /// The first column among all, and the first channel that it is made of.
    column: usize,
    channel: usize,
    /// Tiles of one row or more.
    tiles: &'static [Tile<T>],
}

impl<T: Element> Channels<T> {
    /// Those of what is multiplied and made, `x` and `y` by number. A channel that is a group of its own is a lane.
    fn new(of: &Convolution, [from, to]: [usize; 2], kernels: &'static Kernels<T>, kind: usize) -> Self {
        let (groups, each) = match kind {
            LANES => (1, [1, of.channels[to]]),
            _ => (of.groups, [from, to].map(|i| of.channels[i] / of.groups)),
        };
        Channels { kernels, kind, groups, each, columns: Split::new(1, 1) }
    }

    /// All channels of the result: from a row of the kernel to the next.
    fn width(&self) -> usize {
        self.groups * self.each[1]
    }

    /// Chooses the columns of tiles for so many rows; gives the most vectors and rows that they have.
    fn fit(&mut self, rows: usize) -> [usize; 2] {
        let tiles = self.kernels.tiles[self.kind][0];
        self.columns = columns(tiles, rows, self.each[1].div_ceil(self.kernels.lanes));
        let vectors = self.columns.most();
        [vectors, tiles[vectors - 1].len()]
    }

    /// All blocks of columns of all groups.
    fn blocks(&self) -> impl Iterator<Item = Block<T>> {
        let Channels { kernels, kind, groups, each: [under, made], columns } = *self;
        (0..groups * columns.blocks).map(move |i| {
            let (group, block) = (i / columns.blocks, i % columns.blocks);
            let (first, vectors) = (columns.start(block) * kernels.lanes, columns.size(block));
            let tail = (made - first).min(vectors * kernels.lanes) - (vectors - 1) * kernels.lanes;
            let column = group * made + first;
            let channel = if kind == LANES { column } else { group * under };
            let tiles = kernels.tiles[kind][usize::from(tail < kernels.lanes)][vectors - 1];
            Block { first, vectors, tail, column, channel, tiles }
        })
    }
}

/// What a step of a tile takes: products, of which two are done at once, with sums that wait for each other unless there are
/// eight; or loads, two at once; and the tile's own beginning and end.
fn cost(rows: usize, vectors: usize) -> usize {
    (10 * rows * vectors).max(80).max(10 * (rows + vectors)) + 10 + rows + vectors
}

/// [`cost`] of so many rows of so many vectors, in the tallest tiles there are.
fn cost_of_rows(most: usize, rows: usize, vectors: usize) -> usize {
    let split = Split::new(rows, rows.div_ceil(most));
    (0..split.blocks).map(|block| cost(split.size(block), vectors)).sum()
}

/// How many vectors tiles should have, of such as there are, for that many rows of so many vectors.
fn columns<T>(tiles: &[&[Tile<T>]], rows: usize, vectors: usize) -> Split {
    let split = |most: usize| Split::new(vectors, vectors.div_ceil(most));
    let cost = |most: &usize| {
        let split = split(*most);
        let sizes = (0..split.blocks).map(|block| split.size(block));
        sizes.map(|vectors| cost_of_rows(tiles[vectors - 1].len(), rows, vectors)).sum::<usize>()
    };
    split((1..=tiles.len().min(vectors)).min_by_key(cost).unwrap_or(1))
}

#[cfg(test)]
mod tests;
