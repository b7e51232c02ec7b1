//! What the columns of a row hold, in every database.

use serde_json::Value as Json;

use crate::trial::Trial;

/// What a text says, if it is not damaged.
pub(super) fn json(text: Option<String>) -> Option<Json> {
    serde_json::from_str(&text?).ok()
}

/// A curve as bytes; nothing, where there is none.
pub(super) fn bytes(curve: &[f64]) -> Option<Vec<u8>> {
    (!curve.is_empty()).then(|| curve.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// The curve that [`bytes`] was given.
pub(super) fn numbers(bytes: Option<Vec<u8>>) -> Vec<f64> {
    let bytes = bytes.unwrap_or_default();
    bytes.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok().map(f64::from_le_bytes)).collect()
}

/// The trial of a row; nothing, if it is damaged.
pub(super) fn trial(number: i64, record: String) -> Option<Trial> {
    json(Some(record)).and_then(|json| Trial::from_json(number.cast_unsigned(), &json))
}
