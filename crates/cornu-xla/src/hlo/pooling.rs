//! Windows over images, without scatters: a window is a sum or a choice over slices of the padded images, one for each tap,
//! and its way back a sum of images with the places of one tap each.

use cornu_graph::ops::{Binary, Reduction, Slide, Window};
use cornu_graph::{DType, Number, Shape, Type};

use super::{Hlo, Val, Writer, listed, scalar};

/// Lists of numbers along all axes, from one for each axis of a window and one for batch and channels.
fn along<T: Copy>(outside: T, inside: impl IntoIterator<Item = T>) -> Vec<T> {
    [outside].into_iter().chain(inside).chain([outside]).collect()
}

/// The place of a tap along each axis.
fn at(window: &Window, tap: usize) -> Vec<usize> {
    let sizes = window.sizes();
    sizes.strides().iter().zip(sizes.iter()).map(|(stride, size)| tap / stride % size).collect()
}

fn taps(window: &Window) -> usize {
    window.sizes().size()
}

impl Writer {
    /// The largest elements, and their taps: see the meaning of `max_pool`.
    pub(super) fn max_pooled(&mut self, window: &Window, x: &Val, types: &[&Type]) -> Vec<Val> {
        let least = Number::smallest(x.ty.dtype);
        let (mut most, mut tap_of) = (self.splat(least, types[0]), self.splat(Number::Whole(0), types[1]));
        if types[0].size() == 0 {
            return vec![most, tap_of];
        }
        let images = self.around(window, x, least);
        let inside = self.splat(true, &x.ty.with_dtype(DType::Bool));
        let inside = self.around(window, &inside, Number::from(false));
        let mut found = self.splat(false, &types[0].with_dtype(DType::Bool));
        for tap in 0..taps(window) {
            let new = self.under(window, &images, tap, &types[0].shape);
            let there = self.under(window, &inside, tap, &types[0].shape);
            let (larger, nan, old_nan) = (self.compare("GT", &new, &most), self.is_nan(&new), self.is_nan(&most));
            // Of two truths the first is the greater where it alone holds.
            let (first_nan, first) = (self.compare("GT", &nan, &old_nan), self.compare("GT", &there, &found));
            let first = self.or(&first_nan, &first);
            let take = self.or(&larger, &first);
            let number = self.splat(Number::Whole(tap as i128), types[1]);
            (most, tap_of) = (self.select(&take, &new, &most), self.select(&take, &number, &tap_of));
            found = self.or(&found, &there);
        }
        vec![most, tap_of]
    }

    /// Sums under windows, or the elements under the taps that are named.
    pub(super) fn sum_pooled(&mut self, window: &Window, x: &Val, named: Option<&Val>, ty: &Type) -> Val {
        let Some(named) = named.filter(|_| ty.size() > 0) else {
            let padding = window.0.iter().map(|slide| [slide.low as i64, slide.high as i64]);
            let strides = window.0.iter().map(|slide| slide.stride);
            return self.windows(window, x, [along(1, strides), vec![1; ty.rank()]], padding, ty);
        };
        let images = self.around(window, x, Number::Whole(0));
        let zero = self.splat(Number::Whole(0), ty);
        (0..taps(window)).fold(zero.clone(), |sum, tap| {
            let (new, is) = (self.under(window, &images, tap, &ty.shape), self.is_tap(named, tap));
            let new = self.select(&is, &new, &zero);
            self.binary("add", &sum, &new)
        })
    }

    /// Pooled images spread over what they were pooled from, or over the taps that are named.
    pub(super) fn unpooled(&mut self, window: &Window, y: &Val, named: Option<&Val>, ty: &Type) -> Val {
        let places = &y.ty.shape;
        // How far the places of a tap reach, one element in front and between neighbours.
        let back = |axis: usize, slide: &Slide, tap: usize| {
            let (first, last) = (tap * slide.dilation, tap * slide.dilation + (places[axis] - 1) * slide.stride);
            [first as i64 - slide.low as i64, (ty.shape[axis] + slide.low) as i64 - last as i64 - 1]
        };
        let strides = || window.0.iter().map(|slide| slide.stride);
        let Some(named) = named.filter(|_| ty.size() > 0) else {
            let padding = window.0.iter().enumerate().map(|(i, slide)| {
                let ([low, _], [_, high]) = (back(i + 1, slide, slide.size - 1), back(i + 1, slide, 0));
                [low, high]
            });
            return self.windows(window, y, [vec![1; ty.rank()], along(1, strides())], padding, ty);
        };
        let zero = self.splat(Number::Whole(0), &y.ty);
        if window.0.iter().all(|slide| slide.dilation == 1 && slide.stride >= slide.size) {
            return self.unpooled_apart(window, y, named, ty);
        }
        let none = self.splat(Number::Whole(0), ty);
        (0..taps(window)).fold(none, |sum, tap| {
            let (is, tap_at) = (self.is_tap(named, tap), at(window, tap));
            let taken = self.select(&is, y, &zero);
            let padding = window.0.iter().enumerate().map(|(i, slide)| back(i + 1, slide, tap_at[i]));
            let new = self.padded_by(&taken, &along([0, 0], padding), &along(0, strides().map(|n| n - 1)), ty);
            self.binary("add", &sum, &new)
        })
    }

    /// [`Writer::unpooled`] where no two places share an element: each becomes a block of as many elements as the window
    /// moves by.
    fn unpooled_apart(&mut self, window: &Window, y: &Val, named: &Val, ty: &Type) -> Val {
        let (rank, places) = (y.ty.rank(), &y.ty.shape);
        // Each axis of places beside one of what a place has along it.
        let apart = |width: fn(&Slide) -> usize| {
            let inner = window.0.iter().enumerate().flat_map(|(i, slide)| [places[i + 1], width(slide)]);
            Shape::from_iter([places[0]].into_iter().chain(inner).chain([places[rank - 1]]))
        };
        let (taps, blocks) = (apart(|slide| slide.size), apart(|slide| slide.stride));
        let axes: Vec<usize> = (0..rank).map(|axis| (2 * axis).saturating_sub(1)).collect();
        let (spread, named) = (self.broadcast(y, &taps, &axes), self.broadcast(named, &taps, &axes));
        let mut numbers = self.splat(Number::Whole(0), &named.ty);
        for (i, stride) in window.sizes().strides().iter().enumerate() {
            let stride = self.splat(Number::Whole(*stride as i128), &named.ty);
            let along = self.iota(&named.ty, 2 * i + 2);
            let along = self.binary("multiply", &along, &stride);
            numbers = self.binary("add", &numbers, &along);
        }
        let (is, zero) = (self.compare("EQ", &named, &numbers), self.splat(Number::Whole(0), &spread.ty));
        let taken = self.select(&is, &spread, &zero);
        let behind = along([0, 0], window.0.iter().flat_map(|slide| [[0, 0], [0, (slide.stride - slide.size) as i64]]));
        let blocks = self.padded_by(&taken, &behind, &vec![0; taps.rank()], &Type::new(ty.dtype, blocks));
        let rows: Vec<usize> = window.0.iter().zip(&places[1..]).map(|(slide, place)| place * slide.stride).collect();
        let whole = [&places[..1], &rows, &places[rank - 1..]].concat();
        let whole = self.reshape(&blocks, &whole);
        let edge = |(i, slide): (usize, &Slide)| {
            let low = slide.low as i64;
            [-low, ty.shape[i + 1] as i64 + low - rows[i] as i64]
        };
        let edges = along([0, 0], window.0.iter().enumerate().map(edge));
        self.padded_by(&whole, &edges, &vec![0; rank], ty)
    }

    fn is_tap(&mut self, named: &Val, tap: usize) -> Val {
        let number = self.splat(Number::Whole(tap as i128), &named.ty);
        self.compare("EQ", named, &number)
    }

    /// Images with the window's padding.
    fn around(&mut self, window: &Window, x: &Val, number: Number) -> Val {
        let sizes = window.0.iter().zip(&x.ty.shape[1..]).map(|(slide, size)| slide.low + size + slide.high);
        let shape: Shape = [x.ty.shape[0]].into_iter().chain(sizes).chain(x.ty.shape.last().copied()).collect();
        let padding = along([0, 0], window.0.iter().map(|slide| [slide.low as i64, slide.high as i64]));
        self.padded_with(x, number, &padding, &vec![0; x.ty.rank()], &Type::new(x.ty.dtype, shape))
    }

    /// What lies under a tap in each place.
    fn under(&mut self, window: &Window, images: &Val, tap: usize, pooled: &Shape) -> Val {
        let part = |(i, slide): (usize, &Slide)| {
            let first = at(window, tap)[i] * slide.dilation;
            (first, first + (pooled[i + 1] - 1) * slide.stride + 1, slide.stride)
        };
        let inner: Vec<_> = window.0.iter().enumerate().map(part).collect();
        let ends = [0, pooled.rank() - 1].map(|axis| (0, pooled[axis], 1));
        self.slice(images, &[&ends[..1], &inner, &ends[1..]].concat(), pooled)
    }

    fn padded_by(&mut self, x: &Val, padding: &[[i64; 2]], between: &[usize], ty: &Type) -> Val {
        self.padded_with(x, Number::Whole(0), padding, between, ty)
    }

    /// With a number around, and between neighbours; what is beyond a padding below zero is cut off.
    fn padded_with(&mut self, x: &Val, number: Number, padding: &[[i64; 2]], between: &[usize], ty: &Type) -> Val {
        let number = self.splat(number, &scalar(x.ty.dtype));
        let [low, high] = [0, 1].map(|end| padding.iter().map(|ends| ends[end]).collect::<Vec<_>>());
        let text = format!(
            "stablehlo.pad {x}, {number}, low = {low:?}, high = {high:?}, interior = {between:?} : ({}, {}) -> {}",
            Hlo(&x.ty),
            Hlo(&number.ty),
            Hlo(ty)
        );
        self.add(ty.clone(), text)
    }

    /// Sums over windows that move by those strides, over elements that lie so far apart.
    fn windows(
        &mut self,
        window: &Window,
        x: &Val,
        [strides, apart]: [Vec<usize>; 2],
        padding: impl Iterator<Item = [i64; 2]>,
        ty: &Type,
    ) -> Val {
        if ty.size() == 0 {
            return self.splat(Number::Whole(0), ty);
        }
        let list = |numbers: Vec<usize>| format!("array<i64: {}>", listed(numbers));
        let (sizes, dilations) = (window.sizes(), window.0.iter().map(|slide| slide.dilation));
        let padding: Vec<String> =
            along([0, 0], padding).iter().map(|[low, high]| format!("[{low}, {high}]")).collect();
        let how = format!(
            "window_dimensions = {}, window_strides = {}, base_dilations = {}, window_dilations = {}, \
             padding = dense<[{}]> : tensor<{}x2xi64>",
            list(along(1, sizes.iter().copied())),
            list(strides),
            list(apart),
            list(along(1, dilations)),
            padding.join(", "),
            ty.rank()
        );
        let zero = self.splat(Reduction::Sum.start(ty.dtype), &scalar(ty.dtype));
        let params = [scalar(ty.dtype), scalar(ty.dtype)];
        let sum = |w: &mut Writer, both: &[Val]| vec![w.of_two(Binary::Add, &both[0], &both[1])];
        self.with_region("reduce_window", &[x, &zero], &how, &params, vec![ty.clone()], sum).remove(0)
    }
}
