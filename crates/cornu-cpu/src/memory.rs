//! Who lies where: lifetimes in, offsets out; first fit, in the order of birth. Where that takes less, small spans lie
//! behind all large ones, so that they take nothing of the gaps that these leave to each other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::count;

/// How many gaps of a size alike are tried, of which some may be too small.
const LOOKED_AT: usize = 16;

/// Bytes that must be there from one unit of work to another, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) size: usize,
    pub(crate) born: usize,
    pub(crate) dies: usize,
}

/// How many times as large as a small span the largest is.
const LARGE: usize = 16;

/// An offset for each span, such that spans alive at the same time do not overlap, and the size of the whole.
pub(crate) fn place(spans: &[Life]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..spans.len()).filter(|&i| spans[i].size > 0).collect();
    order.sort_by_key(|&i| (spans[i].born, Reverse(spans[i].size)));
    let mut together = (vec![0; spans.len()], 0);
    fit(spans, &order, &mut together);
    let largest = spans.iter().map(|span| span.size).max().unwrap_or(0);
    let (large, small): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&i| spans[i].size > largest / LARGE);
    let mut apart = (vec![0; spans.len()], 0);
    fit(spans, &large, &mut apart);
    fit(spans, &small, &mut apart);
    if apart.1 < together.1 { apart } else { together }
}

/// Places some spans, in that order, behind what there is.
fn fit(spans: &[Life], order: &[usize], (offsets, total): &mut (Vec<usize>, usize)) {
    let by_size = [const { BTreeSet::new() }; usize::BITS as usize];
    let mut room = Room { gaps: BTreeMap::new(), by_size, end: *total, total: *total };
    let mut deaths: BinaryHeap<Reverse<(usize, usize)>> = BinaryHeap::new();
    for &i in order {
        while let Some(&Reverse((dies, dead))) = deaths.peek()
            && dies < spans[i].born
        {
            deaths.pop();
            room.give_back(offsets[dead], spans[dead].size);
        }
        offsets[i] = room.take(spans[i].size);
        deaths.push(Reverse((spans[i].dies, i)));
    }
    *total = room.total;
}

/// What is not taken: gaps, none of which touch, and everything from `end` on.
struct Room {
    /// The size of each gap.
    gaps: BTreeMap<usize, usize>,
    /// The gaps again, by the logarithm of their size.
    by_size: [BTreeSet<usize>; usize::BITS as usize],
    end: usize,
    /// The largest that `end` has been.
    total: usize,
}

impl Room {
    /// Takes the first gap of that size, or room at the end. Of gaps less than twice as large, only some are looked at.
    fn take(&mut self, size: usize) -> usize {
        let order = size.ilog2() as usize;
        let mut alike = self.by_size[order].iter().copied().take(LOOKED_AT).inspect(|_| count::step());
        let alike = alike.find(|at| self.gaps[at] >= size);
        let larger = self.by_size[order + 1..].iter().filter_map(|gaps| gaps.first().copied());
        let Some(at) = larger.chain(alike).min() else {
            let at = self.end;
            self.end = at.saturating_add(size);
            self.total = self.total.max(self.end);
            return at;
        };
        let left = self.remove(at) - size;
        self.insert(at + size, left);
        at
    }

    fn give_back(&mut self, at: usize, size: usize) {
        count::step();
        let end = at.saturating_add(size);
        let behind = if self.gaps.contains_key(&end) { self.remove(end) } else { 0 };
        let before = self.gaps.range(..at).next_back().filter(|&(&start, &size)| start + size == at);
        let (start, size) = match before.map(|(&start, _)| start) {
            Some(start) => (start, self.remove(start) + size + behind),
            None => (at, size + behind),
        };
        if start.saturating_add(size) == self.end {
            self.end = start;
        } else {
            self.insert(start, size);
        }
    }

    fn insert(&mut self, at: usize, size: usize) {
        if size > 0 {
            self.gaps.insert(at, size);
            self.by_size[size.ilog2() as usize].insert(at);
        }
    }

    fn remove(&mut self, at: usize) -> usize {
        let size = self.gaps.remove(&at).expect("a gap begins here");
        self.by_size[size.ilog2() as usize].remove(&at);
        size
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn spans_alive_together_never_overlap() {
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let spans: Vec<Life> = (0..300)
            .map(|_| {
                let born = random(80) as usize;
                Life { size: random(5) as usize * 16, born, dies: born + random(20) as usize }
            })
            .collect();
        let (offsets, total) = place(&spans);
        for (i, a) in spans.iter().enumerate() {
            assert!(offsets[i] + a.size <= total);
            for (j, b) in spans.iter().enumerate().take(i) {
                let together = a.born <= b.dies && b.born <= a.dies;
                let apart = offsets[i] + a.size <= offsets[j] || offsets[j] + b.size <= offsets[i];
                assert!(!together || apart, "{a:?} at {} and {b:?} at {}", offsets[i], offsets[j]);
            }
        }
        let most = (0..100).map(|t| spans.iter().filter(|s| s.born <= t && t <= s.dies).map(|s| s.size).sum::<usize>());
        let most = most.max().expect("there are moments");
        assert!(total < most * 3 / 2, "{total} for at most {most} at once");
    }

    #[test]
    fn small_spans_leave_large_gaps() {
        let life = |size: usize, born, dies| Life { size, born, dies };
        let spans = [life(6400, 0, 1), life(6400, 1, 9), life(64, 2, 9), life(6400, 3, 4)];
        assert_eq!(place(&spans), (vec![0, 6400, 12_800, 0], 12_864));
    }

    /// The first gap that is large enough, among all.
    fn first_fit(spans: &[Life]) -> usize {
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|&i| (spans[i].born, Reverse(spans[i].size)));
        let mut alive: BTreeMap<usize, Life> = BTreeMap::new();
        order.into_iter().filter(|&i| spans[i].size > 0).fold(0, |total, i| {
            alive.retain(|_, other| other.dies >= spans[i].born);
            let end = |at: usize, (&start, other): (&usize, &Life)| match start < at + spans[i].size {
                true => ControlFlow::Continue(start + other.size),
                false => ControlFlow::Break(at),
            };
            let (ControlFlow::Continue(at) | ControlFlow::Break(at)) = alive.iter().try_fold(0, end);
            alive.insert(at, spans[i]);
            total.max(at + spans[i].size)
        })
    }

    #[test]
    fn memory_is_what_first_fit_needs() {
        let mut seed = 11u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let (mut got, mut want) = (0, 0);
        for _ in 0..100 {
            let n = random(400) as usize;
            let span = |_| {
                let (born, size) = (random(200) as usize, (random(12) * random(12)) as usize * 64);
                Life { size, born, dies: born + (random(6) * random(30)) as usize }
            };
            let spans: Vec<Life> = (0..n).map(span).collect();
            got += place(&spans).1;
            want += first_fit(&spans);
        }
        assert!(got <= want + want / 100, "{got} bytes, not {want}");
    }
}
