//! Files that were packed: gzip, and zip archives of one file.

use std::io::Read;

use cornu_array::{Error, Result, list};
use flate2::read::MultiGzDecoder;

use crate::members::{MOST_INFLATION, Members};

/// What a gzip file begins with.
pub const GZIP: &[u8] = b"\x1f\x8b";

/// What a zip archive with members begins with.
pub const ZIP: &[u8] = b"PK\x03\x04";

/// What is packed in a gzip file.
pub fn gunzip<R: Read>(source: R) -> impl Read + use<R> {
    MultiGzDecoder::new(source)
}

/// What is packed in a zip archive of one file. Folders, and what macOS adds, are not counted.
///
/// # Errors
/// The archive must be sound, and have one file.
pub fn only_member(archive: Vec<u8>) -> Result<Vec<u8>> {
    let members = Members::read(archive, MOST_INFLATION)?;
    let files = || members.names().iter().filter(|name| !name.ends_with('/') && !name.starts_with("__MACOSX/"));
    let mut names = files();
    match (names.next(), names.next()) {
        (Some(name), None) => members.bytes(name),
        (None, _) => Err(Error::data("the zip archive has no file")),
        _ => {
            let all: Vec<&str> = files().map(String::as_str).collect();
            let message = format!("the zip archive has {} files: {}", all.len(), list(&all[..all.len().min(5)]));
            Err(Error::data(message).help("unpack it first, by `unzip` in a terminal, and read one of them"))
        }
    }
}

#[test]
fn one_file_is_taken_from_an_archive() {
    let archive = |names: &[&str]| {
        let members = names.iter().map(|&name| (name, name.as_bytes()));
        only_member(crate::members::write(members, true).unwrap())
    };
    assert_eq!(archive(&["a.csv", "__MACOSX/._a.csv"]).unwrap(), b"a.csv");
    let error = archive(&["a.csv", "b.csv"]).unwrap_err();
    assert_eq!(error.message(), "the zip archive has 2 files: `a.csv`, `b.csv`");
    assert!(archive(&[]).is_err());
}
