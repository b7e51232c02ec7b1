//! Numbers as StableHLO writes them: floats by their bits, so that nothing is rounded.

use std::fmt::Write;

use cornu_graph::{Array, Buffer, DType, Number, Type};

use super::{Hlo, Val, Writer};

/// An element that fills a constant: `0x3F800000`, `-7`, `true`.
pub(super) fn element(number: Number, dtype: DType) -> String {
    let array = Array::from_numbers(&Type::scalar(dtype), |_| number);
    text(&array, 0)
}

fn text(array: &Array, i: usize) -> String {
    match array.number(i) {
        Number::Whole(x) => x.to_string(),
        Number::Double(x) if array.dtype() == DType::Bool => (x != 0.0).to_string(),
        Number::Double(_) => format!("0x{:0width$X}", bits(array, i), width = 2 * array.dtype().size()),
    }
}

/// The bits of an element, in the lowest bytes.
fn bits(array: &Array, i: usize) -> u64 {
    match array.buffer() {
        Buffer::F16(elements) => elements[i].to_bits().into(),
        Buffer::Bf16(elements) => elements[i].to_bits().into(),
        Buffer::F32(elements) => elements[i].to_bits().into(),
        Buffer::F64(elements) => elements[i].to_bits(),
        _ => match array.number(i) {
            Number::Whole(x) => x as u64,
            Number::Double(x) => (x != 0.0).into(),
        },
    }
}

impl Writer {
    /// An array: one number where all are the same, truths as words, all else as bytes from the lowest.
    pub(super) fn constant(&mut self, array: &Array) -> Val {
        let ty = array.ty();
        let dense = match ty.dtype {
            _ if array.is_empty() => String::new(),
            _ if (1..array.len()).all(|i| bits(array, i) == bits(array, 0)) => text(array, 0),
            DType::Bool => nested(array, &ty.shape, 0),
            _ => bytes(array),
        };
        self.add(ty.clone(), format_args!("stablehlo.constant dense<{dense}> : {}", Hlo(&ty)))
    }
}

/// `"0x0000803F…"`
fn bytes(array: &Array) -> String {
    let size = array.dtype().size();
    let mut text = String::with_capacity(4 + 2 * size * array.len());
    text += "\"0x";
    for i in 0..array.len() {
        bits(array, i).to_le_bytes()[..size].iter().for_each(|byte| write!(text, "{byte:02X}").expect("memory"));
    }
    text + "\""
}

/// `[[true, false], [false, true]]`, from an element on.
fn nested(array: &Array, shape: &[usize], from: usize) -> String {
    let [count, inner @ ..] = shape else { return text(array, from) };
    let size: usize = inner.iter().product();
    let rows: Vec<String> = (0..*count).map(|row| nested(array, inner, from + row * size)).collect();
    format!("[{}]", rows.join(", "))
}
