//! Text of other encodings, as UTF-8 while it is read.

use std::io::{Error, ErrorKind, Read, Result};

use super::lines::BLOCK;

/// Encodings by the names that Python has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Latin1,
    Cp1252,
    /// The byte order; without one, that of the mark at the start, or little-endian.
    Utf16(Option<Order>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Encoding {
    /// The encoding of that name, in any case, with `_` or `-`.
    pub(super) fn named(name: &str) -> Option<Encoding> {
        Some(match &*name.to_ascii_lowercase().replace('_', "-") {
            "utf-8" | "utf8" | "utf-8-sig" | "u8" | "ascii" | "us-ascii" => Encoding::Utf8,
            "latin-1" | "latin1" | "latin" | "l1" | "iso-8859-1" | "iso8859-1" | "8859" | "cp819" => Encoding::Latin1,
            "cp1252" | "windows-1252" | "1252" | "ansi" => Encoding::Cp1252,
            "utf-16" | "utf16" | "u16" => Encoding::Utf16(None),
            "utf-16-le" | "utf-16le" => Encoding::Utf16(Some(Order::Little)),
            "utf-16-be" | "utf-16be" => Encoding::Utf16(Some(Order::Big)),
            _ => return None,
        })
    }
}

/// The characters of the bytes 0x80 to 0x9f in code page 1252; five bytes mean nothing.
const CP1252: [u16; 32] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0,
    0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

/// Reads text of another encoding as UTF-8.
pub(super) struct Decoded<R> {
    source: R,
    encoding: Encoding,
    /// Bytes of the source that are a part of a character.
    raw: Vec<u8>,
    text: String,
    given: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(source: R, encoding: Encoding) -> Decoded<R> {
        Decoded { source, encoding, raw: Vec::new(), text: String::new(), given: 0, ended: false }
    }

    fn more(&mut self) -> Result<()> {
        self.text.clear();
        self.given = 0;
        let read = (&mut self.source).take(BLOCK as u64 / 4).read_to_end(&mut self.raw)?;
        self.ended = read == 0;
        match self.encoding {
            Encoding::Utf8 | Encoding::Latin1 => {
                self.text.extend(self.raw.iter().map(|&byte| char::from(byte)));
                self.raw.clear();
            }
            Encoding::Cp1252 => {
                for byte in self.raw.drain(..) {
                    let known = match byte {
                        0x80..=0x9f => char::from_u32(CP1252[usize::from(byte - 0x80)].into()).filter(|c| *c != '\0'),
                        _ => Some(char::from(byte)),
                    };
                    self.text.push(known.ok_or_else(|| wrong("cp1252", &format!("the byte 0x{byte:02x}")))?);
                }
            }
            Encoding::Utf16(order) => self.utf16(order)?,
        }
        Ok(())
    }

    fn utf16(&mut self, order: Option<Order>) -> Result<()> {
        let order = order.unwrap_or_else(|| match self.raw[..] {
            [0xfe, 0xff, ..] => Order::Big,
            _ => Order::Little,
        });
        self.encoding = Encoding::Utf16(Some(order));
        let unit = |pair: &[u8; 2]| match order {
            Order::Little => u16::from_le_bytes(*pair),
            Order::Big => u16::from_be_bytes(*pair),
        };
        let (pairs, odd) = self.raw.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(unit).collect();
        // The second half of a pair of surrogates may not be here yet.
        let half = !self.ended && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
        let keep = odd.len() + 2 * usize::from(half);
        units.truncate(units.len() - usize::from(half));
        if self.ended && !odd.is_empty() {
            return Err(wrong("utf-16", "half a character at the end"));
        }
        for unit in char::decode_utf16(units) {
            self.text.push(unit.map_err(|half| wrong("utf-16", &format!("half a character, {half}")))?);
        }
        self.raw.drain(..self.raw.len() - keep);
        Ok(())
    }
}

fn wrong(encoding: &str, got: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the file is no {encoding} text: it has {got}"))
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.more()?;
        }
        let rest = &self.text.as_bytes()[self.given..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[test]
fn texts_are_those_of_python() {
    let decode = |bytes: &[u8], name: &str| {
        let mut text = String::new();
        let read = Decoded::new(bytes, Encoding::named(name).unwrap()).read_to_string(&mut text);
        read.map(|_| text).map_err(|error| error.to_string())
    };
    assert_eq!(decode(b"caf\xe9 \x80", "latin-1").unwrap(), "café \u{80}");
    assert_eq!(decode(b"caf\xe9 \x80", "CP1252").unwrap(), "café €");
    assert_eq!(decode(b"\x81", "cp1252").unwrap_err(), "the file is no cp1252 text: it has the byte 0x81");
    assert_eq!(decode(b"\xff\xfea\0=\xd8\0\xde", "utf-16").unwrap(), "\u{feff}a\u{1f600}");
    assert_eq!(decode(b"\xfe\xff\0a", "utf_16").unwrap(), "\u{feff}a");
    assert!(decode(b"a\0=\xd8", "utf-16").is_err() && decode(b"a\0b", "utf-16-le").is_err());
}
