use super::*;

/// Element `index` of the axes, from the plain definition.
fn places(axes: &[Along]) -> Vec<(usize, usize)> {
    axes.iter().fold(vec![(0, 0)], |places, axis| {
        let along = |&(from, to): &(usize, usize)| {
            let at = |start: usize, step: isize, i: usize| start.wrapping_add_signed(step * i as isize);
            (0..axis.size).map(move |i| (at(from, axis.from, i), at(to, axis.to, i))).collect::<Vec<_>>()
        };
        places.iter().flat_map(along).collect()
    })
}

/// Runs a copy in that many shares, each alone on memory where nothing else may change, and all together.
fn check(width: usize, starts: [usize; 2], axes: &[Along], parts: usize) {
    let places: Vec<(usize, usize)> =
        places(axes).into_iter().map(|(from, to)| (starts[0].wrapping_add(from), starts[1] + to)).collect();
    let sizes = [0, 1].map(|i| places.iter().map(|p| [p.0, p.1][i] + 1).max().unwrap_or(1) * width);
    let mut from: Vec<u8> = (0..sizes[0]).map(|i| (i * 7 + i / 251) as u8 | 1).collect();
    let spans = [0, 1].map(|base| Span { base: base as u32, at: starts[base] * width });
    let copy = Move::new(width, spans, axes.iter().copied());
    let mut want = vec![0; sizes[1]];
    for &(i, j) in &places {
        want[j * width..(j + 1) * width].copy_from_slice(&from[i * width..(i + 1) * width]);
    }
    let mut all = vec![0; sizes[1]];
    for part in 0..parts {
        let units = super::super::threads::share(copy.units(), part, parts);
        let mut to = vec![0; sizes[1]];
        let pointers = [from.as_mut_ptr(), to.as_mut_ptr()];
        // SAFETY: both are as large as the places say.
        unsafe { copy.run(Level::Portable, Bases::new(&pointers), units, std::ptr::null_mut()) };
        for (i, byte) in to.into_iter().enumerate().filter(|(_, byte)| *byte != 0) {
            assert_eq!(all[i], 0, "byte {i} is written by two of {parts} parts: {copy:?}");
            all[i] = byte;
        }
    }
    assert!(all == want, "{parts} parts, {copy:?}");
}

/// The axes of an array of that shape, turned.
fn turned(shape: &[usize], order: &[usize]) -> Vec<Along> {
    let strides =
        |shape: &[usize]| -> Vec<usize> { (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect() };
    let sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let (from, to) = (strides(shape), strides(&sizes));
    let axis = |(i, &axis): (usize, &usize)| Along { size: shape[axis], from: from[axis] as isize, to: to[i] as isize };
    order.iter().enumerate().map(axis).collect()
}

#[test]
fn transposes_of_every_width() {
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[64, 64], &[1, 0]),
        (&[67, 130], &[1, 0]),
        (&[3, 100], &[1, 0]),
        (&[2, 40, 70], &[0, 2, 1]),
        (&[40, 2, 70], &[2, 1, 0]),
        (&[3, 5, 4, 7], &[0, 2, 1, 3]),
        (&[70, 3, 5, 65], &[3, 1, 0, 2]),
        (&[1, 7, 1], &[2, 1, 0]),
        (&[], &[]),
    ];
    for (shape, order) in shapes {
        for width in [1, 2, 4, 8] {
            for parts in [1, 2, 3, 5] {
                check(width, [0, 0], &turned(shape, order), parts);
            }
        }
    }
}

/// Steps of every kind along the last two of three axes: repeats, neighbours, gaps, backwards.
#[test]
fn steps_of_every_kind() {
    let along = |size: usize, from, to| Along { size, from, to };
    for size in [0, 1, 2, 3, 9, 33] {
        for (from, to) in [(0, 1), (1, 1), (3, 1), (-1, 1), (1, 2), (-2, 3)] {
            let start = if from < 0 { size * 2 } else { 0 };
            for outer in [0, 50, 70] {
                let axes = [along(2, 300, 4000), along(5, outer, 110), along(size, from, to)];
                for (width, parts) in [(1, 1), (4, 2), (8, 3), (2, 7)] {
                    check(width, [start, 5], &axes, parts);
                    check(width, [start, 0], &axes[2..], parts);
                }
            }
        }
    }
}

#[test]
fn axes_that_follow_each_other_are_one() {
    let span = Span { base: 0, at: 0 };
    let copy = Move::new(4, [span; 2], turned(&[4, 1, 8, 3], &[0, 1, 2, 3]));
    assert_eq!(*copy.axes, [Along { size: 96, from: 1, to: 1 }]);
    assert_eq!((copy.units(), copy.grain()), (96, 8192));
    let copy = Move::new(4, [span; 2], turned(&[32, 64, 100], &[2, 0, 1]));
    assert_eq!(*copy.axes, [Along { size: 100, from: 1, to: 2048 }, Along { size: 2048, from: 100, to: 1 }]);
    assert_eq!((copy.tiled, copy.units(), copy.grain()), (true, 100, 4));
}

#[test]
fn few_bytes_are_copied_and_no_more() {
    let from: Vec<u8> = (1..=255).cycle().take(700).collect();
    for len in (0..100).chain([511, 512, 513, 600]) {
        let mut to = vec![0; len + 40];
        // SAFETY: both are longer.
        unsafe { copy(from.as_ptr(), to.as_mut_ptr().add(8), len) };
        assert!(to[8..8 + len] == from[..len] && to[..8] == [0; 8] && to[8 + len..].iter().all(|&x| x == 0), "{len}");
    }
}
