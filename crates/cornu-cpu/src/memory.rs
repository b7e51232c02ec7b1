//! Who lies where: lifetimes in, offsets out; first fit, in the order of birth.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Bytes that must be there from one unit of work to another, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) size: usize,
    pub(crate) born: usize,
    pub(crate) dies: usize,
}

/// An offset for each span, such that spans alive at the same time do not overlap, and the size of the whole.
pub(crate) fn place(spans: &[Life]) -> (Vec<usize>, usize) {
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
}
