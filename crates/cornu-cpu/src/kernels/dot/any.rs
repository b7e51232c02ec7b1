//! Matrix products of any kind of number, in plain loops: for element types whose speed is of no concern.

/// What a matrix product needs of its elements.
pub trait Number: Copy {
    /// What sums start from.
    const ZERO: Self;
    /// `self + a * b`. Integers wrap around.
    #[must_use]
    fn plus_product(self, a: Self, b: Self) -> Self;
}

macro_rules! number {
    ($($float:ty)* ; $($integer:ty)*) => {
        $(impl Number for $float {
            const ZERO: Self = 0.0;
            #[inline]
            fn plus_product(self, a: Self, b: Self) -> Self {
                self + a * b
            }
        })*
        $(impl Number for $integer {
            const ZERO: Self = 0;
            #[inline]
            fn plus_product(self, a: Self, b: Self) -> Self {
                self.wrapping_add(a.wrapping_mul(b))
            }
        })*
    };
}
number! { f32 f64; u8 u32 i32 i64 }

/// Writes `a · b` to `out[m, n]`, `sizes` being `[m, k, n]`. `a` is `[m, k]`, or `[k, m]` if `transposed[0]`; `b` is
/// `[k, n]`, or `[n, k]` if `transposed[1]`. Elements are summed in the order of [`Dot`](super::Dot), multiplied and
/// added apart.
///
/// # Panics
/// If a slice is shorter than its matrix.
pub fn dot_any<T: Number>(sizes: [usize; 3], transposed: [bool; 2], a: &[T], b: &[T], out: &mut [T]) {
    let [m, k, n] = sizes;
    let (a, b) = (&a[..m * k], &b[..k * n]);
    if n == 0 {
        return;
    }
    for (i, row) in out[..m * n].chunks_exact_mut(n).enumerate() {
        row.fill(T::ZERO);
        for p in 0..k {
            let x = if transposed[0] { a[p * m + i] } else { a[i * k + p] };
            if transposed[1] {
                row.iter_mut().zip(b[p..].iter().step_by(k)).for_each(|(sum, &y)| *sum = sum.plus_product(x, y));
            } else {
                row.iter_mut().zip(&b[p * n..]).for_each(|(sum, &y)| *sum = sum.plus_product(x, y));
            }
        }
    }
}
