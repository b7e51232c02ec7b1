//! What windows see of images, `[batch, …, channels]`: shared by the ops that pool and convolve them.

use super::*;

impl Window {
    /// The shape of images of that shape when they are pooled: a place of the window for a stretch of elements. `None` if it
    /// does not fit.
    pub fn pooled(&self, images: &Shape) -> Option<Shape> {
        let [batch, sizes @ .., channels] = &images[..] else { return None };
        let places = self.places(sizes)?;
        Some([*batch].into_iter().chain(places.iter().copied()).chain([*channels]).collect())
    }

    /// How many taps there are, and the smallest type that numbers them; `None` of more
    /// than singles count, 2^24.
    pub fn taps(&self) -> Option<(usize, DType)> {
        let taps = self.sizes().checked_size()?;
        let dtype = [(1 << 8, DType::U8), (1 << 16, DType::U16), (1 << 24, DType::U32)];
        dtype.into_iter().find(|&(most, _)| taps as u64 <= most).map(|(_, dtype)| (taps, dtype))
    }

    /// For each tap of the window that stands over an element of images, by number: that of the element. `at` is the
    /// number of the place in the pooled images.
    pub(super) fn under(&self, images: &Shape, pooled: &Shape, at: usize) -> impl Iterator<Item = (usize, usize)> {
        let (strides, steps, taps) = (images.strides(), pooled.strides(), self.sizes());
        let numbers = taps.strides();
        let corner = at / steps[0] * strides[0] + at % pooled[pooled.rank() - 1];
        let along = move |axis: usize, tap: usize| {
            let place = at / steps[axis + 1] % pooled[axis + 1];
            let tap = tap / numbers[axis] % taps[axis];
            self.0[axis].element(place, tap, images[axis + 1]).map(|element| element * strides[axis + 1])
        };
        let element = move |tap| (0..self.0.len()).map(|axis| along(axis, tap)).sum::<Option<usize>>();
        (0..self.sizes().size()).filter_map(move |tap| Some((tap, corner + element(tap)?)))
    }
}

/// `pool [2, 2] …`: windows that the samples of each op that pools slide over images of a shape.
pub(super) fn pools() -> Vec<(Window, Shape)> {
    let window = |sizes: &[usize], strides: &[usize]| Window::new(sizes).strides(strides);
    let all: [(Window, &[usize]); 12] = [
        (window(&[2, 2], &[2, 2]), &[2, 5, 4, 3]),
        (window(&[3, 2], &[2, 1]).same(&[4, 6]), &[1, 4, 6, 2]),
        (window(&[3], &[1]).dilations(&[2]).padding(&[1], &[2]), &[2, 5, 3]),
        (window(&[2], &[3]), &[1, 7, 2]),
        (window(&[2, 2, 2], &[1, 2, 1]), &[1, 3, 4, 2, 2]),
        (window(&[1, 1], &[1, 1]), &[1, 1, 1, 1]),
        (window(&[3, 3], &[1, 1]).same(&[3, 2]), &[1, 3, 2, 70]),
        (window(&[17, 16], &[1, 1]), &[1, 18, 16, 1]),
        (window(&[], &[]), &[2, 3]),
        (window(&[2], &[1]).padding(&[3], &[0]), &[1, 2, 1]),
        (window(&[2, 1], &[2, 1]), &[0, 4, 3, 2]),
        (window(&[2, 1], &[2, 1]), &[1, 4, 3, 0]),
    ];
    all.map(|(window, shape)| (window, shape.into())).into()
}

/// The element types that are pooled.
pub(super) fn numbers() -> impl Iterator<Item = DType> {
    DType::ALL.iter().copied().filter(|&dtype| dtype != DType::Bool)
}

/// A number of a tap for each place: in turn, and behind the last one of none.
pub(super) fn taps_in_turn(window: &Window, pooled: &Shape) -> Array {
    let (taps, dtype) = window.taps().expect("a small window");
    Array::from_fn(&Type::new(dtype, pooled.clone()), |i| ((i * 7 + i / 3) % (taps + 1).min(256)) as f64)
}
