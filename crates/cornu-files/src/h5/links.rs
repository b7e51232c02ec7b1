//! The members of a group: name and address of each.

use cornu_array::Result;

use super::bytes::{Cursor, Image, NOWHERE, damaged, unknown};
use super::header::{Header, kind};

/// Levels of a tree of links.
const MOST_LEVELS: u8 = 32;

/// The members of a group in the order of the file; nothing if the object is no group.
///
/// # Errors
/// Links that are not hard, or do not add up.
pub(super) fn members<'a>(image: &'a Image, header: &Header<'a>) -> Result<Option<Vec<(&'a str, u64)>>> {
    let mut members = Vec::new();
    if let Some(mut table) = header.find(kind::SYMBOL_TABLE) {
        let (tree, heap) = (table.address()?, table.address()?);
        let names = names(image, heap)?;
        symbols(image, tree, MOST_LEVELS, names, &mut members)?;
        return Ok(Some(members));
    }
    let Some(mut info) = header.find(kind::LINK_INFO) else { return Ok(None) };
    info.take(1)?;
    let numbered = info.byte()? & 1 != 0;
    info.take(if numbered { 8 } else { 0 })?;
    let heap = info.address()?;
    if heap == NOWHERE {
        for message in header.all(kind::LINK) {
            members.push(link(message)?);
        }
    } else {
        super::dense::links(image, heap, info.address()?, &mut members)?;
    }
    Ok(Some(members))
}

/// The heap that names of members are in.
fn names(image: &Image, address: u64) -> Result<&[u8]> {
    let mut heap = image.at(address)?;
    heap.signature(b"HEAP")?;
    heap.take(4)?;
    let length = heap.number(8)?;
    heap.take(8)?;
    image.slice(heap.address()?, length)
}

/// The members below a node of a tree of symbols.
fn symbols<'a>(
    image: &'a Image,
    address: u64,
    levels: u8,
    names: &'a [u8],
    members: &mut Vec<(&'a str, u64)>,
) -> Result<()> {
    let mut node = image.at(address)?;
    if node.0.starts_with(b"SNOD") {
        node.take(6)?;
        let count = node.short()?;
        image.charge(40 * count)?;
        for _ in 0..count {
            let (offset, header, cache) = (node.address()?, node.address()?, node.number(4)?);
            node.take(20)?;
            if cache == 2 {
                return Err(unknown("soft links are"));
            }
            members.push((text_at(names, offset)?, header));
        }
        return Ok(());
    }
    node.signature(b"TREE")?;
    let (kind, level, count) = (node.byte()?, node.byte()?, node.short()?);
    if kind != 0 || level >= levels {
        return Err(damaged("a tree of links does not add up"));
    }
    node.take(16)?;
    image.charge(16 * count)?;
    for _ in 0..count {
        node.take(8)?;
        symbols(image, node.address()?, level, names, members)?;
    }
    Ok(())
}

/// The text that begins at an offset and ends with a zero.
fn text_at(heap: &[u8], offset: u64) -> Result<&str> {
    let from = usize::try_from(offset).ok().and_then(|offset| heap.get(offset..));
    let text = from.and_then(|from| from.split(|&byte| byte == 0).next());
    name(text.ok_or_else(|| damaged("a name is outside its heap"))?)
}

/// A hard link: its name, and where it leads.
pub(super) fn link(mut message: Cursor<'_>) -> Result<(&str, u64)> {
    message.take(1)?;
    let flags = message.byte()?;
    let kind = if flags & 8 == 0 { 0 } else { message.byte()? };
    message.take(if flags & 4 == 0 { 0 } else { 8 })?;
    message.take(if flags & 16 == 0 { 0 } else { 1 })?;
    let length = message.number(1 << (flags & 3))?;
    let text = message.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    if kind != 0 {
        return Err(unknown("links that are not hard are"));
    }
    Ok((name(text)?, message.address()?))
}

fn name(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a name is no text"))
}
