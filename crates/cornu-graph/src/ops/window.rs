//! Windows that slide over the axes of an image, of a row of numbers, of a space: of kernels, and of what is pooled.

use super::*;

/// A window over each axis between the first, of images, and the last, of channels. It prints as the lists of its sizes,
/// strides, dilations, and of the places of padding below and above.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Window(pub Box<[Slide]>);

/// A window along one axis: a tap for each of `size` places, `dilation` apart, moved by `stride` from one result to the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Slide {
    /// How many taps it has.
    pub size: usize,
    /// How far it moves from one result to the next.
    pub stride: usize,
    /// How far a tap is from the next.
    pub dilation: usize,
    /// How many places of padding there are before the first element.
    pub low: usize,
    /// How many there are behind the last.
    pub high: usize,
}

impl Slide {
    /// How many places it spans, from the first tap to the last; `None` of a window or a dilation of nothing.
    fn reach(&self) -> Option<usize> {
        let between = self.size.checked_sub(1)?.checked_mul(self.dilation)?;
        if self.dilation == 0 { None } else { between.checked_add(1) }
    }

    /// Over how many places it comes to stand along an axis of `len` elements: `None` if it is larger than that with its
    /// padding, or does not move.
    pub fn places(&self, len: usize) -> Option<usize> {
        let room = len.checked_add(self.low)?.checked_add(self.high)?.checked_sub(self.reach()?)?;
        room.checked_div(self.stride)?.checked_add(1)
    }

    /// The element under a tap of the window in that place, along an axis of `len`: `None` if it is padding.
    #[inline]
    pub fn element(&self, place: usize, tap: usize, len: usize) -> Option<usize> {
        (place * self.stride + tap * self.dilation).checked_sub(self.low).filter(|&at| at < len)
    }

    /// This with Keras's padding `same` for an axis of `len` elements: as many places as `len / stride`, rounded up, and of
    /// an odd number of places of padding the larger part behind.
    #[must_use]
    pub fn same(self, len: usize) -> Slide {
        let moved = len.div_ceil(self.stride.max(1)).saturating_sub(1).saturating_mul(self.stride);
        let padding = moved.saturating_add(self.reach().unwrap_or(0)).saturating_sub(len);
        Slide { low: padding / 2, high: padding - padding / 2, ..self }
    }
}

impl Window {
    /// One that moves by one place, without padding.
    pub fn new(sizes: &[usize]) -> Window {
        Window(sizes.iter().map(|&size| Slide { size, stride: 1, dilation: 1, low: 0, high: 0 }).collect())
    }

    /// This with the stride of each axis.
    ///
    /// # Panics
    /// If they are not as many as the axes; so below.
    #[must_use]
    pub fn strides(self, strides: &[usize]) -> Window {
        self.with(strides, |slide, stride| Slide { stride, ..slide })
    }

    /// This with the distance from a tap to the next along each axis.
    #[must_use]
    pub fn dilations(self, dilations: &[usize]) -> Window {
        self.with(dilations, |slide, dilation| Slide { dilation, ..slide })
    }

    /// This with so many places of padding before and behind each axis.
    #[must_use]
    pub fn padding(self, low: &[usize], high: &[usize]) -> Window {
        self.with(low, |slide, low| Slide { low, ..slide }).with(high, |slide, high| Slide { high, ..slide })
    }

    /// This with Keras's padding `same` for axes of those sizes.
    #[must_use]
    pub fn same(self, sizes: &[usize]) -> Window {
        self.with(sizes, Slide::same)
    }

    fn with(self, numbers: &[usize], change: impl Fn(Slide, usize) -> Slide) -> Window {
        assert_eq!(numbers.len(), self.0.len(), "a window needs a number for each of its axes");
        Window(self.0.iter().zip(numbers).map(|(&slide, &number)| change(slide, number)).collect())
    }

    /// Whether it stands on each element alone, one after the other.
    pub fn is_one(&self) -> bool {
        self.0.iter().all(|slide| (slide.size, slide.stride, slide.low, slide.high) == (1, 1, 0, 0))
    }

    /// The number of taps along each axis.
    pub fn sizes(&self) -> Shape {
        self.0.iter().map(|slide| slide.size).collect()
    }

    /// Over how many places of axes of those sizes it comes to stand: `None` if they are not as many as its own, or it is
    /// larger than one of them with its padding.
    pub fn places(&self, sizes: &[usize]) -> Option<Shape> {
        let places = self.0.iter().zip(sizes).map(|(slide, &len)| slide.places(len));
        if sizes.len() == self.0.len() { places.collect() } else { None }
    }

    /// Reads what it prints as.
    pub fn read(text: &mut OpText) -> Option<Window> {
        let sizes = text.list()?;
        let [strides, dilations, low, high] = [(); 4].map(|()| text.list());
        let lists = [strides?, dilations?, low?, high?];
        if lists.iter().any(|list| list.len() != sizes.len()) {
            return text.fail(format!("needs five lists of {} numbers", sizes.len()));
        }
        Some(Window::new(&sizes).strides(&lists[0]).dilations(&lists[1]).padding(&lists[2], &lists[3]))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let list = |of: fn(&Slide) -> usize| self.0.iter().map(of).collect::<Vec<_>>();
        let lists = [list(|s| s.size), list(|s| s.stride), list(|s| s.dilation), list(|s| s.low), list(|s| s.high)];
        let [sizes, strides, dilations, low, high] = lists;
        write!(f, "{sizes:?} {strides:?} {dilations:?} {low:?} {high:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_windows() {
        let slide = |size, stride, dilation, low, high| Slide { size, stride, dilation, low, high };
        assert_eq!(slide(3, 1, 1, 0, 0).places(5), Some(3));
        assert_eq!(slide(3, 2, 1, 0, 0).places(6), Some(2));
        assert_eq!(slide(3, 2, 2, 2, 1).places(5), Some(2));
        assert_eq!(slide(3, 1, 2, 0, 0).places(4), None);
        assert_eq!(slide(1, 1, 1, 0, 0).places(0), None);
        let huge = usize::MAX;
        let nothing = [slide(0, 1, 1, 0, 0), slide(2, 0, 1, 0, 0), slide(2, 1, 0, 0, 0), slide(huge, 1, huge, 0, 0)];
        assert!(nothing.iter().chain(&[slide(1, 1, 1, huge, 1)]).all(|slide| slide.places(5).is_none()));
        assert_eq!([0, 1, 3].map(|tap| slide(4, 2, 1, 1, 1).element(1, tap, 4)), [Some(1), Some(2), None]);
        assert_eq!(slide(3, 1, 1, 1, 1).element(0, 0, 4), None);
    }

    /// As TensorFlow pads: the odd place behind, and none where the stride is longer than the window.
    #[test]
    fn same_padding() {
        let same = |size, stride, len| {
            let slide = Window::new(&[size]).strides(&[stride]).same(&[len]).0[0];
            [slide.low, slide.high, slide.places(len).unwrap()]
        };
        assert_eq!([same(3, 1, 5), same(2, 1, 5), same(3, 2, 6)], [[1, 1, 5], [0, 1, 5], [0, 1, 3]]);
        assert_eq!([same(5, 3, 7), same(1, 3, 7), same(3, 2, 5)], [[2, 2, 3], [0, 0, 3], [1, 1, 3]]);
    }
}
