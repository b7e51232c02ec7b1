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
/// Channels that are gone through together, at least as many as a vector has lanes.
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

    /// The most elements under a place, along the outer axes and along the last one.
    fn most(&self) -> [usize; 2] {
        [self.outer.iter().map(Along::most).product(), self.last.most()]
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

    /// Writes where the elements are under a place with such a run, but for where that begins, and gives their number.
    ///
    /// # Safety
    /// There is room for the most of them.
    #[allow(clippy::cast_precision_loss, reason = "there are at most 2^24 taps")]
    unsafe fn under(&self, corners: &[Corner], run: &Run, room: *mut Element) -> usize {
        let mut count = 0;
        for &(first, tap) in corners {
            for i in 0..run.count {
                let tap = tap + run.tap as isize + i as isize * self.last.taps;
                // SAFETY: the caller's promise.
                unsafe { room.add(count).write((first + i * self.last.step, tap as f32)) };
                count += 1;
            }
        }
        count
    }
}

/// An element of what is read, and the number of its tap.
type Corner = (usize, isize);

/// The same, where the number is as singles have it.
type Element = (usize, f32);

impl Kernel for Pool {
    fn units(&self) -> usize {
        if self.channels == 0 { 0 } else { self.batch * self.rows() * self.last.runs.len() }
    }

    fn grain(&self) -> usize {
        let [outer, last] = self.most();
        (GRAIN / (self.channels * outer * last).max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        let [outer, last] = self.most();
        outer * (size_of::<Corner>() + last * size_of::<Element>())
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
/// As [`Kernel::run`]; there is room for the corners of a row, and for the elements under a place.
#[inline(always)]
unsafe fn run_with<S: Simd, T: Pooled>(s: S, pool: &Pool, bases: Bases, mut units: Range<usize>, room: *mut Corner) {
    let runs = &pool.last.runs;
    // SAFETY: the caller's promise; so below. Elements of runs lie in their image.
    let elements = unsafe { room.add(pool.most()[0]) }.cast::<Element>();
    while !units.is_empty() {
        let (row, column) = (units.start / runs.len(), units.start % runs.len());
        let corners = unsafe { pool.corners(row, room) };
        let (mut alike, mut count) = (None, 0);
        for run in runs[column..].iter().take(units.len()) {
            // Places of a row differ in where they begin alone, but for those at borders and on the way back.
            if alike.replace((run.tap, run.count)) != Some((run.tap, run.count)) {
                count = unsafe { pool.under(corners, run, elements) };
            }
            let under = unsafe { std::slice::from_raw_parts(elements, count) };
            unsafe { T::place(s, pool, bases, Under { all: under, first: run.first, place: units.start }) };
            units.start += 1;
        }
    }
}

/// What lies under a place.
#[derive(Clone, Copy)]
struct Under<'a> {
    /// Where elements are, in order.
    all: &'a [Element],
    /// How much further they are for this place.
    first: usize,
    /// The place, by number.
    place: usize,
}

impl Under<'_> {
    /// The number of the first tap; 0 of none.
    #[inline(always)]
    fn tap(self) -> f32 {
        self.all.first().map_or(0.0, |&(_, tap)| tap)
    }
}

/// Numbers of taps, as singles have them.
type Taps = [f32; CHANNELS];

/// Elements that are pooled.
trait Pooled: Stored {
    /// Writes all channels of a place, and the taps of the largest.
    ///
    /// # Safety
    /// As [`Kernel::run`]; so below.
    #[inline(always)]
    unsafe fn place<S: Simd>(_: S, pool: &Pool, bases: Bases, under: Under) {
        for channel in (0..pool.channels).step_by(CHANNELS) {
            let width = CHANNELS.min(pool.channels - channel);
            // SAFETY: the caller's promise.
            unsafe {
                match pool.taps {
                    Some(taps) if pool.largest => {
                        let all = Self::largest(pool, bases, under, channel, width);
                        put(bases, taps, under.place * pool.channels + channel, &all[..width]);
                    }
                    _ => Self::sum(pool, bases, under, channel, width),
                }
            }
        }
    }

    /// Writes the largest elements of some channels, and gives their taps.
    #[inline(always)]
    unsafe fn largest(pool: &Pool, bases: Bases, under: Under, channel: usize, width: usize) -> Taps {
        let (from, to) = (bases.at::<Self>(pool.ends[0]), bases.at::<Self>(pool.ends[1]));
        let (mut most, mut taps) = ([Self::Register::LEAST; CHANNELS], [under.tap(); CHANNELS]);
        for &(at, tap) in under.all {
            for i in 0..width {
                // SAFETY: a channel of the element.
                let x = unsafe { *from.add(under.first + at + channel + i) }.load();
                if better::<_, true>(x, most[i]) {
                    (most[i], taps[i]) = (x, tap);
                }
            }
        }
        let to = to.wrapping_add(under.place * pool.channels + channel);
        // SAFETY: one of the results.
        (0..width).for_each(|i| unsafe { *to.add(i) = Self::store(most[i]) });
        taps
    }

    /// Writes the sums of elements: of all, or of those that taps name.
    #[inline(always)]
    unsafe fn sum(pool: &Pool, bases: Bases, under: Under, channel: usize, width: usize) {
        let (from, to) = (bases.at::<Self>(pool.ends[0]), bases.at::<Self>(pool.ends[1]));
        let (mut sums, place) = ([Self::Register::ZERO; CHANNELS], under.place * pool.channels + channel);
        for &(at, tap) in under.all {
            let element = under.first + at + channel;
            // SAFETY: there are taps beside the results or, on the way back, beside the elements.
            let named =
                pool.taps.map(|taps| unsafe { get(bases, taps, if pool.back { element } else { place }, width) });
            for i in 0..width {
                // SAFETY: a channel of the element.
                let x = unsafe { *from.add(element + i) }.load();
                let counts = named.is_none_or(|named| named[i] == tap);
                sums[i] = sums[i].plus(if counts { x } else { Self::Register::ZERO });
            }
        }
        // SAFETY: one of the results.
        (0..width).for_each(|i| unsafe { *to.add(place + i) = Self::store(sums[i]) });
    }
}

/// In vectors.
impl Pooled for f32 {
    #[inline(always)]
    unsafe fn place<S: Simd>(s: S, pool: &Pool, bases: Bases, under: Under) {
        let whole = pool.channels - pool.channels % S::LANES;
        // SAFETY: the caller's promise; so below.
        unsafe {
            for channel in (0..whole).step_by(S::LANES) {
                vector::<S, true>(s, pool, bases, under, [channel, S::LANES]);
            }
            if whole < pool.channels {
                vector::<S, false>(s, pool, bases, under, [whole, pool.channels - whole]);
            }
        }
    }
}

/// Writes a vector of the `n` channels of a place from one on: all lanes of it, if `WHOLE`.
///
/// # Safety
/// As [`Kernel::run`]; so below.
#[inline(always)]
unsafe fn vector<S: Simd, const WHOLE: bool>(s: S, pool: &Pool, bases: Bases, under: Under, [channel, n]: [usize; 2]) {
    let from = bases.at::<f32>(pool.ends[0]).cast_const().wrapping_add(under.first + channel);
    let place = under.place * pool.channels + channel;
    let to = bases.at::<f32>(pool.ends[1]).wrapping_add(place);
    // SAFETY: the caller's promise.
    unsafe {
        let made = match pool.taps {
            Some(taps) if pool.largest => {
                let (most, all) = largest::<S, WHOLE>(s, under, from, n);
                if WHOLE && taps.dtype == DType::U8 {
                    s.store_bytes(bases.at::<u8>(taps.span).add(place), all);
                } else {
                    let mut lanes = [0.0; CHANNELS];
                    s.store(lanes.as_mut_ptr(), all);
                    put(bases, taps, place, &lanes[..n]);
                }
                most
            }
            Some(taps) => {
                let beside = if pool.back { under.first + channel } else { place };
                let mut sum = s.splat(0.0);
                for &(at, tap) in under.all {
                    let beside = beside + if pool.back { at } else { 0 };
                    let named = match taps.dtype {
                        DType::U8 if WHOLE => s.load_bytes(bases.at::<u8>(taps.span).add(beside)),
                        _ => s.load(get(bases, taps, beside, n).as_ptr()),
                    };
                    let x = load::<S, WHOLE>(s, from.add(at), n);
                    sum = s.add(sum, s.select(s.eq(named, s.splat(tap)), x, s.splat(0.0)));
                }
                sum
            }
            None => {
                let mut sum = s.splat(0.0);
                for &(at, _) in under.all {
                    sum = s.add(sum, load::<S, WHOLE>(s, from.add(at), n));
                }
                sum
            }
        };
        if WHOLE { s.store(to, made) } else { s.store_first(n, to, made) }
    }
}

/// The largest elements of some channels, and their taps.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn largest<S: Simd, const WHOLE: bool>(s: S, under: Under, from: *const f32, n: usize) -> (S::F, S::F) {
    let (mut most, mut taps) = (s.splat(f32::NEG_INFINITY), s.splat(under.tap()));
    for &(at, tap) in under.all {
        // SAFETY: channels of the element.
        let x = unsafe { load::<S, WHOLE>(s, from.add(at), n) };
        // Not-a-number is taken, and then stays.
        let stays = s.either(s.le(x, most), s.ne(most, most));
        (most, taps) = (s.select(stays, most, x), s.select(stays, taps, s.splat(tap)));
    }
    (most, taps)
}

/// # Safety
/// As above.
#[inline(always)]
unsafe fn load<S: Simd, const WHOLE: bool>(s: S, from: *const f32, n: usize) -> S::F {
    // SAFETY: the caller's promise.
    unsafe { if WHOLE { s.load(from) } else { s.load_first(n, from) } }
}

macro_rules! one_by_one {
    ($($t:ty)*) => { $(impl Pooled for $t {})* };
}

one_by_one! { f64 F16 Bf16 i64 i32 i16 i8 u64 u32 u16 u8 bool }

/// The `width` numbers of taps from `at` on.
///
/// # Safety
/// They are readable.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "there are at most 2^24 taps")]
unsafe fn get(bases: Bases, taps: Place, at: usize, width: usize) -> Taps {
    let mut all = [0.0; CHANNELS];
    typed!(taps.dtype, T => {
        let from = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: the caller's promise.
        (0..width).for_each(|i| all[i] = unsafe { *from.add(i) } as f32);
    }; U8 u8, U16 u16, U32 u32);
    all
}

/// Writes the numbers of taps from `at` on.
///
/// # Safety
/// There is room for them.
#[inline(always)]
unsafe fn put(bases: Bases, taps: Place, at: usize, all: &[f32]) {
    typed!(taps.dtype, T => {
        let to = bases.at::<T>(taps.span).wrapping_add(at);
        // SAFETY: the caller's promise; taps are whole numbers that the type has.
        all.iter().enumerate().for_each(|(i, &tap)| unsafe { *to.add(i) = tap.to_int_unchecked() });
    }; U8 u8, U16 u16, U32 u32);
}
