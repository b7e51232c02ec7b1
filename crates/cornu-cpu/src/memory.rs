//! Who lies where: lifetimes in, offsets out. First fit, in the order of birth.

use std::collections::BTreeMap;

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
    let mut total = 0;
    for i in order {
        alive.retain(|_, &mut j| spans[j].dies >= spans[i].born);
        let mut at = 0;
        for (&start, &j) in &alive {
            if start >= at + spans[i].size {
                break;
            }
            at = at.max(start + spans[j].size);
        }
        // An empty span takes no room, and must not hide another that starts where it does.
        if spans[i].size > 0 {
            alive.insert(at, i);
        }
        offsets[i] = at;
        total = total.max(at + spans[i].size);
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
}
