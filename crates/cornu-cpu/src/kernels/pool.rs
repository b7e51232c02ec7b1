//! Windows over images: the largest element under each and its tap, sums of elements, and their way back, over windows of
//! any number of axes and elements of every type.
//!
//! Along each axis the elements under a place lie at equal distances, and so do the places over an element: a run. Pooling
//! and unpooling are one loop over the runs of what is written, from the first to the last.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Op, Slide};
use cornu_graph::{Bf16, DType, F16, Type};

use super::arg::better;
use super::memory::typed;
use super::num::{Num, Stored};
use super::operand::{Bases, Kernel, Place, Span};
use super::simd::{Level, Portable, Simd, dispatch};

/// Elements read that are worth a thread.
const GRAIN: usize = 32 * 1024;
/// Channels that are gone through together.
const CHANNELS: usize = 16;

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
    unsafe fn run_level<T: Pooled> = run_with(pool: &Pool, bases: Bases, units: Range<usize>, room: *mut Corner);
}

/// # Safety
/// As [`Kernel::run`]; there is room for the corners of a row.
#[inline(always)]
unsafe fn run_with<S: Simd, T: Pooled>(s: S, pool: &Pool, bases: Bases, mut units: Range<usize>, room: *mut Corner) {
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
                    let (under, to) = (Under { corners, run, last, channel }, to.add(at));
                    match pool.taps {
                        Some(taps) if pool.largest => {
                            put(s, bases, taps, at, &T::largest(s, under, from, to, width)[..width]);
                        }
                        taps => {
                            let at = (!pool.back).then_some(at);
                            T::sum(s, under, from, to, width, taps.map(|taps| Named { bases, taps, at }));
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
                (at, tap) = (at + self.last.step, tap.wrapping_add(self.last.taps));
            }
        }
    }

    /// The number of the first tap; 0 of none.
    #[inline(always)]
    fn first(self) -> u32 {
        let first = self.corners.first().filter(|_| self.run.count > 0);
        first.map_or(0, |&(_, tap)| (tap + self.run.tap as isize) as u32)
    }
}

/// Numbers of taps, as singles have them.
type Taps = [f32; CHANNELS];

/// Elements that are pooled.
trait Pooled: Stored {
    /// Writes the largest elements, and gives their taps.
    ///
    /// # Safety
    /// Elements are readable, and `width` results writable; so below.
    #[inline(always)]
    unsafe fn largest<S: Simd>(_: S, under: Under, from: *const Self, to: *mut Self, width: usize) -> Taps {
        let (mut most, mut taps) = ([Self::Register::LEAST; CHANNELS], [under.first() as f32; CHANNELS]);
        under.each(|at, tap| {
            for i in 0..width {
                // SAFETY: a channel of the element.
                let x = unsafe { *from.add(at + i) }.load();
                if better::<_, true>(x, most[i]) {
                    (most[i], taps[i]) = (x, tap as f32);
                }
            }
        });
        // SAFETY: one of the results.
        (0..width).for_each(|i| unsafe { *to.add(i) = Self::store(most[i]) });
        taps
    }

    /// Writes the sums of elements: of all, or of those whose taps are `named`.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn sum<S: Simd>(_: S, under: Under, from: *const Self, to: *mut Self, width: usize, named: Option<Named>) {
        let mut sums = [Self::Register::ZERO; CHANNELS];
        under.each(|at, tap| {
            // SAFETY: there are taps beside the element, or beside the results.
            let named = named.map(|named| unsafe { named.get(at, width) });
            for i in 0..width {
                // SAFETY: a channel of the element.
                let x = unsafe { *from.add(at + i) }.load();
                let counts = named.is_none_or(|named| named[i] == tap as f32);
                sums[i] = sums[i].plus(if counts { x } else { Self::Register::ZERO });
            }
        });
        // SAFETY: one of the results.
        (0..width).for_each(|i| unsafe { *to.add(i) = Self::store(sums[i]) });
    }
}

/// In vectors.
impl Pooled for f32 {
    #[inline(always)]
    unsafe fn largest<S: Simd>(s: S, under: Under, from: *const f32, to: *mut f32, width: usize) -> Taps {
        let (first, mut all) = (s.splat(under.first() as f32), [0.0; CHANNELS]);
        for lane in (0..width).step_by(S::LANES) {
            let n = S::LANES.min(width - lane);
            let (mut most, mut taps) = (s.splat(f32::NEG_INFINITY), first);
            under.each(|at, tap| {
                // SAFETY: channels of the element.
                let x = unsafe { s.load_first(n, from.add(at + lane)) };
                let first_nan = s.both(s.ne(x, x), s.eq(most, most));
                let take = s.either(s.lt(most, x), first_nan);
                (most, taps) = (s.select(take, x, most), s.select(take, s.splat(tap as f32), taps));
            });
            // SAFETY: some of the results; there is room for whole vectors of taps.
            unsafe {
                s.store_first(n, to.add(lane), most);
                s.store(all.as_mut_ptr().add(lane), taps);
            }
        }
        all
    }

    #[inline(always)]
    unsafe fn sum<S: Simd>(s: S, under: Under, from: *const f32, to: *mut f32, width: usize, named: Option<Named>) {
        for lane in (0..width).step_by(S::LANES) {
            let (n, mut sum) = (S::LANES.min(width - lane), s.splat(0.0));
            under.each(|at, tap| {
                // SAFETY: channels of the element.
                let mut x = unsafe { s.load_first(n, from.add(at + lane)) };
                if let Some(named) = named {
                    // SAFETY: as many taps beside them, or beside the results.
                    let counts = s.eq(unsafe { named.lanes(s, at, lane, n) }, s.splat(tap as f32));
                    x = s.select(counts, x, s.splat(0.0));
                }
                sum = s.add(sum, x);
            });
            // SAFETY: some of the results.
            unsafe { s.store_first(n, to.add(lane), sum) };
        }
    }
}

macro_rules! one_by_one {
    ($($t:ty)*) => { $(impl Pooled for $t {})* };
}

one_by_one! { f64 F16 Bf16 i64 i32 i16 i8 u64 u32 u16 u8 bool }

/// Taps that name the elements that count.
#[derive(Clone, Copy)]
struct Named<'a> {
    bases: Bases<'a>,
    taps: Place,
    /// Where they are for the results; else they are beside the elements.
    at: Option<usize>,
}

impl Named<'_> {
    /// The taps for an element, or for the results.
    ///
    /// # Safety
    /// There are `width`; so below.
    #[inline(always)]
    #[allow(clippy::cast_precision_loss, reason = "there are at most 2^24 taps")]
    unsafe fn get(self, element: usize, width: usize) -> Taps {
        let mut all = [0.0; CHANNELS];
        typed!(self.taps.dtype, T => {
            let from = self.bases.at::<T>(self.taps.span).wrapping_add(self.at.unwrap_or(element));
            // SAFETY: the caller's promise; so below.
            (0..width).for_each(|i| all[i] = unsafe { *from.add(i) } as f32);
        }; U8 u8, U16 u16, U32 u32);
        all
    }

    /// `n` of them, from one on.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn lanes<S: Simd>(self, s: S, element: usize, lane: usize, n: usize) -> S::F {
        let at = self.at.unwrap_or(element) + lane;
        // SAFETY: as above.
        unsafe {
            if self.taps.dtype == DType::U8 && n == S::LANES {
                return s.load_bytes(self.bases.at::<u8>(self.taps.span).add(at));
            }
            s.load(Named { at: Some(at), ..self }.get(element, n).as_ptr())
        }
    }
}

/// Writes the numbers of taps from `at` on.
///
/// # Safety
/// There is room for them.
#[inline(always)]
unsafe fn put<S: Simd>(s: S, bases: Bases, taps: Place, at: usize, all: &[f32]) {
    if taps.dtype == DType::U8 && all.len() == CHANNELS {
        for lane in (0..CHANNELS).step_by(S::LANES) {
            // SAFETY: the caller's promise; taps are whole numbers that the type has. So below.
            unsafe { s.store_bytes(bases.at::<u8>(taps.span).add(at + lane), s.load(all.as_ptr().add(lane))) };
        }
        return;
    }
    typed!(taps.dtype, T => {
        let to = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: as above.
        all.iter().enumerate().for_each(|(i, &tap)| unsafe { *to.add(i) = tap.to_int_unchecked() });
    }; U8 u8, U16 u16, U32 u32);
}
