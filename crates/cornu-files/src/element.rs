//! How files store elements: more types than a graph knows, in either byte order.

use cornu_array::{Array, Buffer, Error, Result, Shape};

/// How one element is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// IEEE half precision.
    F16,
    /// The upper half of an `F32`.
    BF16,
    F32,
    F64,
}

/// Which byte of an element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Stored {
    /// Bytes of one element.
    pub(crate) fn size(self) -> usize {
        match self {
            Stored::Bool | Stored::I8 | Stored::U8 => 1,
            Stored::I16 | Stored::U16 | Stored::F16 | Stored::BF16 => 2,
            Stored::I32 | Stored::U32 | Stored::F32 => 4,
            Stored::I64 | Stored::U64 | Stored::F64 => 8,
        }
    }
}

/// The array of `shape` whose elements are `bytes`. Half precision is widened to
/// `f32`.
///
/// # Errors
/// `bytes` must hold exactly the elements of `shape`.
pub(crate) fn decode(stored: Stored, order: Order, shape: Shape, bytes: &[u8]) -> Result<Array> {
    let needed = shape.checked_size().and_then(|len| len.checked_mul(stored.size()));
    if needed != Some(bytes.len()) {
        return Err(Error::file(format!("the shape {shape} does not fit the {} bytes stored for it", bytes.len())));
    }
    let buffer = match stored {
        Stored::Bool => Buffer::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        Stored::I8 => Buffer::I8(bytes.iter().map(|&byte| byte as i8).collect()),
        Stored::U8 => Buffer::U8(bytes.to_vec()),
        Stored::I16 => Buffer::I16(each(bytes, order, i16::from_le_bytes)),
        Stored::U16 => Buffer::U16(each(bytes, order, u16::from_le_bytes)),
        Stored::I32 => Buffer::I32(each(bytes, order, i32::from_le_bytes)),
        Stored::U32 => Buffer::U32(each(bytes, order, u32::from_le_bytes)),
        Stored::I64 => Buffer::I64(each(bytes, order, i64::from_le_bytes)),
        Stored::U64 => Buffer::U64(each(bytes, order, u64::from_le_bytes)),
        Stored::F16 => Buffer::F32(each(bytes, order, |b| half_to_f32(u16::from_le_bytes(b)))),
        Stored::BF16 => Buffer::F32(each(bytes, order, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))),
        Stored::F32 => Buffer::F32(each(bytes, order, f32::from_le_bytes)),
        Stored::F64 => Buffer::F64(each(bytes, order, f64::from_le_bytes)),
    };
    Array::from_buffer(shape, buffer)
}

/// Applies `convert` to every `N` bytes, put in little-endian order.
fn each<const N: usize, T>(bytes: &[u8], order: Order, convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    let elements = bytes.as_chunks::<N>().0.iter().copied();
    match order {
        Order::Little => elements.map(convert).collect(),
        Order::Big => elements
            .map(|mut element| {
                element.reverse();
                convert(element)
            })
            .collect(),
    }
}

/// The elements, little-endian.
pub(crate) fn encode(array: &Array) -> Vec<u8> {
    match array.buffer() {
        Buffer::Bool(data) => data.iter().map(|&x| u8::from(x)).collect(),
        Buffer::U8(data) => data.clone(),
        Buffer::U16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::U32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::U64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I8(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::F32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::F64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        _ => unreachable!("every element type is above"),
    }
}

/// The number that an IEEE half precision pattern stands for; every one is an `f32`.
fn half_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    let magnitude = match exponent {
        // Zero and subnormal numbers: `fraction` units of 2^-24.
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        // Infinity and NaN.
        31 => 0x7f80_0000 | fraction << 13,
        // The bias of the exponent grows from 15 to 127.
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_follows_the_standard() {
        let cases = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, number) in cases {
            assert_eq!(half_to_f32(bits).to_bits(), f32::to_bits(number), "{bits:#06x}");
        }
        assert!(half_to_f32(0x7e00).is_nan());
    }

    #[test]
    fn both_byte_orders_of_every_type_are_read() {
        let read = |stored, order, bytes: &[u8]| {
            decode(stored, order, Shape::from([bytes.len() / stored.size()]), bytes).map(|array| array.to_vec::<f64>())
        };
        assert_eq!(read(Stored::I16, Order::Big, &[0xff, 0xfe, 0, 5]).unwrap(), [-2.0, 5.0]);
        assert_eq!(read(Stored::I16, Order::Little, &[0xfe, 0xff]).unwrap(), [-2.0]);
        assert_eq!(read(Stored::U16, Order::Little, &[0xfe, 0xff]).unwrap(), [65534.0]);
        assert_eq!(read(Stored::I8, Order::Little, &[0x80]).unwrap(), [-128.0]);
        assert_eq!(read(Stored::F32, Order::Big, &1.5f32.to_be_bytes()).unwrap(), [1.5]);
        assert_eq!(read(Stored::BF16, Order::Little, &[0x80, 0x3f]).unwrap(), [1.0]);
        assert_eq!(read(Stored::U64, Order::Big, &7u64.to_be_bytes()).unwrap(), [7.0]);
        let most = decode(Stored::U64, Order::Little, Shape::from([1]), &[0xff; 8]).unwrap();
        assert_eq!(most, Array::vector(vec![u64::MAX]));
        assert!(decode(Stored::F32, Order::Little, Shape::from([2]), &[0; 9]).is_err());
        assert!(decode(Stored::F64, Order::Little, Shape::from([usize::MAX, 2]), &[]).is_err());
    }
}
