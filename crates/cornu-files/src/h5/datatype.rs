//! What the elements of a dataset or attribute are, and how many there are.

use cornu_array::{DType, Result, Shape};

use super::bytes::{Cursor, damaged, unknown};
use crate::element::Order;

/// The elements of a dataset or attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Elements {
    /// Numbers or booleans.
    Numbers(DType, Order),
    /// Texts of that many bytes, filled up with zeros, or with spaces if so it says.
    Texts(usize, bool),
    /// Texts that are kept elsewhere.
    LongTexts,
    /// Two bytes without a type: `bfloat16`, if an attribute says so.
    Halves,
    /// Anything else.
    Other,
}

/// Bytes of a reference to a text that is kept elsewhere.
const REFERENCE: usize = 16;

/// The elements that a message describes, and the bytes each takes.
pub(super) fn elements(mut message: Cursor) -> Result<(Elements, usize)> {
    let kind = message.byte()?;
    let flags = message.number(3)?;
    let size = message.number(4)? as usize;
    if size == 0 {
        return Err(damaged("its elements have no size"));
    }
    let order = if flags & 1 == 0 { Order::Little } else { Order::Big };
    let found = match kind & 15 {
        0 => {
            let (offset, precision) = (message.short()?, message.short()?);
            let whole = offset == 0 && size.checked_mul(8) == Some(precision);
            integer(size, flags & 8 != 0).filter(|_| whole).map(|stored| Elements::Numbers(stored, order))
        }
        1 if flags & 0x40 == 0 => float(size, message)?.map(|stored| Elements::Numbers(stored, order)),
        3 => Some(Elements::Texts(size, flags & 15 == 2)),
        5 if size == 2 => Some(Elements::Halves),
        8 if size == 1 => {
            is_bool(message, flags & 0xffff, kind >> 4)?.then_some(Elements::Numbers(DType::Bool, Order::Little))
        }
        9 if flags & 15 == 1 && size == REFERENCE => Some(Elements::LongTexts),
        _ => None,
    };
    Ok((found.unwrap_or(Elements::Other), size))
}

fn integer(size: usize, signed: bool) -> Option<DType> {
    Some(match (size, signed) {
        (1, true) => DType::I8,
        (1, false) => DType::U8,
        (2, true) => DType::I16,
        (2, false) => DType::U16,
        (4, true) => DType::I32,
        (4, false) => DType::U32,
        (8, true) => DType::I64,
        (8, false) => DType::U64,
        _ => return None,
    })
}

fn float(size: usize, mut message: Cursor) -> Result<Option<DType>> {
    let offset = message.short()?;
    message.take(2)?;
    let (exponent, bits) = (message.byte()?, message.byte()?);
    let (mantissa, digits, bias) = (message.byte()?, message.byte()?, message.number(4)?);
    Ok(match (size, (exponent, bits, digits, bias)) {
        _ if offset != 0 || mantissa != 0 => None,
        (2, (10, 5, 10, 15)) => Some(DType::F16),
        (2, (7, 8, 7, 127)) => Some(DType::Bf16),
        (4, (23, 8, 23, 127)) => Some(DType::F32),
        (8, (52, 11, 52, 1023)) => Some(DType::F64),
        _ => None,
    })
}

/// Whether an enumeration is the one that `h5py` keeps booleans in.
fn is_bool(mut message: Cursor, count: u64, version: u8) -> Result<bool> {
    // The type the values have: a whole number of one byte, which is described in twelve.
    message.take(12)?;
    let names: &[u8] = if version < 3 { b"FALSE\0\0\0TRUE\0\0\0\0" } else { b"FALSE\0TRUE\0" };
    Ok(count == 2 && message.0.strip_prefix(names).is_some_and(|values| values.starts_with(&[0, 1])))
}

/// The sizes that a message gives; `None` where there is no space for elements at all.
pub(super) fn shape(mut message: Cursor) -> Result<Option<Shape>> {
    let (version, rank, _, kind) = (message.byte()?, message.byte()?, message.byte()?, message.byte()?);
    match (version, kind) {
        (1, _) => drop(message.take(4)?),
        (2, 2) => return Ok(None),
        (2, _) => {}
        _ => return Err(unknown("this version of a shape is")),
    }
    let sizes: Result<Vec<usize>> =
        (0..rank).map(|_| usize::try_from(message.number(8)?).map_err(|_| damaged("it is too large"))).collect();
    Ok(Some(sizes?.into()))
}
