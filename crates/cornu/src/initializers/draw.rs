//! Random numbers of each precision, as TensorFlow draws them.

use std::num::NonZero;
use std::thread;

use cornu_graph::random::{self, Stream};
use cornu_graph::{Bf16, Element, F16};

/// How many values pay for a thread.
const PAYS: usize = 1 << 18;

/// A precision that values are drawn in.
pub(super) trait Float: Element {
    fn uniform(stream: Stream, low: f64, high: f64, out: &mut [Self]);
    fn normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]);
    fn truncated_normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]);
}

macro_rules! floats {
    ($($ty:ty: $uniform:ident, $normal:ident, $truncated_normal:ident;)*) => {$(
        impl Float for $ty {
            fn uniform(stream: Stream, low: f64, high: f64, out: &mut [Self]) {
                by_threads(out, |first, part| random::$uniform(stream, first, low as $ty, high as $ty, part));
            }
            fn normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                by_threads(out, |first, part| random::$normal(stream, first, mean as $ty, stddev as $ty, part));
            }
            fn truncated_normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                let (mean, stddev) = (mean as $ty, stddev as $ty);
                by_threads(out, |first, part| random::$truncated_normal(stream, first, mean, stddev, part));
            }
        }
    )*};
}

floats! {
    f32: uniform, normal, truncated_normal;
    f64: uniform_f64, normal_f64, truncated_normal_f64;
}

/// Draws parts of `out`, given the index of their first value, on as many threads as it is worth.
fn by_threads<T: Send>(out: &mut [T], draw: impl Fn(usize, &mut [T]) + Sync) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(out.len() / PAYS).max(1);
    let (each, draw) = (out.len().div_ceil(threads).max(1), &draw);
    let started = thread::scope(|scope| {
        let mut parts = out.chunks_mut(each).enumerate();
        let own = parts.next();
        let start = |(i, part)| thread::Builder::new().spawn_scoped(scope, move || draw(i * each, part)).is_ok();
        let started = parts.map(start).fold(true, |all, started| all & started);
        own.into_iter().for_each(|(_, part)| draw(0, part));
        started
    });
    if !started {
        draw(0, out);
    }
}

/// Floats of 16 bits: TensorFlow makes uniform ones of the last bits of each word, of which singles have 23, and rounds
/// standard normal singles; then each operation is rounded.
macro_rules! halves {
    ($($ty:ty: $left_out:literal bits;)*) => {$(
        impl Float for $ty {
            fn uniform(stream: Stream, low: f64, high: f64, out: &mut [Self]) {
                let [low, high] = [low, high].map(rounded::<$ty>);
                let bits = |single: f32| (single * f32::from(1u16 << ($left_out - 1)) * 2.0).fract();
                scaled(out, |singles| random::uniform01(stream, 0, singles), bits, rounded::<$ty>(high - low), low);
            }
            fn normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                scaled(out, |singles| random::normal(stream, 0, 0.0, 1.0, singles), |z| z, stddev, mean);
            }
            fn truncated_normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                scaled(out, |singles| random::truncated_normal(stream, 0, 0.0, 1.0, singles), |z| z, stddev, mean);
            }
        }
    )*};
}

halves! {
    F16: 13 bits;
    Bf16: 16 bits;
}

/// `x scale + shift` of what is drawn, each operation rounded.
fn scaled<T: Float>(out: &mut [T], draw: impl FnOnce(&mut [f32]), of: impl Fn(f32) -> f32, scale: f64, shift: f64) {
    let mut singles = vec![0.0; out.len()];
    draw(&mut singles);
    let [scale, shift] = [scale, shift].map(rounded::<T>);
    for (out, single) in out.iter_mut().zip(singles) {
        *out = T::from_f64(rounded::<T>(rounded::<T>(of(single).into()) * scale) + shift);
    }
}

pub(super) fn rounded<T: Float>(x: f64) -> f64 {
    T::from_f64(x).to_f64()
}

#[test]
fn parts_are_drawn_where_they_belong() {
    let stream = Stream::stateless([7, 0]);
    for len in [0, 1, PAYS, 3 * PAYS + 5] {
        let (mut got, mut want) = (vec![0.0f32; len], vec![0.0; len]);
        f32::truncated_normal(stream, 1.0, 2.0, &mut got);
        random::truncated_normal(stream, 0, 1.0, 2.0, &mut want);
        assert!(got == want, "{len}");
    }
}
