//! Elements as text, both ways: `1.0,-0.0,inf`, or the one that all are.

use std::fmt;

use crate::array::typed;
use crate::{Array, Bf16, Buffer, DType, Element, F16, Number, Type};

/// Prints every element of an array, or the one that all are; a precision (`{:.4}`) says how many to show.
pub struct Elements<'a>(pub &'a Array);

impl fmt::Display for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits = self.0.bits();
        let first = bits.next();
        let different = if bits.all(|bits| Some(bits) == first) { self.0.len().min(1) } else { self.0.len() };
        let count = different.min(f.precision().unwrap_or(usize::MAX));
        (0..count).try_for_each(|i| write!(f, "{}{}", if i == 0 { "" } else { "," }, show(self.0.buffer(), i)))?;
        f.write_str(if count < different { ",…" } else { "" })
    }
}

impl Array {
    /// Each element as bits that differ where the elements differ, if only by the sign of zero.
    pub fn bits(&self) -> impl Iterator<Item = u64> {
        (0..self.len()).map(|i| match self.number(i) {
            Number::Whole(x) => x as u64,
            Number::Double(x) => x.to_bits(),
        })
    }

    /// Reads what [`Elements`] prints.
    ///
    /// # Errors
    /// Needs as many elements of that type as the shape has, or one.
    pub fn parse(ty: &Type, text: &str) -> Result<Array, String> {
        let words: Vec<&str> = text.split(',').filter(|_| !text.is_empty()).collect();
        let size = ty.shape.checked_size().filter(|&size| words.len() == size || words.len() == 1);
        let size = size.ok_or_else(|| format!("needs as many numbers as {ty} has, or one, got {}", words.len()))?;
        // A not-a-number may be given as bits.
        macro_rules! floats {
            ($float:ty, $bits:ty) => {
                elements(&words, size, |word| match word.strip_prefix("0x") {
                    Some(bits) => <$bits>::from_str_radix(bits, 16).ok().map(<$float>::from_bits),
                    None => word.parse().ok(),
                })
            };
        }
        let buffer = match ty.dtype {
            DType::F16 => floats!(F16, u16),
            DType::Bf16 => floats!(Bf16, u16),
            DType::F32 => floats!(f32, u32),
            DType::F64 => floats!(f64, u64),
            dtype => typed!(dtype, T => elements(&words, size, |word| word.parse::<T>().ok())),
        };
        let array = buffer.and_then(|buffer| Array::from_buffer(ty.shape.clone(), buffer).ok());
        array.ok_or_else(|| format!("needs numbers of {ty}, got `{text}`"))
    }
}

/// `size` elements, of one word each or all of the same.
fn elements<T: Element>(words: &[&str], size: usize, read: impl Fn(&str) -> Option<T>) -> Option<Buffer> {
    let mut data: Vec<T> = Vec::new();
    data.try_reserve_exact(size).ok()?;
    for word in words {
        data.push(read(word)?);
    }
    if let (Some(&one), true) = (data.first(), words.len() == 1) {
        data.resize(size, one);
    }
    Some(T::wrap(data))
}

/// The shortest text that reads back as the same element. A not-a-number that is not the usual one shows its bits.
fn show(data: &Buffer, i: usize) -> String {
    macro_rules! float {
        ($float:ty, $x:expr) => {
            match f64::from($x).is_nan() && $x.to_bits() != <$float>::NAN.to_bits() {
                true => format!("{:#x}", $x.to_bits()),
                false => format!("{:?}", $x),
            }
        };
    }
    match data {
        Buffer::Bool(data) => data[i].to_string(),
        Buffer::F16(data) => float!(F16, data[i]),
        Buffer::Bf16(data) => float!(Bf16, data[i]),
        Buffer::F32(data) => float!(f32, data[i]),
        Buffer::F64(data) => float!(f64, data[i]),
        data => data.number(i).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_read_back_to_the_bit() {
        let arrays = [
            (Array::vector(vec![0.1f32, -0.0, f32::NAN, -f32::NAN, 1e-45]), "0.1,-0.0,NaN,0xffc00000,1e-45"),
            (Array::vector(vec![f64::INFINITY, -f64::NAN]), "inf,0xfff8000000000000"),
            (Array::vector(vec![u64::MAX; 3]), "18446744073709551615"),
            (Array::vector(vec![true, false]), "true,false"),
            (Array::zeros(&Type::f32([0, 2])), ""),
        ];
        for (array, text) in arrays {
            assert_eq!(Elements(&array).to_string(), text);
            let read = Array::parse(&array.ty(), text).expect("elements");
            assert!(read.bits().eq(array.bits()), "{text}");
        }
        assert_eq!(format!("{:.1}", Elements(&Array::vector(vec![1i8, 2]))), "1,…");
    }

    #[test]
    fn what_is_no_element_is_named() {
        let ty = Type::new(DType::U8, [2]);
        assert_eq!(Array::parse(&ty, "1,256").unwrap_err(), "needs numbers of u8[2], got `1,256`");
        assert_eq!(Array::parse(&ty, "1,2,3").unwrap_err(), "needs as many numbers as u8[2] has, or one, got 3");
        assert_eq!(Array::parse(&ty, "").unwrap_err(), "needs as many numbers as u8[2] has, or one, got 0");
    }
}
