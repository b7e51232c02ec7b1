//! JSON text as Python's `json.dumps` writes it, which is what Keras puts into its files.

use std::io::{self, Write};

use cornu_array::numbers::repr;
use cornu_array::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

/// The text of `value`: `", "` and `": "` between parts, characters beyond ASCII escaped, floats in Python's spelling.
///
/// # Errors
/// None in practice: a [`Value`] has only string keys and finite numbers.
pub fn to_bytes(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Python);
    value.serialize(&mut serializer).map_err(|error| Error::file(format!("JSON cannot be written: {error}")))?;
    Ok(bytes)
}

struct Python;

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            // `serde_json` leaves the delete character alone, and so does Python.
            if character.is_ascii() {
                writer.write_all(&[character as u8])?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(repr(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_python_writes() {
        let value = serde_json::json!({
            "b": [1, 2.0, null, true, []],
            "a": {"text": "é \"quoted\" \u{1f600}\n\u{7f}", "empty": {}},
        });
        let text = String::from_utf8(to_bytes(&value).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"b\": [1, 2.0, null, true, []], \
             \"a\": {\"text\": \"\\u00e9 \\\"quoted\\\" \\ud83d\\ude00\\n\u{7f}\", \"empty\": {}}}"
        );
    }

    #[test]
    fn floats_are_spelled_as_in_python() {
        let cases = [
            (1e-7, "1e-07"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-5, "1.5e-05"),
            (0.0010000000474974513, "0.0010000000474974513"),
            (0.00392156862745098, "0.00392156862745098"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123456789.125, "123456789.125"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (-2.5e-9, "-2.5e-09"),
            (587.394_348_144_531_2, "587.3943481445312"),
            (-1_041_970_608_496_448.2, "-1041970608496448.2"),
        ];
        for (value, text) in cases {
            assert_eq!(repr(value), text);
        }
    }

    #[test]
    fn floats_read_back_to_the_same_bits() {
        for text in ["0.0010000000474974513", "0.05000000074505806", "2.2250738585072014e-308", "0.9999999999999999"] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(to_bytes(&value).unwrap(), text.as_bytes());
        }
    }
}
