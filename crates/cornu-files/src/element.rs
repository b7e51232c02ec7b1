//! How files store elements: in either byte order.

use cornu_array::{Array, Bf16, Buffer, DType, Error, F16, Result, Shape, Storage};

/// Which byte of an element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// The array of `shape` whose elements are `bytes`.
///
/// # Errors
/// `bytes` must hold exactly the elements of `shape`.
pub(crate) fn decode(dtype: DType, order: Order, shape: Shape, bytes: &[u8]) -> Result<Array> {
    let needed = shape.checked_size().and_then(|len| len.checked_mul(dtype.size()));
    if needed != Some(bytes.len()) {
        return Err(Error::file(format!("the shape {shape} does not fit the {} bytes stored for it", bytes.len())));
    }
    let buffer = match dtype {
        DType::Bool => Buffer::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        DType::I8 => Buffer::I8(bytes.iter().map(|&byte| byte as i8).collect()),
        DType::U8 => Buffer::U8(bytes.to_vec().into()),
        DType::I16 => Buffer::I16(each(bytes, order, i16::from_le_bytes)),
        DType::U16 => Buffer::U16(each(bytes, order, u16::from_le_bytes)),
        DType::I32 => Buffer::I32(each(bytes, order, i32::from_le_bytes)),
        DType::U32 => Buffer::U32(each(bytes, order, u32::from_le_bytes)),
        DType::I64 => Buffer::I64(each(bytes, order, i64::from_le_bytes)),
        DType::U64 => Buffer::U64(each(bytes, order, u64::from_le_bytes)),
        DType::F16 => Buffer::F16(each(bytes, order, |b| F16::from_bits(u16::from_le_bytes(b)))),
        DType::Bf16 => Buffer::Bf16(each(bytes, order, |b| Bf16::from_bits(u16::from_le_bytes(b)))),
        DType::F32 => Buffer::F32(each(bytes, order, f32::from_le_bytes)),
        DType::F64 => Buffer::F64(each(bytes, order, f64::from_le_bytes)),
        _ => unreachable!("every element type is above"),
    };
    Array::from_buffer(shape, buffer)
}

/// Applies `convert` to every `N` bytes, put in little-endian order.
fn each<const N: usize, T>(bytes: &[u8], order: Order, convert: impl Fn([u8; N]) -> T) -> Storage<T> {
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
        Buffer::U8(data) => data.to_vec(),
        Buffer::U16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::U32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::U64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I8(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I16(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::I64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::F16(data) => data.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect(),
        Buffer::Bf16(data) => data.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect(),
        Buffer::F32(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Buffer::F64(data) => data.iter().flat_map(|x| x.to_le_bytes()).collect(),
        _ => unreachable!("every element type is above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_of_every_type_are_read() {
        let read = |dtype: DType, order, bytes: &[u8]| {
            decode(dtype, order, Shape::from([bytes.len() / dtype.size()]), bytes).map(|array| array.to_vec::<f64>())
        };
        assert_eq!(read(DType::I16, Order::Big, &[0xff, 0xfe, 0, 5]).unwrap(), [-2.0, 5.0]);
        assert_eq!(read(DType::I16, Order::Little, &[0xfe, 0xff]).unwrap(), [-2.0]);
        assert_eq!(read(DType::U16, Order::Little, &[0xfe, 0xff]).unwrap(), [65534.0]);
        assert_eq!(read(DType::I8, Order::Little, &[0x80]).unwrap(), [-128.0]);
        assert_eq!(read(DType::F32, Order::Big, &1.5f32.to_be_bytes()).unwrap(), [1.5]);
        assert_eq!(read(DType::Bf16, Order::Little, &[0x80, 0x3f]).unwrap(), [1.0]);
        assert_eq!(read(DType::U64, Order::Big, &7u64.to_be_bytes()).unwrap(), [7.0]);
        let most = decode(DType::U64, Order::Little, Shape::from([1]), &[0xff; 8]).unwrap();
        assert_eq!(most, Array::vector(vec![u64::MAX]));
        assert!(decode(DType::F32, Order::Little, Shape::from([2]), &[0; 9]).is_err());
        assert!(decode(DType::F64, Order::Little, Shape::from([usize::MAX, 2]), &[]).is_err());
    }
}
