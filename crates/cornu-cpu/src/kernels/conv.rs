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
use super::dot::tile::Element;
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
    /// `x`, of `y` and `w` with its last two axes turned: see [`Convolution::turned`].
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

impl Convolution {
    /// That of a window over images of shape `x` and results of shape `y`, which fit each other.
    pub fn new(makes: Makes, window: &Window, groups: usize, x: &Shape, y: &Shape) -> Convolution {
        let mut axes: Vec<_> = window.0.iter().enumerate().map(|(i, &slide)| (slide, [x[i + 1], y[i + 1]])).collect();
        // Places of a window of one tap that moves by one are a single row of them.
        let plain = |&(slide, _): &(ops::Slide, [usize; 2])| {
            slide.size == 1 && slide.stride == 1 && (slide.low, slide.high) == (0, 0)
        };
        if axes.iter().all(plain) {
            let places = axes.iter().map(|(_, sizes)| sizes[0]).product();
            axes = vec![(axes[0].0, [places; 2])];
        }
        let one = ops::Slide { size: 1, stride: 1, dilation: 1, low: 0, high: 0 };
        let missing = 2usize.saturating_sub(axes.len());
        axes.splice(0..0, std::iter::repeat_n((one, [1, 1]), missing));
        let last = x.rank() - 1;
        Convolution { makes, groups, axes, images: x[0], channels: [x[last], y[last]] }
    }

    /// How the last two axes of the kernel must be turned for [`Makes::Input`]: `[taps, c, groups, k]` is needed as `[taps, k,
    /// groups, c]`; `None` if it can stay as it lies.
    pub fn turned(&self) -> Option<[usize; 4]> {
        let [c, k] = self.channels.map(|channels| channels / self.groups);
        (self.makes == Makes::Input && c.max(k) > 1).then(|| [self.taps(), c, self.groups, k])
    }

    /// How many copies of a kernel's gradient are made first, which are added to be the gradient.
    pub fn shards(&self) -> usize {
        if self.kernel_size() > 256 * 1024 { 1 } else { self.images.clamp(1, 8) }
    }

    /// The kernel over operands and a result of that type. Weights are made in so many copies as [`Convolution::shards`]
    /// says.
    pub fn kernel(&self, spans: [Span; 3], end: Option<Ending>, dtype: DType, level: Level) -> Box<dyn Kernel> {
        match dtype {
            DType::F32 => self.typed::<f32>(spans, end, level),
            DType::F64 => self.typed::<f64>(spans, end, level),
            // What wraps has the same bits with a sign and without.
            DType::I8 | DType::U8 => self.typed::<i8>(spans, end, level),
            DType::I16 | DType::U16 => self.typed::<i16>(spans, end, level),
            DType::I32 | DType::U32 => self.typed::<i32>(spans, end, level),
            DType::I64 | DType::U64 => self.typed::<i64>(spans, end, level),
            other => unreachable!("the type rule and `widen` leave no convolution of {other}"),
        }
    }

    fn typed<T: Element>(&self, spans: [Span; 3], end: Option<Ending>, level: Level) -> Box<dyn Kernel> {
        let [c, k] = if self.is_deep() { [1, self.channels[1]] } else { self.channels.map(|all| all / self.groups) };
        match self.makes {
            Makes::Output => Box::new(Slide::<T>::new(self, T::kernels(level, k), spans, end)),
            Makes::Input if self.is_deep() => Box::new(Slide::<T>::new(self, T::kernels(level, k), spans, end)),
            Makes::Input => Box::new(Slide::<T>::new(self, T::kernels(level, c), spans, end)),
            Makes::Weights => Box::new(Weights::<T>::new(self, T::kernels(level, k), spans)),
        }
    }

    /// Whether each channel is a group of its own, so that channels are the lanes of vectors.
    fn is_deep(&self) -> bool {
        self.groups > 1 && self.channels == [self.groups; 2]
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
    let of = |axis: usize| sizes[axis + 1..].iter().product::<usize>() * channels;
    ((0..sizes.len()).map(of).collect(), sizes.iter().product::<usize>() * channels)
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

/// How many vectors a tile should have for that many rows of `n` columns.
fn columns<T>(tiles: &super::dot::tile::Kernels<T>, rows: usize, n: usize) -> Split {
    let (tall, vectors) = (tiles.tiles[0][0], n.div_ceil(tiles.lanes));
    let split = |most: usize| Split::new(vectors, vectors.div_ceil(most));
    let cost = |most: &usize| {
        let split = split(*most);
        (0..split.blocks)
            .map(|block| split.size(block))
            .map(|v| cost_of_rows(tall[v - 1].len(), rows, v))
            .sum::<usize>()
    };
    split((1..=tall.len().min(vectors.max(1))).min_by_key(cost).unwrap_or(1))
}

#[cfg(test)]
mod tests;
