//! Every kind of convolution on every level against sums in `f64`, and the promise that threads, lanes and neighbours change
//! nothing.

use cornu_graph::ops::{Slide, Window};
use cornu_graph::{DType, Shape};

use super::{Convolution, Makes, Packing};
use crate::kernels::dot::Ending;
use crate::kernels::operand::{Bases, Span};
use crate::kernels::simd::Level;
use crate::kernels::threads::share;

/// Numbers in [-1, 1) that repeat late.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A window over images, and the shapes of images, kernel and result.
#[derive(Clone, Debug)]
struct Case {
    window: Window,
    groups: usize,
    shapes: [Shape; 3],
}

impl Case {
    fn new(window: Window, groups: usize, x: &[usize], k: usize) -> Option<Case> {
        let last = x.len() - 1;
        let places = window.places(&x[1..last])?;
        let w = window.sizes().iter().copied().chain([x[last] / groups, k]).collect();
        let y = [&x[..1], &places[..], &[k]].concat();
        Some(Case { window, groups, shapes: [x.into(), w, Shape::from(&y[..])] })
    }

    fn arrays(&self) -> [Vec<f32>; 3] {
        [1, 2, 3].map(|seed| numbers(self.shapes[seed as usize - 1].size(), seed))
    }

    /// What is made, of work divided into that many parts; what is around it stays untouched.
    fn run(&self, makes: Makes, level: Level, parts: usize, end: Option<Ending<Span>>) -> Vec<f32> {
        let conv = Convolution::new(makes, &self.window, self.groups, &self.shapes[0], &self.shapes[2]);
        let mut arrays = self.arrays();
        let prepared = conv.prepared(DType::F32, level);
        if let Some(Packing { len, parts }) = prepared.packing {
            let mut packed = vec![f32::NAN; len];
            for ([from, to], axes) in parts {
                let count: usize = axes.iter().map(|[size, ..]| size).product();
                for i in 0..count {
                    let (mut rest, mut places) = (i, [from, to]);
                    for &[size, from, to] in axes.iter().rev() {
                        places = [places[0] + rest % size * from, places[1] + rest % size * to];
                        rest /= size;
                    }
                    packed[places[1]] = arrays[1][places[0]];
                }
            }
            arrays[1] = packed;
        }
        let made = [Makes::Input, Makes::Weights, Makes::Output].iter().position(|&of| of == makes).unwrap();
        let shards = if makes == Makes::Weights { conv.shards() } else { 1 };
        let size = self.shapes[made].size();
        arrays[made] = vec![f32::NAN; shards * size + 16];
        let bias = numbers(self.shapes[2].size().max(self.shapes[0].size()), 9);
        let pointers = [0, 1, 2].map(|i| arrays[i].as_mut_ptr().cast::<u8>());
        let pointers = [pointers[0], pointers[1], pointers[2], bias.as_ptr().cast_mut().cast()];
        let kernel = (prepared.kernel)([0, 1, 2].map(Span::of), end);
        for part in 0..parts {
            // SAFETY: the vectors are as large as the shapes say.
            unsafe {
                let bases = Bases::new(&pointers);
                kernel.run(level, bases, share(kernel.units(), part, parts), std::ptr::null_mut());
            }
        }
        let mut all = std::mem::take(&mut arrays[made]);
        assert!(all.drain(shards * size..).all(f32::is_nan), "{self:?} writes behind {makes:?}");
        let sum = |i: usize| (1..shards).fold(all[i], |sum, shard| sum + all[shard * size + i]);
        (0..size).map(sum).collect()
    }

    /// Sums in doubles, of each of the three.
    fn expected(&self) -> [Vec<f64>; 3] {
        let arrays = self.arrays();
        let mut sums = self.shapes.each_ref().map(|shape| vec![0.0; shape.size()]);
        self.each(|places| {
            let [x, w, y] = [0, 1, 2].map(|i| f64::from(arrays[i][places[i]]));
            [w * y, x * y, x * w].into_iter().enumerate().for_each(|(i, product)| sums[i][places[i]] += product);
        });
        sums
    }

    fn each(&self, mut see: impl FnMut([usize; 3])) {
        let [x, w, y] = &self.shapes;
        let axes = self.window.0.len();
        let [c, k] = [w[axes], y[axes + 1] / self.groups];
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        let (taps, places) = (size(&w[..axes]), size(&y[1..=axes]));
        for (image, place) in (0..y[0]).flat_map(|image| (0..places).map(move |place| (image, place))) {
            for tap in 0..taps {
                let (mut place_left, mut tap_left, mut under, mut stride) = (place, tap, Some(0), 1);
                for (axis, slide) in self.window.0.iter().enumerate().rev() {
                    let [len, count] = [x[axis + 1], y[axis + 1]];
                    let at = Slide::element(slide, place_left % count, tap_left % w[axis], len);
                    under = under.zip(at).map(|(under, at)| under + at * stride);
                    (place_left, tap_left, stride) = (place_left / count, tap_left / w[axis], stride * len);
                }
                let Some(under) = under else { continue };
                for (o, i) in (0..k * self.groups).flat_map(|o| (0..c).map(move |i| (o, i))) {
                    let from = (image * size(&x[1..=axes]) + under) * c * self.groups + o / k * c + i;
                    let to = (image * places + place) * k * self.groups + o;
                    see([from, (tap * c + i) * k * self.groups + o, to]);
                }
            }
        }
    }
}

const ALL: [Makes; 3] = [Makes::Input, Makes::Weights, Makes::Output];

/// Sizes about the ends of tiles, windows, strides, padding, dilation, groups.
fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let images: [[usize; 5]; 7] = [
        [2, 9, 7, 3, 5],
        [3, 8, 8, 16, 16],
        [1, 13, 11, 6, 34],
        [2, 5, 6, 8, 70],
        [9, 6, 6, 2, 4],
        [1, 33, 29, 10, 18],
        [17, 3, 3, 20, 24],
    ];
    for [n, h, w, c, k] in images {
        for (size, stride, dilation, groups) in [
            (1, 1, 1, 1),
            (1, 2, 1, 2),
            (2, 1, 1, 1),
            (2, 2, 1, 2),
            (2, 3, 1, 1),
            (3, 1, 1, 1),
            (3, 1, 2, 1),
            (3, 2, 1, 2),
            (3, 3, 2, 1),
            (5, 1, 1, 2),
            (5, 2, 1, 1),
            (5, 3, 2, 1),
        ] {
            let window = Window::new(&[size; 2]).strides(&[stride; 2]).dilations(&[dilation; 2]);
            let windows = [window.clone(), window.clone().same(&[h, w]), window.padding(&[3, 0], &[0, 2])];
            all.extend(
                windows.into_iter().filter_map(|window| Case::new(window, groups, &[n, h, w, c * groups], k * groups)),
            );
        }
    }
    all.extend(depthwise());
    all.extend(rare().into_iter().flatten());
    all
}

/// Each channel a group of its own, of less and more than a vector.
fn depthwise() -> Vec<Case> {
    let mut all = Vec::new();
    for (c, stride, dilation) in [(5, 1, 1), (16, 2, 1), (37, 1, 2), (70, 3, 1), (96, 2, 1)] {
        for size in [2, 3, 5] {
            let window = Window::new(&[size; 2]).strides(&[stride; 2]).dilations(&[dilation; 2]);
            all.extend(
                [window.clone(), window.same(&[11, 14])]
                    .into_iter()
                    .filter_map(|window| Case::new(window, c, &[2, 11, 14, c], c)),
            );
        }
    }
    all
}

/// One axis and three, long rows, images whose sums are of several, kernels that are one shard.
fn rare() -> [Option<Case>; 10] {
    let window = Window::new;
    [
        Case::new(window(&[3]).same(&[700]), 1, &[2, 700, 5], 17),
        Case::new(window(&[5]).dilations(&[3]).padding(&[12], &[0]), 1, &[3, 41, 9], 33),
        Case::new(window(&[4]).strides(&[6]), 1, &[2, 50, 4], 3),
        Case::new(window(&[3]).same(&[600]), 6, &[1, 600, 6], 6),
        Case::new(window(&[3, 2, 3]).strides(&[1, 2, 1]).same(&[5, 6, 7]), 1, &[2, 5, 6, 7, 4], 9),
        Case::new(window(&[2, 3, 3]).padding(&[1, 0, 1], &[0, 1, 1]), 3, &[2, 4, 5, 6, 6], 9),
        Case::new(window(&[3, 3]).same(&[4, 4]), 1, &[40, 4, 4, 2], 3),
        Case::new(window(&[3, 3]).same(&[5, 5]), 1, &[5, 5, 5, 180], 170),
        Case::new(window(&[7, 1]).padding(&[9, 0], &[9, 0]), 1, &[1, 3, 2, 1], 2),
        Case::new(window(&[1, 1]), 1, &[3, 20, 30, 5], 7),
    ]
}

#[test]
fn all_are_sums_of_products_with_the_same_bits_however_they_are_divided() {
    for case in cases() {
        let expected = case.expected();
        let mut fused: Option<Vec<Vec<f32>>> = None;
        for level in Level::all() {
            let got: Vec<Vec<f32>> = ALL.iter().map(|&makes| case.run(makes, level, 1, None)).collect();
            for ((makes, got), want) in ALL.iter().zip(&got).zip(&expected) {
                let most = want.iter().fold(1e-30f64, |most, x| most.max(x.abs()));
                let error = got.iter().zip(want).map(|(&got, want)| (f64::from(got) - want).abs() / most);
                let worst =
                    error.fold(0.0, |worst, error| if error.is_nan() { f64::INFINITY } else { f64::max(worst, error) });
                assert!(worst < 3e-6, "{} {case:?} {makes:?}: {worst:e}", level.name());
                for parts in [2, 3, 5] {
                    assert!(
                        case.run(*makes, level, parts, None) == *got,
                        "{} {case:?} {makes:?} in {parts}",
                        level.name()
                    );
                }
            }
            if level != Level::Portable {
                // Where products and sums are rounded once, lanes change nothing.
                assert!(fused.get_or_insert_with(|| got.clone()) == &got, "{case:?} differs by level");
            }
        }
    }
}

#[test]
fn an_image_alone_has_the_bits_it_has_in_a_batch() {
    for case in cases().into_iter().filter(|case| case.shapes[0][0] > 1).step_by(3) {
        let mut one = case.clone();
        (one.shapes[0], one.shapes[2]) = (case.shapes[0].with(0, 1), case.shapes[2].with(0, 1));
        for level in Level::all() {
            for makes in [Makes::Output, Makes::Input] {
                let (all, alone) = (case.run(makes, level, 2, None), one.run(makes, level, 1, None));
                assert!(all[..alone.len()] == alone, "{} {case:?} {makes:?}", level.name());
            }
        }
    }
}

#[test]
fn ends_are_done_to_each_element() {
    let other: Span = Span::of(3);
    let numbers_of = |case: &Case| numbers(case.shapes[2].size().max(case.shapes[0].size()), 9);
    for case in cases().into_iter().step_by(5) {
        for level in Level::all() {
            let (plain, bias) = (case.run(Makes::Output, level, 1, None), numbers_of(&case));
            let columns = *case.shapes[2].last().unwrap();
            for relu in [false, true] {
                let want =
                    |(i, x): (usize, &f32)| if relu { (x + bias[i % columns]).max(0.0) } else { x + bias[i % columns] };
                let want: Vec<f32> = plain.iter().enumerate().map(want).collect();
                assert!(case.run(Makes::Output, level, 2, Some(Ending::Bias(other, relu))) == want, "{case:?}");
            }
            let (plain, slope) = (case.run(Makes::Input, level, 1, None), numbers_of(&case));
            let want: Vec<f32> =
                plain.iter().zip(&slope).map(|(&x, &slope)| if slope > 0.0 { x } else { 0.0 }).collect();
            assert!(case.run(Makes::Input, level, 3, Some(Ending::Slope(other))) == want, "{case:?}");
        }
    }
}
