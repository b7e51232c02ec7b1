//! Texts: in place, or in the heaps that a file has for those of any length.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use cornu_array::Result;

use super::bytes::{Cursor, Image, damaged};
use super::datatype::Elements;

/// The texts in `data`, which has `count` elements of that kind; no more bytes of them than the file has.
pub(super) fn texts(image: &Image, kind: Elements, data: &[u8], count: usize) -> Result<Vec<String>> {
    let mut heaps = HashMap::new();
    let mut left = image.len() as usize;
    let mut texts = Vec::new();
    let mut cursor = Cursor(data);
    for _ in 0..count {
        let bytes = match kind {
            Elements::Texts(size, spaces) => {
                let text = cursor.take(size)?;
                let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
                if spaces { text.trim_ascii_end() } else { text }
            }
            _ => {
                let (length, heap, index) = (cursor.number(4)? as usize, cursor.address()?, cursor.number(4)?);
                let text =
                    if length == 0 { Some(&[][..]) } else { object(image, &mut heaps, heap, index)?.get(..length) };
                text.ok_or_else(|| damaged("a text is shorter than its length says"))?
            }
        };
        // Elements may lie in the file over and over: a reference takes a few bytes, what it refers to any number.
        left = left.checked_sub(bytes.len()).ok_or_else(|| damaged("its texts are longer than the file"))?;
        texts.push(std::str::from_utf8(bytes).map_err(|_| damaged("its elements are no texts"))?.to_owned());
    }
    Ok(texts)
}

/// Objects of a heap, by number.
type Heap<'a> = HashMap<u64, &'a [u8]>;

/// An object of the heap at an address.
fn object<'a>(image: &'a Image, heaps: &mut HashMap<u64, Heap<'a>>, address: u64, index: u64) -> Result<&'a [u8]> {
    let heap = match heaps.entry(address) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(heap(image, address)?),
    };
    heap.get(&index).copied().ok_or_else(|| damaged("a text is missing"))
}

fn heap(image: &Image, address: u64) -> Result<Heap<'_>> {
    let mut head = image.at(address)?;
    head.signature(b"GCOL")?;
    head.take(4)?;
    let length = head.number(8)?;
    let mut cursor = Cursor(image.slice(address, length)?);
    cursor.take(16)?;
    image.charge(cursor.0.len())?;
    let mut objects = Heap::new();
    while cursor.0.len() >= 16 {
        let index = cursor.number(2)?;
        cursor.take(6)?;
        let size = usize::try_from(cursor.number(8)?).map_err(|_| damaged("a text is larger than the file"))?;
        if index == 0 {
            break;
        }
        objects.insert(index, cursor.take(size)?);
        cursor.take((size.wrapping_neg() % 8).min(cursor.0.len()))?;
    }
    Ok(objects)
}
