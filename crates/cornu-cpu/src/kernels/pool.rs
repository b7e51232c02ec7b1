//! Windows over images: the largest element under each and its tap, sums of elements, and their way back, over windows of
//! any number of axes and elements of every type.
//!
//! Along each axis the elements under a place lie at equal distances, and so do the places over an element: a run. Pooling
//! and unpooling are one loop over the runs of what is written, from the first to the last.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Slide, Window};
use cornu_graph::{DType, Shape};

use super::arg::better;
use super::memory::typed;
use super::num::{Num, Stored};
use super::operand::{Bases, Kernel, Place, Span};
use super::simd::{Level, Portable, Simd, dispatch};

/// Elements read that are worth a thread.
const GRAIN: usize = 32 * 1024;
/// Channels that are gone through together.
const CHANNELS: usize = 64;

/// What is done with the elements of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// The largest is kept, and the number of its tap written there.
    Max(Place),
    /// They are added.
    Sum,
    /// Those are added whose tap is named at the result.
    PickedByResult(Place),
    /// Those are added that name their tap.
    PickedByElement(Place),
}

/// What is read for one place along an axis: `count` elements from `first` on, under taps from `tap` on.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: usize,
    tap: usize,
    count: usize,
}

/// The runs along an axis, and how far elements and taps of a run lie apart.
#[derive(Debug)]
struct Along {
    runs: Box<[Run]>,
    step: usize,
    taps: isize,
}

impl Along {
    /// For each of `places` places of a window the elements under it, of `len`.
    fn pooling(slide: &Slide, len: usize, places: usize) -> Along {
        let run = |place: usize| {
            let corner = place * slide.stride;
            let tap = slide.low.saturating_sub(corner).div_ceil(slide.dilation);
            let end = (len + slide.low).saturating_sub(corner).div_ceil(slide.dilation).min(slide.size);
            Run { first: (corner + tap * slide.dilation).wrapping_sub(slide.low), tap, count: end.saturating_sub(tap) }
        };
        Along { runs: (0..places).map(run).collect(), step: slide.dilation, taps: 1 }
    }

    /// For each of `len` elements the places of a window over it, of `places`.
    fn unpooling(slide: &Slide, len: usize, places: usize) -> Along {
        let common = (1..=slide.stride.min(slide.dilation)).rev().find(|n| slide.stride % n + slide.dilation % n == 0);
        let [step, taps] = [slide.dilation, slide.stride].map(|n| n / common.unwrap_or(1));
        let run = |element: usize| {
            let at = element + slide.low;
            let least = at.saturating_sub((slide.size - 1) * slide.dilation).div_ceil(slide.stride);
            let mut over = least..places.min(at / slide.stride + 1);
            let first = over.find(|place| (at - place * slide.stride).is_multiple_of(slide.dilation));
            first.map_or(Run { first: 0, tap: 0, count: 0 }, |first| Run {
                first,
                tap: (at - first * slide.stride) / slide.dilation,
                count: over.len() / step + 1,
            })
        };
        Along { runs: (0..len).map(run).collect(), step, taps: -(taps as isize) }
    }

    /// The same with elements and taps so far apart in memory, and in their count.
    fn apart(self, elements: usize, taps: usize) -> Along {
        let apart = |run: &Run| Run { first: run.first.wrapping_mul(elements), tap: run.tap * taps, count: run.count };
        Along {
            runs: self.runs.iter().map(apart).collect(),
            step: self.step.wrapping_mul(elements),
            taps: self.taps * taps as isize,
        }
    }
}

/// Windows over images `[batch, …, channels]`. Its units are places of what is written, all channels of each.
#[derive(Debug)]
pub(crate) struct Pool {
    kind: Kind,
    dtype: DType,
    from: Span,
    to: Span,
    batch: usize,
    channels: usize,
    /// Elements read of one image.
    image: usize,
    /// One for each axis of the window, or one of a single element.
    axes: Box<[Along]>,
}

impl Pool {
    /// Pools images of those shapes, or takes `[from, to]` the other way where `back`.
    pub(crate) fn new(
        kind: Kind,
        window: &Window,
        [images, pooled]: [&Shape; 2],
        back: bool,
        ends: [Place; 2],
    ) -> Pool {
        let last = images.rank() - 1;
        let (read, taps) = (if back { pooled } else { images }, window.sizes().strides());
        let strides = read.strides();
        let along = |(axis, slide): (usize, &Slide)| {
            let (len, places) = (images[axis + 1], pooled[axis + 1]);
            let along = if back { Along::unpooling } else { Along::pooling }(slide, len, places);
            along.apart(strides[axis + 1], taps[axis])
        };
        let mut axes: Vec<Along> = window.0.iter().enumerate().map(along).collect();
        if axes.is_empty() {
            axes.push(Along { runs: [Run { first: 0, tap: 0, count: 1 }].into(), step: 0, taps: 0 });
        }
        let [from, to] = ends;
        Pool {
            kind,
            dtype: from.dtype,
            from: from.span,
            to: to.span,
            batch: images[0],
            channels: images[last],
            image: read[1..].iter().product(),
            axes: axes.into(),
        }
    }

    fn outer(&self) -> (&[Along], &Along) {
        let (last, outer) = self.axes.split_last().expect("an axis");
        (outer, last)
    }

    /// Places of an image along the outer axes.
    fn rows(&self) -> usize {
        self.outer().0.iter().map(|along| along.runs.len()).product()
    }

    /// The most elements under a place along those axes.
    fn most<'a>(axes: impl IntoIterator<Item = &'a Along>) -> usize {
        axes.into_iter().map(|along| along.runs.iter().map(|run| run.count).max().unwrap_or(0).max(1)).product()
    }
}

impl Kernel for Pool {
    fn units(&self) -> usize {
        if self.channels == 0 { 0 } else { self.batch * self.rows() * self.outer().1.runs.len() }
    }

    fn grain(&self) -> usize {
        (GRAIN / (self.channels * Pool::most(&self.axes)).max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        Pool::most(self.outer().0) * size_of::<Corner>()
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        let corners: *mut Corner = scratch.cast();
        // SAFETY: the caller's promise.
        match self.dtype {
            DType::F32 => unsafe { run_level::<f32>(level, self, bases, units, corners) },
            // One loop each: every one takes its time to compile.
            dtype => typed!(dtype, T => unsafe { run_with::<Portable, T>(Portable, self, bases, units, corners) }),
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Max(_) => "max_pool",
            Kind::Sum => "sum_pool",
            Kind::PickedByResult(_) => "sum_pool of taps",
            Kind::PickedByElement(_) => "unpool of taps",
        };
        write!(f, "{name} {} -> {}", self.batch * self.image, self.units() * self.channels)
    }
}

/// Where a run along the last axis lies: elements from the first of all, and the number of its tap.
type Corner = (usize, isize);

dispatch! {
    unsafe fn run_level<T: Stored> = run_with(pool: &Pool, bases: Bases, units: Range<usize>, corners: *mut Corner);
}

/// # Safety
/// As [`Kernel::run`]; there is room for the corners of a row.
#[inline(always)]
unsafe fn run_with<S: Simd, T: Stored>(_: S, pool: &Pool, bases: Bases, mut units: Range<usize>, corners: *mut Corner) {
    let (from, to) = (bases.at::<T>(pool.from).cast_const(), bases.at::<T>(pool.to));
    let (last, channels) = (pool.outer().1, pool.channels);
    while !units.is_empty() {
        let (row, column) = (units.start / last.runs.len(), units.start % last.runs.len());
        // SAFETY: the caller's promise; elements of runs lie in their image.
        unsafe {
            let corners = row_corners(pool, row, corners);
            for run in last.runs[column..].iter().take(units.len()) {
                for channel in (0..channels).step_by(CHANNELS) {
                    let (width, at) = (CHANNELS.min(channels - channel), units.start * channels + channel);
                    let (under, to) = (Under { corners, run, last, channel }, to.add(at));
                    match pool.kind {
                        Kind::Max(taps) => put(bases, taps, at, &largest(under, from, to, width)[..width]),
                        Kind::Sum => sum(under, from, to, width),
                        Kind::PickedByResult(taps) => {
                            let named = get(bases, taps, at, width);
                            picked(under, from, to, width, |_| named);
                        }
                        Kind::PickedByElement(taps) => {
                            picked(under, from, to, width, |from| get(bases, taps, from, width));
                        }
                    }
                }
                units.start += 1;
            }
        }
    }
}

/// Where runs along the last axis lie for a place of the outer ones, in the order of their taps, or of places.
///
/// # Safety
/// There is room for them.
unsafe fn row_corners<'a>(pool: &Pool, row: usize, corners: *mut Corner) -> &'a [Corner] {
    let mut behind = pool.rows();
    // SAFETY: there are never more than the most runs of all axes together.
    unsafe {
        corners.write((row / behind * pool.image, 0));
        let mut count = 1;
        for along in pool.outer().0 {
            behind /= along.runs.len();
            let run = along.runs[row / behind % along.runs.len()];
            // From the last one on, since each makes place for as many as the run has.
            for at in (0..count).rev() {
                let (first, tap) = corners.add(at).read();
                for i in (0..run.count).rev() {
                    let first = first.wrapping_add(run.first).wrapping_add(i * along.step);
                    corners.add(at * run.count + i).write((first, tap + run.tap as isize + i as isize * along.taps));
                }
            }
            count *= run.count;
        }
        std::slice::from_raw_parts(corners, count)
    }
}

/// What lies under one place, for some channels.
#[derive(Clone, Copy)]
struct Under<'a> {
    corners: &'a [Corner],
    run: &'a Run,
    last: &'a Along,
    channel: usize,
}

impl Under<'_> {
    /// Each element's first channel, and the number of its tap.
    #[inline(always)]
    fn each(self, mut take: impl FnMut(usize, u32)) {
        for &(first, tap) in self.corners {
            let mut at = first.wrapping_add(self.run.first).wrapping_add(self.channel);
            let mut tap = tap + self.run.tap as isize;
            for _ in 0..self.run.count {
                take(at, tap as u32);
                (at, tap) = (at.wrapping_add(self.last.step), tap + self.last.taps);
            }
        }
    }
}

/// Writes the largest elements, and gives their taps.
///
/// # Safety
/// Elements are readable, and `width` results writable; so below.
#[inline(always)]
unsafe fn largest<T: Stored>(under: Under, from: *const T, to: *mut T, width: usize) -> [u32; CHANNELS] {
    let (mut most, mut taps, mut first) = ([T::Register::LEAST; CHANNELS], [0; CHANNELS], true);
    under.each(|at, tap| {
        for i in 0..width {
            // SAFETY: a channel of the element.
            let x = unsafe { *from.add(at + i) }.load();
            let take = first | better::<_, true>(x, most[i]);
            (most[i], taps[i]) = if take { (x, tap) } else { (most[i], taps[i]) };
        }
        first = false;
    });
    // SAFETY: one of the results.
    (0..width).for_each(|i| unsafe { *to.add(i) = T::store(most[i]) });
    taps
}

/// # Safety
/// As [`largest`].
#[inline(always)]
unsafe fn sum<T: Stored>(under: Under, from: *const T, to: *mut T, width: usize) {
    let mut sums = [T::Register::ZERO; CHANNELS];
    // SAFETY: a channel of the element; so below.
    under.each(|at, _| (0..width).for_each(|i| sums[i] = sums[i].plus(unsafe { *from.add(at + i) }.load())));
    // SAFETY: one of the results; so below.
    (0..width).for_each(|i| unsafe { *to.add(i) = T::store(sums[i]) });
}

/// The sum of those elements whose taps are `named`, given where the element is.
///
/// # Safety
/// As [`largest`].
#[inline(always)]
unsafe fn picked<T: Stored>(
    under: Under,
    from: *const T,
    to: *mut T,
    width: usize,
    named: impl Fn(usize) -> [u32; CHANNELS],
) {
    let mut sums = [T::Register::ZERO; CHANNELS];
    under.each(|at, tap| {
        let named = named(at);
        for i in 0..width {
            // SAFETY: as above.
            let x = unsafe { *from.add(at + i) }.load();
            sums[i] = sums[i].plus(if named[i] == tap { x } else { T::Register::ZERO });
        }
    });
    // SAFETY: as above.
    (0..width).for_each(|i| unsafe { *to.add(i) = T::store(sums[i]) });
}

/// The numbers of taps that stand from `at` on.
///
/// # Safety
/// There are `width`; so below.
#[inline(always)]
unsafe fn get(bases: Bases, taps: Place, at: usize, width: usize) -> [u32; CHANNELS] {
    let mut all = [0; CHANNELS];
    // SAFETY: the caller's promise; so below.
    typed!(taps.dtype, T => (0..width).for_each(|i| all[i] = unsafe { *bases.at::<T>(taps.span).add(at + i) }.into());
        U8 u8, U16 u16, U32 u32);
    all
}

/// # Safety
/// As [`get`].
#[inline(always)]
unsafe fn put(bases: Bases, taps: Place, at: usize, all: &[u32]) {
    typed!(taps.dtype, T => {
        let to = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: as above.
        all.iter().enumerate().for_each(|(i, &tap)| unsafe { *to.add(i) = tap as T });
    }; U8 u8, U16 u16, U32 u32);
}
