//! Lists of numbers in golden files, and what is compared with them.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::golden::Report;

/// The parts of a list; none of what is no list.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A list of whole numbers.
pub fn integers(value: &Value) -> Vec<i64> {
    items(value).iter().map(|item| item.as_i64().expect("a whole number")).collect()
}

/// A list of indices.
pub fn indices(value: &Value) -> Vec<usize> {
    items(value).iter().map(|item| item.as_u64().expect("an index") as usize).collect()
}

/// Floats have nine digits, enough to give back the same `f32`.
pub fn f32s(value: &Value) -> Vec<f32> {
    items(value).iter().map(|item| item.to_string().parse().expect("a number")).collect()
}

/// A list of floats.
pub fn f64s(value: &Value) -> Vec<f64> {
    items(value).iter().map(|item| item.as_f64().expect("a number")).collect()
}

/// The SHA-256 of bytes in hexadecimal digits.
pub fn sha256(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two are equal, as an outcome of a case.
#[expect(clippy::needless_pass_by_value, reason = "calls read better with plain values")]
pub fn expect<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("needed {wanted:?}, got {got:?}")) }
}

/// Compares an order with a golden entry: all of its rows or the first and the last, and the hash of all.
pub fn check_order(report: &mut Report, id: &str, got: &[usize], wanted: &Value) {
    let (all, first, last) = (indices(&wanted["values"]), indices(&wanted["first100"]), indices(&wanted["last100"]));
    let whole = if all.is_empty() { 0 } else { got.len() };
    report.case(id, expect(&got[..whole], &all));
    report.case(id, expect(got.get(..first.len()), Some(&first)));
    report.case(id, expect(got.get(got.len() - last.len()..), Some(&last)));
    let hash = sha256(got.iter().flat_map(|&row| (row as i64).to_le_bytes()));
    report.case(id, expect(hash.as_str(), wanted["sha256_i64le"].as_str().expect("a hash")));
}
