//! The gradient of a kernel: for each tap, sums over all places of products of what lies under the tap and what came back.

use std::fmt;
use std::ops::Range;

use super::{Block, Channels, Convolution, GRAIN, strides};
use crate::kernels::dot::tile::{Element, End, Kernels, LANES, Last, Walk};
use crate::kernels::dot::tiles::Split;
use crate::kernels::operand::{Bases, Kernel, Span};
use crate::kernels::reduce::BLOCK;
use crate::kernels::simd::Level;
use crate::kernels::threads::share;

/// The fewest rows of a tile for which the taps of a row are done one by one.
const FEW: usize = 8;

/// Its units are tiles of the result, or all of a row of taps, for each shard.
pub(super) struct Weights<T: 'static> {
    /// Images, what came back, the gradients of all shards.
    spans: [Span; 3],
    channels: Channels<T>,
    images: usize,
    shards: usize,
    /// Elements of an image, of what came back to it, and of the kernel.
    sizes: [usize; 3],
    /// For a row of taps, where its rows of places lie in as many images as a sum takes in: in the images, and in what came
    /// back.
    lists: Vec<List>,
    units: Vec<Unit>,
    chains: Chains,
    /// Elements of an image from a row of a tile, where it is a tap, and from a step to the next.
    a_strides: [usize; 2],
    work: usize,
}

/// The rows of places whose taps are inside, and how many of them come before each row.
struct List {
    stretches: Vec<[isize; 2]>,
    before: Vec<usize>,
}

/// How places are divided into sums.
struct Chains {
    /// Images of a sum, where it is of more than some rows of one.
    images: usize,
    /// Rows of places of an image, and of a sum.
    rows: [usize; 2],
    /// Places of a row, and of a sum, where it is less than a row.
    places: [usize; 2],
}

/// Tiles that one thread does one after the other.
struct Unit {
    tiles: Vec<Piece>,
    /// Elements of the kernel that begin with zero, since some tiles write the same.
    zeros: Range<usize>,
}

/// Rows of the kernel's gradient, and the places in a row that are summed for them.
struct Piece {
    list: usize,
    /// Places of each row.
    places: Range<usize>,
    /// Under the first row of the piece at the first place of a row, in an image.
    from: isize,
    /// The first element of the kernel, and how many rows.
    to: usize,
    rows: usize,
}

impl<T: Element> Weights<T> {
    pub(super) fn new(of: &Convolution, kernels: &'static Kernels<T>, kind: usize) -> Self {
        let (xs, ys) = (strides(&of.sizes(0), of.channels[0]), strides(&of.sizes(1), 1));
        let &(inner, [_, places]) = of.axes.last().expect("an axis");
        let lines = ys.1 / places;
        let chain = Chains {
            images: (BLOCK / ys.1).clamp(1, of.images.div_ceil(of.shards()).max(1)),
            rows: [lines, if ys.1 <= BLOCK { lines } else { (BLOCK / places).max(1) }],
            places: [places, places.min(BLOCK)],
        };
        let pixel = of.channels[0];
        let mut weights = Weights {
            spans: [Span::of(0); 3],
            channels: Channels::new(of, [0, 1], kernels, kind),
            images: of.images,
            shards: of.shards(),
            sizes: [xs.1, ys.1 * of.channels[1], of.kernel_size()],
            lists: Vec::new(),
            units: Vec::new(),
            chains: chain,
            a_strides: [inner.dilation * pixel, inner.stride * pixel],
            work: of.work(),
        };
        if weights.sizes[2] > 0 {
            weights.find_units(of, &xs.0);
        }
        weights
    }

    /// This over images, gradients of all shards, and what came back, in those places.
    pub(super) fn over(self, [x, w, y]: [Span; 3]) -> Self {
        Weights { spans: [x, y, w], ..self }
    }

    /// A unit for each row of taps, or for each tile of its taps.
    fn find_units(&mut self, of: &Convolution, strides: &[usize]) {
        let (inner, _) = *of.axes.last().expect("an axis");
        let (c, width) = (self.channels.each[0], self.channels.width());
        let apart = if self.channels.kind == LANES { self.a_strides[0] } else { 1 };
        let runs = self.runs(of);
        let most = runs.iter().map(|(taps, _)| taps.len() * c).max().unwrap_or(1);
        let [_, tall] = self.channels.fit(most);
        // Tiles whose sums are parts of the same elements, or of none.
        let once = |tap: usize| runs.iter().filter(|(taps, _)| taps.contains(&tap)).count() == 1;
        let shared = !(0..inner.size).all(once);
        let each = inner.size * c * width;
        for row in 0..of.taps() / inner.size {
            self.lists.push(self.list(of, row, &strides[..strides.len() - 1]));
            let mut tiles = Vec::new();
            for (taps, places) in &runs {
                let rows = Split::new(taps.len() * c, (taps.len() * c).div_ceil(tall));
                let under = (places.start * inner.stride + taps.start * inner.dilation).cast_signed();
                let from = (under - inner.low.cast_signed()) * of.channels[0].cast_signed();
                tiles.extend((0..rows.blocks).filter(|&block| rows.size(block) > 0).map(|block| Piece {
                    list: row,
                    places: places.clone(),
                    from: from + (rows.start(block) * apart).cast_signed(),
                    to: row * each + (taps.start * c + rows.start(block)) * width,
                    rows: rows.size(block),
                }));
            }
            if shared {
                self.units.push(Unit { tiles, zeros: row * each..(row + 1) * each });
            } else {
                self.units.extend(tiles.into_iter().map(|tile| Unit { tiles: vec![tile], zeros: 0..0 }));
            }
        }
    }

    /// Taps of a row, and the places of a row that reach them: all taps together, if the same places reach them; those of each
    /// zone, the largest first, if they would have few rows alone; else each tap by itself.
    fn runs(&self, of: &Convolution) -> Vec<(Range<usize>, Range<usize>)> {
        let &(inner, [len, places]) = of.axes.last().expect("an axis");
        let Channels { kind, groups, each: [c, _], .. } = self.channels;
        let deep = kind == LANES;
        let mut zones = of.zones().pop().expect("an axis").all;
        let are_even = matches!(&zones[..], [zone] if zone.taps.len() == inner.size);
        let merges = deep || inner.dilation == 1 && groups == 1;
        if merges && (are_even || deep || c < FEW) {
            zones.sort_by_key(|zone| std::cmp::Reverse((zone.taps.len(), zone.count)));
            return zones.into_iter().map(|zone| (zone.taps, zone.to..zone.to + zone.count)).collect();
        }
        let of_tap = |tap: usize| {
            let reached = |place: &usize| inner.element(*place, tap, len).is_some();
            let first = (0..places).find(reached).unwrap_or(0);
            let end = (first..places).find(|place| !reached(place)).unwrap_or(places);
            (tap..tap + 1, first..end)
        };
        (0..inner.size).map(of_tap).collect()
    }

    /// The rows of places of a sum's images that a tap of the outer axes reaches.
    fn list(&self, of: &Convolution, tap: usize, strides: &[usize]) -> List {
        let outer = &of.axes[..strides.len()];
        let under = |row: usize| {
            let (mut row, mut tap, mut under) = (row, tap, 0);
            for ((slide, [len, places]), stride) in outer.iter().zip(strides).rev() {
                under += slide.element(row % places, tap % slide.size, *len)? * stride;
                (row, tap) = (row / places, tap / slide.size);
            }
            Some(under)
        };
        let Chains { images, rows: [rows, _], places: [places, _] } = self.chains;
        let (mut stretches, mut before) = (Vec::new(), vec![0]);
        for number in 0..images * rows {
            let (image, row) = (number / rows, number % rows);
            stretches.extend(
                under(row).map(|under| [image * self.sizes[0] + under, number * places].map(usize::cast_signed)),
            );
            before.push(stretches.len());
        }
        List { stretches, before }
    }

    /// Those units of a shard: all sums of one after the other.
    ///
    /// # Safety
    /// See [`Kernel::run`].
    unsafe fn shard(&self, bases: Bases, shard: usize, units: Range<usize>) {
        let [x, y, w] = self.spans.map(|span| bases.at::<T>(span));
        let to = w.wrapping_add(shard * self.sizes[2]);
        let Chains { images, rows: [all, rows], places: [row, places] } = self.chains;
        let mine = share(self.images, shard, self.shards);
        for unit in &self.units[units.clone()] {
            // SAFETY: rows of the kernel that belong to the unit.
            unsafe { std::slice::from_raw_parts_mut(to.add(unit.zeros.start), unit.zeros.len()) }.fill(T::default());
        }
        let mut is_first = true;
        for image in mine.clone().step_by(images).chain(mine.is_empty().then_some(0)) {
            let (x, y) = (x.wrapping_add(image * self.sizes[0]), y.wrapping_add(image * self.sizes[1]));
            let count = images.min(mine.end.saturating_sub(image));
            for first in (0..all).step_by(rows) {
                let lines = if rows == all { 0..count * all } else { first..all.min(first + rows) };
                for place in (0..row).step_by(places) {
                    let part =
                        Chain { x, y, to, lines: lines.clone(), places: place..row.min(place + places), is_first };
                    is_first = false;
                    let all = self.units[units.clone()].iter();
                    for (unit, piece) in all.flat_map(|unit| unit.tiles.iter().map(move |piece| (unit, piece))) {
                        // SAFETY: promised by the caller.
                        unsafe { self.tile(&part, piece, unit.zeros.is_empty()) };
                    }
                }
            }
        }
    }

    /// One sum of each element of a piece.
    ///
    /// # Safety
    /// See [`Kernel::run`].
    unsafe fn tile(&self, chain: &Chain<T>, piece: &Piece, stores: bool) {
        let List { stretches, before } = &self.lists[piece.list];
        let places = piece.places.start.max(chain.places.start)..piece.places.end.min(chain.places.end);
        let stretches = &stretches[before[chain.lines.start]..before[chain.lines.end]];
        let end = if chain.is_first && stores { End::Store } else { End::Add };
        if end == End::Add && (stretches.is_empty() || places.is_empty()) {
            return;
        }
        let (step, width) = (self.a_strides[1], self.channels.width());
        let from =
            piece.from + (places.start.max(piece.places.start) - piece.places.start).cast_signed() * step.cast_signed();
        for Block { tail, column, channel, tiles, .. } in self.channels.blocks() {
            let walk = Walk {
                stretches,
                depth: places.len(),
                a_strides: self.a_strides,
                out_stride: width,
                tail,
                in_a_row: false,
                end,
                last: Last::Nothing,
            };
            // SAFETY: promised by the caller: what the taps reach is inside the images.
            unsafe {
                let a = chain.x.wrapping_add(channel).wrapping_offset(from);
                let b = chain.y.wrapping_add(places.start * width + column);
                tiles[piece.rows - 1](&walk, a, b, width, chain.to.add(piece.to + column));
            }
        }
    }
}

/// The places of one sum: rows of images from these on, places of each, and where the gradient is.
struct Chain<T> {
    x: *const T,
    y: *const T,
    to: *mut T,
    lines: Range<usize>,
    places: Range<usize>,
    is_first: bool,
}

impl<T: Element> Kernel for Weights<T> {
    fn units(&self) -> usize {
        self.shards * self.units.len()
    }

    fn grain(&self) -> usize {
        GRAIN.div_ceil((self.work / self.units().max(1)).max(1))
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        let (each, mut unit) = (self.units.len(), units.start);
        while unit < units.end {
            let (shard, first) = (unit / each, unit % each);
            let end = each.min(first + units.end - unit);
            unit += end - first;
            // SAFETY: promised by the caller.
            unsafe { self.shard(bases, shard, first..end) };
        }
    }
}

/// Images, elements of one and of what came back to it, and of the gradient in so many shards.
impl<T: Element> fmt::Display for Weights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, w] = self.sizes;
        write!(f, "conv_weights {} x {x} {y} -> {} x {w}", self.images, self.shards)
    }
}
