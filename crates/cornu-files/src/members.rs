//! The members of a zip archive: read with suspicion, written the way Keras and NumPy write them.

use std::io::{Cursor, Read, Write};
use std::sync::Arc;

use cornu_array::{Error, Result};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Deflate cannot make data smaller than this; a member that claims more is made up.
pub(crate) const MOST_INFLATION: u64 = 1032;

/// Up to this size, a member may be as much larger than the archive as deflate can make it.
const HARMLESS: u64 = 32 << 20;

/// Members of one archive. Keras writes three and one more for each vocabulary.
const MOST_MEMBERS: usize = 20_000;

/// The signatures of an archive with members, and of an empty one.
const SIGNATURES: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// The bytes of an archive, which all that reads them holds.
#[derive(Clone)]
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An archive whose names and sizes were looked at; its members are inflated when they are asked for.
#[derive(Clone)]
pub(crate) struct Members {
    archive: ZipArchive<Cursor<Shared>>,
    names: Vec<String>,
    /// How many bytes a member may have.
    most: u64,
}

impl Members {
    /// Looks at the directory of an archive.
    ///
    /// # Errors
    /// The archive must be whole, its names unique, relative and plain, its members stored or deflated.
    pub(crate) fn read(bytes: Vec<u8>, inflation: u64) -> Result<Members> {
        if !SIGNATURES.iter().any(|signature| bytes.starts_with(signature)) {
            return Err(Error::file("this is not a zip archive"));
        }
        refuse_crowds(&bytes)?;
        let most = (bytes.len() as u64).saturating_mul(inflation).max(HARMLESS);
        let mut archive = ZipArchive::new(Cursor::new(Shared(Arc::new(bytes)))).map_err(broken)?;
        if archive.has_duplicate_names() {
            return Err(Error::file("two members of the archive have the same name").help(MADE_UP));
        }
        if archive.has_overlapping_entries().map_err(broken)? {
            return Err(Error::file("members of the archive overlap").help(MADE_UP));
        }
        let names: Result<Vec<String>> = (0..archive.len()).map(|index| name(&mut archive, index)).collect();
        Ok(Members { archive, names: names?, most })
    }

    /// The names, in the order of the directory. Those of folders end in a slash.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many bytes a member says it has.
    ///
    /// # Errors
    /// More than can be inflated from what is stored.
    pub(crate) fn size(&self, name: &str) -> Result<u64> {
        let mut archive = self.archive.clone();
        checked_size(&archive.by_index(self.place(name)?).map_err(broken)?, name, self.most)
    }

    fn place(&self, name: &str) -> Result<usize> {
        let place = self.names.iter().position(|known| known == name);
        place.ok_or_else(|| Error::file(format!("the archive has no member `{name}`")))
    }

    /// The bytes of a member, inflated.
    ///
    /// # Errors
    /// The member must be as long as it says, and not far larger than the archive.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        self.start(name, usize::MAX)
    }

    /// The first bytes of a member, at most so many.
    ///
    /// # Errors
    /// Those of [`Members::bytes`].
    pub(crate) fn start(&self, name: &str, most: usize) -> Result<Vec<u8>> {
        let mut archive = self.archive.clone();
        let file = archive.by_index(self.place(name)?).map_err(broken)?;
        let size = checked_size(&file, name, self.most)?;
        let mut bytes = Vec::new();
        // What is stored is there; what inflates need not be.
        let stored = file.compressed_size().min(size).min(most as u64) as usize;
        bytes.try_reserve_exact(stored).map_err(|_| Error::memory(format_args!("member `{name}`"), stored))?;
        let read = file.take(size.saturating_add(1).min(most as u64)).read_to_end(&mut bytes);
        match read {
            Ok(length) if length as u64 == size.min(most as u64) => Ok(bytes),
            Ok(length) => {
                Err(Error::file(format!("member `{name}` claims {size} bytes, but has {length}")).help(MADE_UP))
            }
            Err(error) => Err(Error::file(format!("member `{name}` is damaged: {error}")).help(AGAIN).caused_by(error)),
        }
    }
}

const MADE_UP: &str = "Keras and NumPy write no such archives; the file was made by something else, or it is damaged";

/// Refuses an archive of very many members before memory is taken for them: the record at its end has their number.
fn refuse_crowds(bytes: &[u8]) -> Result<()> {
    const RECORD: usize = 22;
    let end = &bytes[bytes.len().saturating_sub(RECORD + (1 << 16))..];
    let records = end.windows(RECORD).filter(|record| record.starts_with(SIGNATURES[1]));
    let count = records.map(|record| u16::from_le_bytes([record[10], record[11]])).max().unwrap_or(0);
    if usize::from(count) > MOST_MEMBERS {
        return Err(Error::file(format!("the archive has {count} members; at most {MOST_MEMBERS} are read")));
    }
    Ok(())
}

/// The name of a member, which must be plain.
fn name(archive: &mut ZipArchive<Cursor<Shared>>, index: usize) -> Result<String> {
    let file = archive.by_index_raw(index).map_err(broken)?;
    let name = file.name().map_err(broken)?.into_owned();
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let path = if file.is_dir() { name.trim_end_matches('/') } else { &name };
    if !path.split('/').all(plain) || name.contains(['\\', ':', '\0']) || file.is_symlink() {
        return Err(Error::file(format!("the archive has a member with the odd name {name:?}")).help(MADE_UP));
    }
    Ok(name)
}

/// The size of a member, if it can be inflated to that.
fn checked_size(file: &zip::read::ZipFile<'_, Cursor<Shared>>, name: &str, room: u64) -> Result<u64> {
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
    if size > room {
        let message = format!("member `{name}` has {size} bytes, far more than is stored");
        return Err(Error::file(message).help(MADE_UP));
    }
    Ok(size)
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
    fn a_member_may_not_be_far_larger_than_what_is_stored() {
        let zeros = vec![0; HARMLESS as usize + 1];
        let bytes = write([("a", &zeros[..]), ("b", b"small")], true).unwrap();
        let members = Members::read(bytes, 100).unwrap();
        assert_eq!(members.bytes("b").unwrap(), b"small");
        let error = members.bytes("a").unwrap_err();
        assert!(error.message().contains("far more than is stored"), "{error}");
    }
}
