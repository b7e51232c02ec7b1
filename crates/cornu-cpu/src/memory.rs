//! Who lies where: lifetimes in, offsets out; first fit, in the order of birth. And the front of a row, whose spans are
//! taken and given back one by one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// A span that must be there from one unit of work to another, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) size: usize,
    pub(crate) born: usize,
    pub(crate) dies: usize,
}

/// An offset for each span, such that spans alive at the same time do not overlap, and the size of the whole.
pub(crate) fn place(spans: &[Span]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&i| (spans[i].born, usize::MAX - spans[i].size));
    let mut offsets = vec![0; spans.len()];
    let mut alive: BTreeMap<usize, usize> = BTreeMap::new();
    let mut deaths = BinaryHeap::new();
    // Before this offset there is no gap of this size.
    let (mut full, mut least) = (0, 0);
    let mut total = 0;
    for i in order {
        while let Some(&Reverse((dies, start))) = deaths.peek()
            && dies < spans[i].born
        {
            deaths.pop();
            alive.remove(&start);
            full = if start < full { 0 } else { full };
        }
        let mut at = if spans[i].size >= least { full } else { 0 };
        for (&start, &j) in alive.range(at..) {
            if start >= spans[i].size.saturating_add(at) {
                break;
            }
            at = at.max(spans[j].size.saturating_add(start));
        }
        // An empty span takes no room, and must not hide another that starts where it does.
        if spans[i].size > 0 {
            alive.insert(at, i);
            deaths.push(Reverse((spans[i].dies, at)));
            (full, least) = (at, spans[i].size);
        }
        offsets[i] = at;
        total = total.max(spans[i].size.saturating_add(at));
    }
    (offsets, total)
}

/// The front of a row: variables, which stay, and constants of programs, which may go.
#[derive(Debug, Default)]
pub(crate) struct Front {
    /// How much of it is used, gaps included, and how much there is before scratch memory begins.
    pub(crate) used: usize,
    pub(crate) room: usize,
    /// Gaps, by where they start; no two touch, and none is at the end.
    gaps: BTreeMap<usize, usize>,
}

impl Front {
    /// The first gap of that many elements; else the end.
    pub(crate) fn find(&self, len: usize) -> usize {
        let gap = self.gaps.iter().find(|&(_, &size)| size >= len);
        gap.map_or(self.used, |(&at, _)| at)
    }

    /// Takes a span that starts where a gap does, or at the end.
    pub(crate) fn take(&mut self, at: usize, len: usize) {
        match self.gaps.remove(&at) {
            Some(size) if size > len => _ = self.gaps.insert(at + len, size - len),
            Some(_) => {}
            None => self.used = at + len,
        }
    }

    /// Makes a span a gap, or a part of those beside it; a gap at the end is none.
    pub(crate) fn give_back(&mut self, at: usize, len: usize) {
        let len = len + self.gaps.remove(&(at + len)).unwrap_or(0);
        let before = self.gaps.range(..at).next_back().filter(|&(&start, &size)| start + size == at);
        let (start, len) = before.map_or((at, len), |(&start, &size)| (start, size + len));
        self.gaps.remove(&start);
        if start + len == self.used {
            self.used = start;
        } else if len > 0 {
            self.gaps.insert(start, len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_alive_together_never_overlap() {
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        let spans: Vec<Span> = (0..300)
            .map(|_| {
                let born = random(80) as usize;
                Span { size: random(5) as usize * 16, born, dies: born + random(20) as usize }
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
    fn what_is_given_back_is_taken_again() {
        let mut front = Front::default();
        let taken = |front: &mut Front, len| {
            let at = front.find(len);
            front.take(at, len);
            at
        };
        let spans = [16, 32, 16, 64].map(|len| (taken(&mut front, len), len));
        assert_eq!(spans, [(0, 16), (16, 32), (48, 16), (64, 64)]);
        front.give_back(0, 16);
        front.give_back(48, 16);
        assert_eq!(taken(&mut front, 32), 128);
        front.give_back(16, 32);
        assert_eq!([taken(&mut front, 48), taken(&mut front, 32), front.used], [0, 160, 192]);
        [(160, 32), (64, 64), (128, 32)].into_iter().for_each(|(at, len)| front.give_back(at, len));
        assert_eq!((front.used, front.find(1)), (48, 48));
    }
}
