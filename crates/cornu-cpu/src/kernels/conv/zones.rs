//! Along one axis: which places of a result have the same taps of a window, and where those lie in the source.

use std::ops::Range;

use cornu_graph::ops::Slide;

/// Taps from the first on, so far apart: in the window, and, back or forth, in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taps {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) source: isize,
}

/// Places that have the same of some taps.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// Whose taps: places that are a stride apart have the same ones.
    pub(super) class: usize,
    /// Which of them.
    pub(super) taps: Range<usize>,
    /// The first place, from a place to the next, and how many there are.
    pub(super) to: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    /// What lies in the source under the first of all those taps, at the first place; and from a place to the next.
    pub(super) from: isize,
    pub(super) from_step: usize,
}

/// All places along an axis.
#[derive(Clone, Debug)]
pub(super) struct Zones {
    pub(super) classes: Vec<Taps>,
    pub(super) all: Vec<Zone>,
}

impl Zones {
    /// Places of a window in the axis it lies on, of those sizes.
    pub(super) fn forwards(slide: Slide, [len, places]: [usize; 2]) -> Zones {
        let taps = Taps { first: 0, step: 1, count: slide.size, source: slide.dilation.cast_signed() };
        let mut zones = Zones { classes: Vec::new(), all: Vec::new() };
        let from = -slide.low.cast_signed();
        zones.class(taps, len, [slide.stride, 0, 1, places], from);
        zones
    }

    /// Elements of the axis, of those sizes, that a window lies on, in the places whose taps reach them: those a stride apart
    /// have the same taps.
    pub(super) fn backwards(slide: Slide, [len, places]: [usize; 2]) -> Zones {
        let Slide { size, stride, dilation, low, .. } = slide;
        let mut zones = Zones { classes: Vec::new(), all: Vec::new() };
        for residue in 0..stride.min(len) {
            let reaches = |tap: &usize| (tap * dilation) % stride == (residue + low) % stride;
            let mut reaching = (0..size).filter(reaches);
            let (first, second) = (reaching.next(), reaching.next());
            let step = second.zip(first).map_or(size, |(second, first)| second - first);
            let count = first.map_or(0, |first| (size - first).div_ceil(step));
            let source = -((step * dilation / stride).cast_signed());
            let first = first.unwrap_or(0);
            let from = (residue + low).cast_signed() - (first * dilation).cast_signed();
            let taps = Taps { first, step, count, source };
            let of_stride = (len - residue).div_ceil(stride);
            zones.class(taps, places, [1, residue, stride, of_stride], from.div_euclid(stride.cast_signed()));
        }
        zones
    }

    /// Places `to`, `to + step`, …, so many of them, with the first of those taps at `from` in a source of `len`, and
    /// `from_step` farther at each next place.
    fn class(&mut self, taps: Taps, len: usize, [from_step, to, step, count]: [usize; 4], from: isize) {
        let class = self.classes.len();
        self.classes.push(taps);
        let first = self.all.len();
        for place in 0..count {
            let from = from + (place * from_step).cast_signed();
            let inside =
                |tap: &usize| (from + tap.cast_signed() * taps.source).try_into().is_ok_and(|at: usize| at < len);
            let low = (0..taps.count).find(inside).unwrap_or(0);
            let high = (low..taps.count).find(|tap| !inside(tap)).unwrap_or(taps.count);
            match self.all[first..].last_mut() {
                Some(zone) if zone.taps == (low..high) => zone.count += 1,
                _ => {
                    let to = to + place * step;
                    self.all.push(Zone { class, taps: low..high, to, step, count: 1, from, from_step });
                }
            }
        }
    }
}
