//! Numbers in the type that an input takes.

use std::fmt::Display;

use cornu_graph::room::{self, room};
use cornu_graph::{AN_ARRAY, Array, Buffer, DType, Error, Result, Type};

/// Numbers as another type: fractions are rounded to floats once, as Keras does before training.
///
/// # Errors
/// A number beyond the range of the type, or one that a type of whole numbers cannot hold.
pub(super) fn cast(array: Array, dtype: DType, name: &impl Display) -> Result<Array> {
    if array.dtype() == dtype {
        return Ok(array);
    }
    let shape = array.shape().clone();
    // One loop for each type that large arrays come in: a cast goes through `f64` element by element.
    let cast = match (array.buffer(), dtype) {
        (Buffer::F64(data), DType::F32) => Array::new(shape, singles(data.iter().map(|&x| x as f32))?),
        (Buffer::U8(data), DType::F32) => Array::new(shape, singles(data.iter().map(|&x| f32::from(x)))?),
        _ => {
            room::<u8>(AN_ARRAY, &[array.len(), dtype.size()])?;
            Ok(Array::from_fn(&Type::new(dtype, shape), |i| array.get(i)))
        }
    }?;
    let changed = |at: &usize| match (array.get(*at), cast.get(*at)) {
        (was, is) if dtype.is_float() => was.is_finite() && !is.is_finite(),
        (was, is) => was != is,
    };
    let suspect = dtype != DType::F32 || first(&cast, |x| !x.is_finite()).is_some();
    let Some(at) = (0..cast.len()).filter(|_| suspect).find(changed) else { return Ok(cast) };
    let (got, row) = (array.get(at), at / (array.len() / array.shape().first().copied().unwrap_or(1)).max(1));
    let needed = match dtype {
        DType::F32 => "numbers within the range of `f32`".into(),
        dtype => format!("numbers that the input's type `{}` can hold", dtype.keras_name()),
    };
    Err(Error::data(format!("`{name}` needs {needed}, got {got:?} in row {row}")))
}

/// The first number that is like that. Blocks are looked at to their ends first: such loops vectorise.
pub(super) fn first(array: &Array, is: impl Fn(f64) -> bool) -> Option<usize> {
    fn of<T: Copy>(data: &[T], is: impl Fn(T) -> bool) -> Option<usize> {
        let block = data.chunks(1024).position(|block| block.iter().fold(false, |any, &x| any | is(x)))?;
        (block * 1024..data.len()).find(|&at| is(data[at]))
    }
    match array.buffer() {
        Buffer::F32(data) => of(data, |x| is(x.into())),
        Buffer::F64(data) => of(data, is),
        Buffer::I32(data) => of(data, |x| is(x.into())),
        Buffer::I64(data) => of(data, |x| is(x as f64)),
        Buffer::U8(data) => of(data, |x| is(x.into())),
        _ => (0..array.len()).find(|&at| is(array.get(at))),
    }
}

fn singles(numbers: impl ExactSizeIterator<Item = f32>) -> Result<Vec<f32>> {
    let mut all = room::empty(AN_ARRAY, numbers.len())?;
    all.extend(numbers);
    Ok(all)
}
