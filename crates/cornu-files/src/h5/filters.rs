//! Filters: what was done to the bytes of a chunk before they were stored.

use std::borrow::Cow;
use std::io::Read;

use cornu_array::{Error, Result};

use super::bytes::{damaged, unknown};
use super::header::{Header, kind};

/// One filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Filter {
    /// Deflated, with the frame of zlib.
    Deflate,
    /// First all first bytes of the elements, then all second ones.
    Shuffle,
    /// A checksum in the last four bytes. Deflate has one of its own, so that it is not looked at.
    Fletcher32,
}

/// The filters of a dataset, in the order in which they were applied.
pub(super) fn filters(header: &Header) -> Result<Vec<Filter>> {
    let Some(mut message) = header.find(kind::FILTERS) else { return Ok(Vec::new()) };
    let (version, count) = (message.byte()?, message.byte()?);
    message.take(if version == 1 { 6 } else { 0 })?;
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = message.number(2)?;
        let name = if version == 1 || id >= 256 { message.short()? } else { 0 };
        message.take(2)?;
        let values = message.short()?;
        message.take(if version == 1 { name.next_multiple_of(8) } else { name })?;
        message.take(4 * (values + if version == 1 { values % 2 } else { 0 }))?;
        filters.push(match id {
            1 => Filter::Deflate,
            2 => Filter::Shuffle,
            3 => Filter::Fletcher32,
            other => return Err(unknown(&format!("elements filtered by number {other} are"))),
        });
    }
    Ok(filters)
}

/// The `whole` bytes of a chunk of elements of `size` bytes, from those that are stored; `mask` has a bit for each
/// filter that was left out.
///
/// # Errors
/// Bytes that are damaged, or not as many as a chunk has.
pub(super) fn undo<'a>(
    filters: &[Filter],
    mask: u32,
    stored: &'a [u8],
    whole: usize,
    size: usize,
) -> Result<Cow<'a, [u8]>> {
    let mut bytes = Cow::Borrowed(stored);
    for (place, filter) in filters.iter().enumerate().rev() {
        if mask >> place.min(31) & 1 == 1 {
            continue;
        }
        bytes = match filter {
            Filter::Deflate => Cow::Owned(inflate(&bytes, whole.saturating_add(4))?),
            Filter::Shuffle => Cow::Owned(gather(&bytes, size)),
            Filter::Fletcher32 => {
                let length = bytes.len().checked_sub(4).ok_or_else(|| damaged("a chunk is cut short"))?;
                Cow::Owned(bytes[..length].to_vec())
            }
        };
    }
    if bytes.len() == whole {
        return Ok(bytes);
    }
    Err(wrong(whole, bytes.len()))
}

fn wrong(needed: usize, got: usize) -> Error {
    damaged(&format!("a chunk needs {needed} bytes, but {got} are stored for it"))
}

fn broken(error: std::io::Error) -> Error {
    Error::file(format!("a chunk is damaged: {error}")).caused_by(error)
}

/// Whether a chunk can be undone. What inflates is counted, not kept: it may be a thousand times what is stored.
///
/// # Errors
/// Those of [`undo`].
pub(super) fn check(filters: &[Filter], mask: u32, stored: &[u8], whole: usize, size: usize) -> Result<()> {
    let applied = |place: usize| mask >> place.min(31) & 1 == 0;
    let last = filters.iter().enumerate().rfind(|(place, _)| applied(*place));
    if let Some((_, Filter::Deflate)) = last {
        let most = whole.saturating_add(4);
        let inflated = flate2::read::ZlibDecoder::new(stored).take(most as u64 + 1);
        let length = std::io::copy(&mut { inflated }, &mut std::io::sink()).map_err(broken)?;
        return if length >= whole as u64 && length <= most as u64 {
            Ok(())
        } else {
            Err(wrong(whole, length as usize))
        };
    }
    undo(filters, mask, stored, whole, size).map(drop)
}

/// What was deflated, if it is not longer than `most` bytes.
fn inflate(stored: &[u8], most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = flate2::read::ZlibDecoder::new(stored).take(most as u64 + 1).read_to_end(&mut bytes);
    match read {
        Ok(length) if length <= most => Ok(bytes),
        Ok(_) => Err(damaged("a chunk is larger than it may be")),
        Err(error) => Err(broken(error)),
    }
}

/// Undoes the shuffling; what is left after the last whole element was not moved.
fn gather(stored: &[u8], size: usize) -> Vec<u8> {
    let count = stored.len() / size;
    let mut bytes = Vec::with_capacity(stored.len());
    bytes.extend((0..count * size).map(|place| stored[place % size * count + place / size]));
    bytes.extend(&stored[count * size..]);
    bytes
}
