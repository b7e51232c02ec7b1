//! Convolutions that slide over images: the output of images, and what comes back to them.
//!
//! Places that have the same taps along each axis are a box. The rows of a tile are places in a row along one axis of a box,
//! or the same place in several images; the list of stretches is what all places of a box have in common. So a border is a
//! box like any other, with fewer taps: there is no padding in memory, and nothing multiplied by it.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::zones::{Zone, Zones};
use super::{Block, Channels, Convolution, GRAIN, Makes, Packing, cost_of_rows, strides};
use crate::kernels::dot::Ending;
use crate::kernels::dot::tile::{ALONG, Element, End, Kernels, LANES, Last, Tile, Walk};
use crate::kernels::dot::tiles::Split;
use crate::kernels::operand::{Bases, Kernel, Span};
use crate::kernels::simd::Level;

/// Bytes of images that are worked on together: they stay in the second-level cache.
const TOGETHER: usize = 256 * 1024;

/// Elements of a kernel whose rows tiles of several columns read from one place to the next.
const LARGE: usize = 64 * 1024;

/// Its units are places along the outermost axis that has several, of all images.
pub(super) struct Slide<T: 'static> {
    makes: Makes,
    /// The source, the kernel, the result.
    spans: [Span; 3],
    end: Option<Ending<Span>>,
    channels: Channels<T>,
    images: usize,
    /// How many images are worked on together.
    together: usize,
    /// The axis whose places are units, and how many it has.
    cut: usize,
    each: usize,
    /// Elements of an image of the source, and of the result.
    sizes: [usize; 2],
    /// Rows of the kernel, and whether those of a block of columns lie one behind the other.
    rows: usize,
    packed: bool,
    lists: Vec<Vec<[isize; 2]>>,
    boxes: Vec<Cuboid>,
    work: usize,
}

/// A box of places with the same taps.
struct Cuboid {
    /// Which list of stretches, and which of them.
    list: usize,
    stretches: Range<usize>,
    /// Products of a sum in one stretch.
    depth: usize,
    /// Where it begins in an image of the source, and of the result.
    from: isize,
    to: usize,
    sides: Box<[Side]>,
    /// The side along which the rows of tiles lie, counted from 1; images are 0.
    along: usize,
}

/// A side of a box: its first place and from a place to the next, how many there are, and how far they are apart in the
/// source and the result.
#[derive(Clone, Copy)]
struct Side {
    first: usize,
    step: usize,
    count: usize,
    strides: [usize; 2],
}

impl Side {
    /// How many of its places come before some places of the axis, and how many are among them.
    fn among(&self, places: &Range<usize>) -> (usize, usize) {
        let before = |place: usize| place.saturating_sub(self.first).div_ceil(self.step).min(self.count);
        let skipped = before(places.start);
        (skipped, before(places.end) - skipped)
    }
}

impl<T: Element> Slide<T> {
    pub(super) fn new(of: &Convolution, kernels: &'static Kernels<T>, kind: usize) -> Self {
        let [from, to] = if of.makes == Makes::Output { [0, 1] } else { [1, 0] };
        let channels = Channels::new(of, [from, to], kernels, kind);
        let ends = [from, to].map(|i| strides(&of.sizes(i), of.channels[i]));
        let sizes = ends.each_ref().map(|(_, size)| *size);
        let places = of.sizes(to);
        let cut = places.iter().position(|&places| places > 1).unwrap_or(0);
        let images = if sizes[1] == 0 { 0 } else { of.images };
        let mut slide = Slide {
            makes: of.makes,
            spans: [Span::of(0); 3],
            end: None,
            images,
            together: (TOGETHER / size_of::<T>() / sizes[0].max(1)).clamp(1, images.max(1)),
            cut,
            each: places[cut],
            sizes,
            rows: of.taps() * channels.each[0],
            channels,
            packed: false,
            lists: Vec::new(),
            boxes: Vec::new(),
            work: of.work(),
        };
        if images > 0 {
            slide.find_boxes(of, [&ends[0].0, &ends[1].0]);
            slide.find_tiles();
        }
        let Channels { kind, groups, columns, .. } = slide.channels;
        let is_large = slide.rows * slide.channels.width() >= LARGE;
        slide.packed = groups == 1 && kind != LANES && columns.blocks > 1 && is_large;
        slide
    }

    /// This over a source, kernel and result of those places.
    pub(super) fn over(self, [x, w, y]: [Span; 3], end: Option<Ending<Span>>) -> Self {
        let spans = if self.makes == Makes::Output { [x, w, y] } else { [y, w, x] };
        Slide { spans, end, ..self }
    }

    /// Back to the input, a kernel `[taps, c, groups, k]` is needed as `[taps, k, groups, c]`; a large one with the columns of
    /// tiles apart, so that its rows lie one behind the other.
    pub(super) fn packing(&self, of: &Convolution) -> Option<Packing> {
        let ([c, k], groups) = (of.channels.map(|all| all / of.groups), of.groups);
        let back = self.makes == Makes::Input && c.max(k) > 1;
        let row = groups * k;
        if !self.packed {
            let axes = vec![[of.taps(), c * row, k * groups * c], [k, 1, groups * c], [groups, k, c], [c, row, 1]];
            return back.then(|| Packing { len: of.kernel_size(), parts: vec![([0, 0], axes)] });
        }
        let (lanes, all) = (self.channels.kernels.lanes, self.channels.width());
        let part = |Block { first, vectors, .. }: Block<T>| {
            let width = vectors * lanes;
            let columns = width.min(all - first);
            let to = first * self.rows;
            match back {
                true => ([first * row, to], vec![[of.taps(), c * row, k * width], [k, 1, width], [columns, row, 1]]),
                false => ([first, to], vec![[self.rows, row, width], [columns, 1, 1]]),
            }
        };
        let len = self.rows * all.next_multiple_of(lanes);
        Some(Packing { len, parts: self.channels.blocks().map(part).collect() })
    }

    /// A box for each zone of an axis with each of the others.
    fn find_boxes(&mut self, of: &Convolution, strides: [&[usize]; 2]) {
        let axes = of.zones();
        let mut all: Vec<Vec<usize>> = vec![Vec::new()];
        for zones in &axes {
            let with = |before: &Vec<usize>| {
                let before = before.clone();
                (0..zones.all.len()).map(move |zone| [&before[..], &[zone]].concat())
            };
            all = all.iter().flat_map(with).collect();
        }
        let mut known = HashMap::new();
        for mut chosen in all {
            let zones: Vec<&Zone> = axes.iter().zip(&chosen).map(|(axis, &zone)| &axis.all[zone]).collect();
            let taps = axes[0].classes[zones[0].class].count;
            // Boxes that differ in how far their taps go along the first axis have parts of one list.
            chosen[0] = zones[0].class;
            let (list, depth) = *known.entry(chosen).or_insert_with(|| {
                let (list, depth) = self.stretches(of, &axes, &zones, strides[0]);
                self.lists.push(list);
                (self.lists.len() - 1, depth)
            });
            let each = self.lists[list].len() / taps.max(1);
            let side = |(zone, (&from, &to)): (&&Zone, (&usize, &usize))| {
                let strides = [zone.from_step * from, zone.step * to];
                Side { first: zone.to, step: zone.step, count: zone.count, strides }
            };
            let strided = || zones.iter().zip(strides[0].iter().zip(strides[1]));
            self.boxes.push(Cuboid {
                list,
                stretches: zones[0].taps.start * each..zones[0].taps.end * each,
                depth,
                from: strided().map(|(zone, (from, _))| zone.from * from.cast_signed()).sum(),
                to: strided().map(|(zone, (_, to))| zone.to * to).sum(),
                sides: strided().map(side).collect(),
                along: zones.len(),
            });
        }
    }

    /// The stretches of places with all taps of a class along the first axis, and those of zones along the others; and how
    /// many products a sum has in each. Taps that lie side by side in the source and the kernel are one.
    fn stretches(
        &self,
        of: &Convolution,
        axes: &[Zones],
        zones: &[&Zone],
        strides: &[usize],
    ) -> (Vec<[isize; 2]>, usize) {
        let (mut list, mut depth) = (vec![[0isize; 2]], self.channels.each[0]);
        for (axis, (zones, zone)) in axes.iter().zip(zones).enumerate() {
            let taps = zones.classes[zone.class];
            let mut own = if axis == 0 { 0..taps.count } else { zone.taps.clone() };
            let is_last = axis + 1 == strides.len();
            if is_last && self.channels.kind == ALONG && self.channels.groups == 1 && (taps.step, taps.source) == (1, 1)
            {
                depth *= own.len();
                own.end = own.end.min(own.start + 1);
            }
            let (size, stride) = (of.axes[axis].0.size.cast_signed(), strides[axis].cast_signed());
            let at = |&[from, tap]: &[isize; 2], own: usize| {
                let number = (taps.first + own * taps.step).cast_signed();
                [from + own.cast_signed() * taps.source * stride, tap * size + number]
            };
            list = list.iter().flat_map(|before| own.clone().map(move |own| at(before, own))).collect();
        }
        let rows = self.channels.each[0].cast_signed();
        list.iter_mut().for_each(|[_, tap]| *tap *= rows);
        (list, depth)
    }

    /// How many vectors tiles have, and along which side of each box their rows lie.
    fn find_tiles(&mut self) {
        let size = |cuboid: &&Cuboid| cuboid.sides.iter().map(|side| side.count).product::<usize>();
        let largest = self.boxes.iter().max_by_key(size);
        let longest = largest.and_then(|cuboid| cuboid.sides.iter().map(|side| side.count).max());
        let [vectors, most] = self.channels.fit(longest.unwrap_or(1));
        for cuboid in &mut self.boxes {
            let counts = [self.together].into_iter().chain(cuboid.sides.iter().map(|side| side.count));
            let cost = |&(_, count): &(usize, usize)| cost_of_rows(most, count, vectors) as f64 / count as f64;
            // Of those that are as good the innermost, whose rows lie next to each other.
            let best = counts.enumerate().min_by(|a, b| cost(a).total_cmp(&cost(b)).then(b.0.cmp(&a.0)));
            cuboid.along = best.map_or(0, |(along, _)| along);
        }
    }

    /// Places of some images, from one to another of the axis that is cut.
    ///
    /// # Safety
    /// See [`Kernel::run`].
    unsafe fn places(&self, bases: Bases, images: Range<usize>, places: &Range<usize>) {
        for Block { first, vectors, tail, column, channel, tiles } in self.channels.blocks() {
            let [from, kernel, to] = self.spans.map(|span| bases.at::<T>(span));
            for cuboid in &self.boxes {
                let part = Part {
                    slide: self,
                    cuboid,
                    tiles,
                    vectors,
                    tail,
                    images: images.len(),
                    among: cuboid.sides[self.cut].among(places),
                    kernel: kernel.wrapping_add(if self.packed { first * self.rows } else { column }),
                    out: to,
                    column,
                    last: Last::new(self.end, bases, 0),
                };
                let [a, out] = cuboid.sides[self.cut].strides.map(|stride| part.among.0 * stride);
                let from = from.wrapping_add(images.start * self.sizes[0] + channel + a).wrapping_offset(cuboid.from);
                // SAFETY: the places are inside the result, and what their taps reach is inside the source.
                unsafe { part.side(0, from, images.start * self.sizes[1] + column + cuboid.to + out) };
            }
        }
    }
}

/// The places of a box that are among those asked for, in a block of columns.
struct Part<'a, T: 'static> {
    slide: &'a Slide<T>,
    cuboid: &'a Cuboid,
    tiles: &'static [Tile<T>],
    vectors: usize,
    tail: usize,
    images: usize,
    /// How many places of the side that is cut come before, and how many there are.
    among: (usize, usize),
    kernel: *const T,
    out: *mut T,
    column: usize,
    last: Last<T>,
}

impl<T: Element> Part<'_, T> {
    /// How many places there are along a side, and how far they are apart.
    fn extent(&self, side: usize) -> (usize, [usize; 2]) {
        let Some(axis) = side.checked_sub(1) else { return (self.images, self.slide.sizes) };
        let Side { count, strides, .. } = self.cuboid.sides[axis];
        (if axis == self.slide.cut { self.among.1 } else { count }, strides)
    }

    /// All places of the sides from that one on, beginning there.
    ///
    /// # Safety
    /// They must be inside.
    unsafe fn side(&self, side: usize, from: *const T, to: usize) {
        if side > self.cuboid.sides.len() {
            // SAFETY: promised by the caller; so below.
            return unsafe { self.rows(from, to) };
        }
        let (count, [a, out]) = self.extent(side);
        // The rows of tiles are all places along their side.
        let count = if side == self.cuboid.along { count.min(1) } else { count };
        for i in 0..count {
            // SAFETY: see above.
            unsafe { self.side(side + 1, from.wrapping_add(i * a), to + i * out) };
        }
    }

    /// The places along the side of the rows of tiles.
    ///
    /// # Safety
    /// They must be inside.
    unsafe fn rows(&self, from: *const T, to: usize) {
        let Part { slide, cuboid, vectors, tail, .. } = self;
        let Channels { kernels, each: [_, made], columns, .. } = slide.channels;
        let width = vectors * kernels.lanes;
        let b_stride = if slide.packed { width } else { slide.channels.width() };
        let (count, [a_row, out_stride]) = self.extent(cuboid.along);
        let rows = Split::new(count, count.div_ceil(self.tiles.len()));
        let mut walk = Walk {
            stretches: &slide.lists[cuboid.list][cuboid.stretches.clone()],
            depth: cuboid.depth,
            a_strides: [a_row, 1],
            out_stride,
            tail: *tail,
            in_a_row: columns.blocks == 1 && out_stride == made && width <= 2 * out_stride,
            end: End::Store,
            last: self.last.at(0, self.column),
        };
        for block in 0..rows.blocks {
            let (row, to) = (rows.start(block), to + rows.start(block) * out_stride);
            if let Last::Slope(slope, _) = self.last {
                walk.last = Last::Slope(slope.wrapping_add(to), out_stride);
            }
            // SAFETY: promised by the caller. The level whose tiles these are was there when they were chosen.
            unsafe {
                let tile = self.tiles[rows.size(block) - 1];
                tile(&walk, from.wrapping_add(row * a_row), self.kernel, b_stride, self.out.add(to));
            }
        }
    }
}

impl<T: Element> Kernel for Slide<T> {
    fn units(&self) -> usize {
        self.images * self.each
    }

    fn grain(&self) -> usize {
        GRAIN.div_ceil((self.work / self.units().max(1)).max(1))
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        let mut unit = units.start;
        while unit < units.end {
            let (image, place) = (unit / self.each, unit % self.each);
            let whole = ((units.end - unit) / self.each).min(self.together);
            let (images, places) = match (place, whole) {
                (0, 1..) => (whole, 0..self.each),
                _ => (1, place..self.each.min(place + units.end - unit)),
            };
            unit += images * places.len();
            // SAFETY: promised by the caller: the places belong to these units.
            unsafe { self.places(bases, image..image + images, &places) };
        }
    }
}

/// Which way, images, and elements of an image and of its result.
impl<T: Element> fmt::Display for Slide<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = self.sizes;
        let name = if self.makes == Makes::Output { "conv" } else { "conv_input" };
        write!(f, "{name} {} x {from} -> {to}", self.images)?;
        Ending::print(self.end, f)
    }
}
