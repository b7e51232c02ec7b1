//! Arrays and a JSON text in a zip archive: `.npy` members that NumPy reads, and what is said of them.

use std::path::Path;

use cornu_array::{Array, DType, Error, Result};
use serde_json::Value;

use crate::members::{MOST_INFLATION, Members};
use crate::{atomic, h5, npy};

/// The member that holds the text.
const TEXT: &str = "bundle.json";

/// What is said, and arrays by name.
pub struct Bundle {
    /// What is said of the arrays.
    pub text: Value,
    /// The arrays.
    pub arrays: Vec<(String, Array)>,
}

impl Bundle {
    /// Writes a file in one step. Floats of 16 bits become singles.
    ///
    /// # Errors
    /// Those of [`atomic::write`]; two arrays of one name.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let wide = |array: &Array| if array.dtype().is_half() { array.clone().cast(DType::F32) } else { array.clone() };
        let text = serde_json::to_string_pretty(&self.text).unwrap_or_default();
        let mut members = vec![(TEXT.to_owned(), text.into_bytes())];
        let arrays = self.arrays.iter().map(|(name, array)| (format!("{name}.npy"), npy::to_bytes(&wide(array))));
        members.extend(arrays);
        let members = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        atomic::write(path, &crate::members::write(members, false)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It must exist and be such an archive, whole.
    pub fn open(path: impl AsRef<Path>) -> Result<Bundle> {
        let bytes = atomic::read(path).map_err(|error| h5::unreadable(&error))?;
        let members = Members::read(bytes, MOST_INFLATION)?;
        let text = serde_json::from_slice(&members.bytes(TEXT)?);
        let text = text.map_err(|error| Error::file(format!("`{TEXT}` is no JSON: {error}")))?;
        let names = members.names().iter().filter_map(|name| name.strip_suffix(".npy"));
        let array = |name: &str| Ok((name.to_owned(), npy::read(&members.bytes(&format!("{name}.npy"))?)?));
        Ok(Bundle { text, arrays: names.map(array).collect::<Result<_>>()? })
    }

    /// Takes the array of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&mut self, name: &str) -> Result<Array> {
        let place = self.arrays.iter().position(|(known, _)| known == name);
        let place = place.ok_or_else(|| Error::file(format!("there is no array `{name}`")))?;
        Ok(self.arrays.swap_remove(place).1)
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = cornu_testkit::folder::Folder::new("bundle");
    let path = folder.join("b.zip");
    let text = serde_json::json!({ "version": 1, "seeds": [u64::MAX, -1] });
    let arrays = [Array::scalar(0.1), Array::vector(vec![f64::NAN, -0.0]), Array::vector(vec![7u32, 1 << 31])];
    let named = |(i, array): (usize, &Array)| (format!("part/{i}"), array.clone());
    Bundle { text: text.clone(), arrays: arrays.iter().enumerate().map(named).collect() }.save(&path).expect("a file");
    let mut read = Bundle::open(&path).expect("a bundle");
    assert_eq!(read.text, text);
    for (i, array) in arrays.iter().enumerate() {
        let got = read.take(&format!("part/{i}")).expect("an array");
        assert_eq!((format!("{got:?}"), got.ty()), (format!("{array:?}"), array.ty()));
    }
    assert!(read.take("part/0").is_err(), "it was taken");
}
