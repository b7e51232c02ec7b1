//! Attributes: small values with names, beside a group or dataset.

use std::collections::BTreeMap;

use cornu_array::{Array, Result};

use super::Attribute;
use super::bytes::{Cursor, Image, NOWHERE, damaged, unknown};
use super::datatype::{Elements, elements, shape};
use super::header::{Header, kind};
use super::texts::texts;
use crate::element::decode;

/// The attributes of an object, by name; those that are neither texts nor numbers are left out.
pub(super) fn attributes(image: &Image, header: &Header) -> Result<BTreeMap<String, Attribute>> {
    if let Some(mut info) = header.find(kind::ATTRIBUTE_INFO) {
        info.take(1)?;
        let numbered = info.byte()? & 1 != 0;
        info.take(if numbered { 2 } else { 0 })?;
        if info.address()? != NOWHERE {
            return Err(unknown("attributes outside the header of their object are"));
        }
    }
    let mut found = BTreeMap::new();
    for message in header.all(kind::ATTRIBUTE) {
        let (name, value) = attribute(image, message)?;
        found.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(found)
}

fn attribute<'a>(image: &Image, mut message: Cursor<'a>) -> Result<(&'a str, Option<Attribute>)> {
    let (version, flags) = (message.byte()?, message.byte()?);
    let lengths = [message.short()?, message.short()?, message.short()?];
    message.take(if version == 3 { 1 } else { 0 })?;
    let mut part = |length: usize| message.take(if version == 1 { length.next_multiple_of(8) } else { length });
    let [name, kind, sizes] = [part(lengths[0])?, part(lengths[1])?, part(lengths[2])?];
    let name = name.split(|&byte| byte == 0).next().unwrap_or(name);
    let name = std::str::from_utf8(name).map_err(|_| damaged("the name of an attribute is no text"))?;
    if !(1..=3).contains(&version) || (version > 1 && flags != 0) {
        return Ok((name, None));
    }
    let Some(shape) = shape(Cursor(sizes))? else { return Ok((name, None)) };
    let (kind, size) = elements(Cursor(kind))?;
    let length = shape.checked_size().and_then(|count| count.checked_mul(size));
    let data = message.take(length.unwrap_or(usize::MAX))?;
    let count = shape.size();
    Ok((
        name,
        match kind {
            Elements::Texts(..) | Elements::LongTexts => {
                let mut texts = texts(image, kind, data, count)?;
                Some(if shape.rank() == 0 { Attribute::Text(texts.remove(0)) } else { Attribute::Texts(texts) })
            }
            Elements::Numbers(stored, order) => Some(numbers(&decode(stored, order, shape, data)?)),
            _ => None,
        },
    ))
}

fn numbers(array: &Array) -> Attribute {
    if array.dtype().is_float() { Attribute::Floats(array.to_vec()) } else { Attribute::Ints(array.to_vec()) }
}
