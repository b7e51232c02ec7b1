//! Superblocks and object headers: where the root is, and what is said of each object.

use cornu_array::{Error, Result};

use super::bytes::{Cursor, Image, damaged, unknown};
use super::checksum::checksum;

/// Continuations of one header; libraries write a handful.
const MOST_PARTS: usize = 10_000;

/// The kinds of messages that are read.
pub(super) mod kind {
    pub(in crate::h5) const DATASPACE: u16 = 0x01;
    pub(in crate::h5) const LINK_INFO: u16 = 0x02;
    pub(in crate::h5) const DATATYPE: u16 = 0x03;
    pub(in crate::h5) const LINK: u16 = 0x06;
    pub(in crate::h5) const EXTERNAL: u16 = 0x07;
    pub(in crate::h5) const LAYOUT: u16 = 0x08;
    pub(in crate::h5) const FILTERS: u16 = 0x0b;
    pub(in crate::h5) const ATTRIBUTE: u16 = 0x0c;
    pub(in crate::h5) const CONTINUATION: u16 = 0x10;
    pub(in crate::h5) const SYMBOL_TABLE: u16 = 0x11;
    pub(in crate::h5) const ATTRIBUTE_INFO: u16 = 0x15;
    pub(super) const READ: [u16; 10] =
        [DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, SYMBOL_TABLE, ATTRIBUTE_INFO];
}

/// What is said of one object.
pub(super) struct Header<'a> {
    messages: Vec<(u16, &'a [u8])>,
}

impl<'a> Header<'a> {
    /// The first message of a kind.
    pub(super) fn find(&self, kind: u16) -> Option<Cursor<'a>> {
        self.all(kind).next()
    }

    /// The first message of a kind, which must be there.
    pub(super) fn need(&self, kind: u16, what: &str) -> Result<Cursor<'a>> {
        self.find(kind).ok_or_else(|| damaged(&format!("it has no {what}")))
    }

    /// Every message of a kind.
    pub(super) fn all(&self, kind: u16) -> impl Iterator<Item = Cursor<'a>> + '_ {
        self.messages.iter().filter(move |(known, _)| *known == kind).map(|(_, data)| Cursor(data))
    }
}

/// The address of the root group's header.
///
/// # Errors
/// A superblock that is not known, or says that the file is longer than it is.
pub(super) fn root(image: &Image) -> Result<u64> {
    let mut cursor = image.at(8)?;
    let version = cursor.byte()?;
    let (sizes, root, end) = match version {
        0 | 1 => {
            cursor.take(4)?;
            let sizes = [cursor.byte()?, cursor.byte()?];
            cursor.take(if version == 0 { 9 } else { 13 })?;
            let [base, _, end, _, _] = addresses(&mut cursor)?;
            let [root] = addresses(&mut cursor)?;
            (sizes, root, (base, end))
        }
        2 | 3 => {
            let sizes = [cursor.byte()?, cursor.byte()?];
            cursor.take(1)?;
            let [base, _, end, root] = addresses(&mut cursor)?;
            verify(image.slice(0, 44)?, &mut cursor)?;
            (sizes, root, (base, end))
        }
        other => return Err(unknown(&format!("version {other} of the superblock is"))),
    };
    if sizes != [8, 8] || end.0 != 0 {
        return Err(unknown("addresses of other than eight bytes, or counted from elsewhere than the start, are"));
    }
    if end.1 > image.len() {
        let (needed, got) = (end.1, image.len());
        return Err(Error::file(format!("the file is cut short: it needs {needed} bytes, got {got}"))
            .help("the saving or the download did not finish; copy or download it again"));
    }
    Ok(root)
}

fn addresses<const N: usize>(cursor: &mut Cursor) -> Result<[u64; N]> {
    let mut addresses = [0; N];
    addresses.iter_mut().try_for_each(|address| cursor.address().map(|read| *address = read))?;
    Ok(addresses)
}

/// Compares the checksum that follows with that of `bytes`.
pub(super) fn verify(bytes: &[u8], cursor: &mut Cursor) -> Result<()> {
    if cursor.number(4)? == u64::from(checksum(bytes)) { Ok(()) } else { Err(damaged("a checksum is not right")) }
}

/// The header at an address.
pub(super) fn header(image: &Image, address: u64) -> Result<Header<'_>> {
    let mut cursor = image.at(address)?;
    let mut header = Header { messages: Vec::new() };
    // Parts of the header that are still to be read: address and length.
    let mut parts: Vec<(u64, u64)> = Vec::new();
    let (newer, tracked) = if cursor.0.starts_with(b"OHDR") {
        let tracked = first_of_version_2(image, cursor, &mut header, &mut parts)?;
        (true, tracked)
    } else {
        let [version, _, _, _] = *cursor.take(4)? else { return Err(damaged("a header is cut short")) };
        if version != 1 {
            return Err(damaged("a link leads to something that is no object"));
        }
        cursor.take(4)?;
        let length = cursor.number(4)?;
        cursor.take(4)?;
        messages(image, cursor.take(length as usize)?, (false, false), &mut header, &mut parts)?;
        (false, false)
    };
    let mut done = 0;
    while let Some((address, length)) = parts.pop() {
        done += 1;
        if done > MOST_PARTS {
            return Err(damaged("the parts of a header go in circles"));
        }
        let mut part = image.slice(address, length)?;
        if newer {
            let (checked, sum) = part.split_at_checked(part.len().saturating_sub(4)).unwrap_or((part, &[]));
            verify(checked, &mut Cursor(sum))?;
            part = checked.strip_prefix(b"OCHK").ok_or_else(|| damaged("a part of a header is something else"))?;
        }
        messages(image, part, (newer, tracked), &mut header, &mut parts)?;
    }
    Ok(header)
}

/// Reads the first part of a header of version 2; gives whether its messages are numbered.
fn first_of_version_2<'a>(
    image: &Image,
    mut cursor: Cursor<'a>,
    header: &mut Header<'a>,
    parts: &mut Vec<(u64, u64)>,
) -> Result<bool> {
    let whole = cursor.0;
    cursor.take(4)?;
    if cursor.byte()? != 2 {
        return Err(unknown("this version of an object header is"));
    }
    let flags = cursor.byte()?;
    cursor.take(if flags & 0x20 == 0 { 0 } else { 16 })?;
    cursor.take(if flags & 0x10 == 0 { 0 } else { 4 })?;
    let length = cursor.number(1 << (flags & 3))?;
    let part = cursor.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    verify(&whole[..whole.len() - cursor.0.len()], &mut cursor)?;
    messages(image, part, (true, flags & 4 != 0), header, parts)?;
    Ok(flags & 4 != 0)
}

/// Reads the messages of one part of a header, in the form of version 2 if `newer`, each with a number if `tracked`.
fn messages<'a>(
    image: &Image,
    part: &'a [u8],
    (newer, tracked): (bool, bool),
    header: &mut Header<'a>,
    parts: &mut Vec<(u64, u64)>,
) -> Result<()> {
    image.charge(part.len())?;
    let head = if newer { 4 + if tracked { 2 } else { 0 } } else { 8 };
    let mut cursor = Cursor(part);
    while cursor.0.len() >= head {
        let kind = cursor.number(if newer { 1 } else { 2 })? as u16;
        let length = cursor.short()?;
        let flags = cursor.byte()?;
        cursor.take(head - if newer { 4 } else { 5 })?;
        let data = cursor.take(length)?;
        if kind == kind::CONTINUATION {
            let mut data = Cursor(data);
            parts.push((data.address()?, data.number(8)?));
        } else if kind::READ.contains(&kind) {
            if flags & 2 != 0 {
                return Err(unknown("messages that objects share are"));
            }
            header.messages.push((kind, data));
        }
    }
    Ok(())
}
