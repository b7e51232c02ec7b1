//! Windows over images: the largest element under each and its tap, sums of elements, and their way back, over windows of
//! any number of axes and elements of every type.
//!
//! Along each axis the elements under a place lie at equal distances, and so do the places over an element: a run. Pooling
//! and unpooling are one loop over the runs of what is written, from the first to the last.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Op, Slide};
use cornu_graph::{DType, Type};

use super::arg::better;
use super::memory::typed;
use super::num::{Num, Stored};
use super::operand::{Bases, Kernel, Place, Span};
use super::simd::{Level, Portable, Simd, dispatch};

/// Elements read that are worth a thread.
const GRAIN: usize = 32 * 1024;
/// Channels that are gone through together.
const CHANNELS: usize = 64;

/// What is read for one place along an axis: `count` elements from `first` on, under taps from `tap` on.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    first: usize,
    tap: usize,
    count: usize,
}

/// The runs along an axis, and how far elements and taps of a run lie apart.
#[derive(Debug, Default)]
struct Along {
    runs: Vec<Run>,
    step: usize,
    taps: isize,
}

impl Along {
    /// For each of `places` places of a window the elements under it, of `len`; or the other way round. Elements of memory
    /// and numbers of taps lie so far `apart`.
    fn new(slide: &Slide, [len, places]: [usize; 2], back: bool, apart: [usize; 2]) -> Along {
        let mut along = Along { runs: vec![Run::default(); if back { len } else { places }], ..Along::default() };
        for (place, tap) in (0..places).flat_map(|place| (0..slide.size).map(move |tap| (place, tap))) {
            let Some(element) = slide.element(place, tap, len) else { continue };
            let (to, from) = if back { (element, place) } else { (place, element) };
            let (run, from, tap) = (&mut along.runs[to], from * apart[0], tap * apart[1]);
            match run.count {
                0 => (run.first, run.tap) = (from, tap),
                steps => {
                    along.step = (from - run.first) / steps;
                    along.taps = (tap as isize - run.tap as isize) / steps as isize;
                }
            }
            run.count += 1;
        }
        along
    }

    /// The most elements under a place.
    fn most(&self) -> usize {
        self.runs.iter().map(|run| run.count).max().unwrap_or(0).max(1)
    }
}

/// Windows over images `[batch, …, channels]`. Its units are places of what is written, all channels of each.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Whether the largest element is kept; else they are added.
    largest: bool,
    back: bool,
    /// The taps of the largest, to be written; or of those that are added, beside the results or, on the way back, beside
    /// the elements.
    taps: Option<Place>,
    dtype: DType,
    ends: [Span; 2],
    batch: usize,
    channels: usize,
    /// Elements read of one image.
    image: usize,
    outer: Vec<Along>,
    last: Along,
}

impl Pool {
    /// The kernel of an op that pools or unpools, of operand and result of those types.
    pub(crate) fn new(op: &Op, [from, to]: [&Type; 2], ends: [Place; 2], taps: Option<Place>) -> Pool {
        let (window, largest, back) = match op {
            Op::MaxPool(op) => (&op.window, true, false),
            Op::SumPool(op) => (&op.window, false, false),
            Op::Unpool(op) => (&op.window, false, true),
            other => unreachable!("`{other}` does not pool"),
        };
        let (images, pooled) = if back { (&to.shape, &from.shape) } else { (&from.shape, &to.shape) };
        let (strides, numbers) = (from.shape.strides(), window.sizes().strides());
        let along = |(i, slide): (usize, &Slide)| {
            Along::new(slide, [images[i + 1], pooled[i + 1]], back, [strides[i + 1], numbers[i]])
        };
        let mut outer: Vec<Along> = window.0.iter().enumerate().map(along).collect();
        // Without an axis there is one place, over one element.
        let one = || Along { runs: vec![Run { count: 1, ..Run::default() }], ..Along::default() };
        let last = outer.pop().unwrap_or_else(one);
        let (batch, channels) = (from.shape[0], from.shape[from.rank() - 1]);
        let (image, ends) = (from.shape[1..].iter().product(), ends.map(|place| place.span));
        Pool { largest, back, taps, dtype: from.dtype, ends, batch, channels, image, outer, last }
    }

    /// Places of an image along the outer axes.
    fn rows(&self) -> usize {
        self.outer.iter().map(|along| along.runs.len()).product()
    }

    /// Where the runs along the last axis begin for a row of places, in the order of what is read.
    ///
    /// # Safety
    /// There is room for the most of them.
    unsafe fn corners<'a>(&self, row: usize, room: *mut Corner) -> &'a [Corner] {
        let (mut behind, mut count) = (self.rows(), 1);
        // SAFETY: the caller's promise; each corner is read before what comes of it takes its place.
        unsafe {
            room.write((row / behind * self.image, 0));
            for along in &self.outer {
                behind /= along.runs.len();
                let run = along.runs[row / behind % along.runs.len()];
                for at in (0..count).rev() {
                    let (first, tap) = room.add(at).read();
                    for i in (0..run.count).rev() {
                        let tap = tap + run.tap as isize + i as isize * along.taps;
                        room.add(at * run.count + i).write((first + run.first + i * along.step, tap));
                    }
                }
                count *= run.count;
            }
            std::slice::from_raw_parts(room, count)
        }
    }
}

/// An element of what is read, and the number of its tap.
type Corner = (usize, isize);

impl Kernel for Pool {
    fn units(&self) -> usize {
        if self.channels == 0 { 0 } else { self.batch * self.rows() * self.last.runs.len() }
    }

    fn grain(&self) -> usize {
        let under = self.outer.iter().map(Along::most).product::<usize>() * self.last.most();
        (GRAIN / (self.channels * under).max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        self.outer.iter().map(Along::most).product::<usize>() * size_of::<Corner>()
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        // SAFETY: the caller's promise.
        match self.dtype {
            DType::F32 => unsafe { run_level::<f32>(level, self, bases, units, scratch.cast()) },
            // One loop each: every one takes its time to compile.
            dtype => typed!(dtype, T => unsafe { run_with::<_, T>(Portable, self, bases, units, scratch.cast()) }),
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.largest { "max_pool" } else { ["sum_pool", "unpool"][usize::from(self.back)] };
        write!(f, "{name} {} -> {}", self.batch * self.image, self.units() * self.channels)
    }
}

dispatch! {
    unsafe fn run_level<T: Stored> = run_with(pool: &Pool, bases: Bases, units: Range<usize>, room: *mut Corner);
}

/// # Safety
/// As [`Kernel::run`]; there is room for the corners of a row.
#[inline(always)]
unsafe fn run_with<S: Simd, T: Stored>(_: S, pool: &Pool, bases: Bases, mut units: Range<usize>, room: *mut Corner) {
    let (from, to) = (bases.at::<T>(pool.ends[0]).cast_const(), bases.at::<T>(pool.ends[1]));
    let (last, channels) = (&pool.last, pool.channels);
    while !units.is_empty() {
        let (row, column) = (units.start / last.runs.len(), units.start % last.runs.len());
        // SAFETY: the caller's promise; elements of runs lie in their image.
        unsafe {
            let corners = pool.corners(row, room);
            for run in last.runs[column..].iter().take(units.len()) {
                for channel in (0..channels).step_by(CHANNELS) {
                    let (width, at) = (CHANNELS.min(channels - channel), units.start * channels + channel);
                    let under = Under { corners, run, last, channel };
                    let to = to.add(at);
                    match pool.taps {
                        Some(taps) if pool.largest => put(bases, taps, at, &largest(under, from, to, width)[..width]),
                        None => sum(under, from, to, width, |_| None),
                        Some(taps) if pool.back => {
                            sum(under, from, to, width, |from| Some(get(bases, taps, from, width)));
                        }
                        Some(taps) => {
                            let named = get(bases, taps, at, width);
                            sum(under, from, to, width, |_| Some(named));
                        }
                    }
                }
                units.start += 1;
            }
        }
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
            let (mut at, mut tap) = (first + self.run.first + self.channel, tap + self.run.tap as isize);
            for _ in 0..self.run.count {
                take(at, tap as u32);
                (at, tap) = (at + self.last.step, tap + self.last.taps);
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

/// Writes the sums of elements: of all, or of those whose taps are `named`, given where the element is.
///
/// # Safety
/// As [`largest`].
#[inline(always)]
unsafe fn sum<T: Stored>(
    under: Under,
    from: *const T,
    to: *mut T,
    width: usize,
    named: impl Fn(usize) -> Option<[u32; CHANNELS]>,
) {
    let mut sums = [T::Register::ZERO; CHANNELS];
    under.each(|at, tap| {
        let named = named(at);
        for i in 0..width {
            // SAFETY: a channel of the element.
            let x = unsafe { *from.add(at + i) }.load();
            let counts = named.as_ref().is_none_or(|named| named[i] == tap);
            sums[i] = sums[i].plus(if counts { x } else { T::Register::ZERO });
        }
    });
    // SAFETY: one of the results.
    (0..width).for_each(|i| unsafe { *to.add(i) = T::store(sums[i]) });
}

/// The numbers of taps that stand from `at` on.
///
/// # Safety
/// There are `width`; so below.
#[inline(always)]
#[allow(clippy::unnecessary_cast, reason = "not all are of 32 bits")]
unsafe fn get(bases: Bases, taps: Place, at: usize, width: usize) -> [u32; CHANNELS] {
    let mut all = [0; CHANNELS];
    typed!(taps.dtype, T => {
        let from = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: the caller's promise.
        (0..width).for_each(|i| all[i] = unsafe { *from.add(i) } as u32);
    }; U8 u8, U16 u16, U32 u32);
    all
}

/// # Safety
/// As [`get`].
#[inline(always)]
unsafe fn put(bases: Bases, taps: Place, at: usize, all: &[u32]) {
    typed!(taps.dtype, T => {
        let to = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: the caller's promise.
        all.iter().enumerate().for_each(|(i, &tap)| unsafe { *to.add(i) = tap as T });
    }; U8 u8, U16 u16, U32 u32);
}
