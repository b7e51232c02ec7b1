//! The members of a zip archive: read with suspicion, written the way Keras and NumPy write them.

use std::io::{Cursor, Read, Write};

use cornu_graph::{Error, Result};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Deflate cannot make data smaller than this; a member that claims more is made up.
pub(crate) const MOST_INFLATION: u64 = 1032;

/// Up to this size, the members of an archive together may be as much larger than it as deflate can make them.
const HARMLESS: u64 = 256 << 20;

/// Members of one archive. Keras writes three and one more for each vocabulary.
const MOST_MEMBERS: usize = 100_000;

/// The signatures of an archive with members, and of an empty one.
const SIGNATURES: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// A name and the bytes stored under it.
pub(crate) type Member = (String, Vec<u8>);

/// Reads every member, in the order of the archive's directory. Folders are left out.
///
/// # Errors
/// The archive must be whole, its names unique, relative and plain, its members stored or deflated, each as long as it
/// says, and together not more than `inflation` times as large as the archive, unless they are harmless.
pub(crate) fn read(bytes: &[u8], inflation: u64) -> Result<Vec<Member>> {
    if !SIGNATURES.iter().any(|signature| bytes.starts_with(signature)) {
        return Err(Error::file("this is not a zip archive"));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.len() > MOST_MEMBERS {
        return Err(Error::file(format!("the archive has {} members; at most {MOST_MEMBERS} are read", archive.len())));
    }
    if archive.has_duplicate_names() {
        return Err(Error::file("two members of the archive have the same name").help(MADE_UP));
    }
    if archive.has_overlapping_entries().map_err(broken)? {
        return Err(Error::file("members of the archive overlap").help(MADE_UP));
    }
    let mut room = (bytes.len() as u64).saturating_mul(inflation).max(HARMLESS);
    let mut members = Vec::new();
    for index in 0..archive.len() {
        members.extend(member(&mut archive, index, &mut room)?);
    }
    Ok(members)
}

const MADE_UP: &str = "Keras and NumPy write no such archives; the file was made by something else, or it is damaged";

/// Member `index`, unless it is a folder; its size is taken off the `room` that is left.
fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize, room: &mut u64) -> Result<Option<Member>> {
    let file = archive.by_index(index).map_err(broken)?;
    let name = file.name().map_err(broken)?.into_owned();
    if file.is_dir() {
        return Ok(None);
    }
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !name.split('/').all(plain) || name.contains(['\\', ':', '\0']) || file.is_symlink() {
        return Err(Error::file(format!("the archive has a member with the odd name {name:?}")).help(MADE_UP));
    }
    let (stored, size) = (file.compressed_size(), file.size());
    let most = match file.compression() {
        CompressionMethod::Stored => stored,
        CompressionMethod::Deflated => stored.saturating_mul(MOST_INFLATION),
        other => {
            return Err(Error::unsupported(format!("member `{name}` is compressed with {other}"))
                .help("store or deflate the members of the archive"));
        }
    };
    if file.encrypted() {
        return Err(
            Error::unsupported(format!("member `{name}` is encrypted")).help("save the file without a password")
        );
    }
    if size > most {
        return Err(
            Error::file(format!("member `{name}` claims {size} bytes, but only {stored} are stored")).help(MADE_UP)
        );
    }
    *room = room.checked_sub(size).ok_or_else(|| {
        Error::file(format!("the archive holds far more than is stored, {size} bytes in `{name}` alone")).help(MADE_UP)
    })?;
    let mut bytes = Vec::new();
    let read = file.take(size.saturating_add(1)).read_to_end(&mut bytes);
    match read {
        Ok(length) if length as u64 == size => Ok(Some((name, bytes))),
        Ok(length) => Err(Error::file(format!("member `{name}` claims {size} bytes, but has {length}")).help(MADE_UP)),
        Err(error) => Err(Error::file(format!("member `{name}` is damaged: {error}")).help(AGAIN).caused_by(error)),
    }
}

const AGAIN: &str = "the file was cut short or changed on its way; copy or download it again";

fn broken(error: ZipError) -> Error {
    Error::file(format!("the zip archive is cut short or damaged: {error}")).help(AGAIN).caused_by(error)
}

/// The bytes of an archive of these members: stored as they are, or deflated.
///
/// # Errors
/// The names must be unique.
pub(crate) fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>, deflate: bool) -> Result<Vec<u8>> {
    let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        // The earliest date a zip archive knows: the same model gives the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .large_file(bytes.len() as u64 >= u64::from(u32::MAX));
        let written = writer.start_file(name, options).and_then(|()| Ok(writer.write_all(bytes)?));
        written.map_err(|error| Error::file(format!("member `{name}` cannot be written: {error}")).caused_by(error))?;
    }
    let archive = writer.finish().map_err(|error| Error::file(format!("the archive cannot be written: {error}")))?;
    Ok(archive.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_may_not_be_far_larger_together_than_what_is_stored() {
        let zeros = vec![0; 100_000];
        let bytes = write([("a", &zeros[..]), ("b", &zeros[..])], true).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
        let mut room = 150_000;
        assert_eq!(member(&mut archive, 0, &mut room).unwrap(), Some(("a".into(), zeros)));
        assert_eq!(room, 50_000);
        let error = member(&mut archive, 1, &mut room).unwrap_err();
        assert!(error.message().contains("far more than is stored, 100000 bytes in `b` alone"), "{error}");
    }
}
