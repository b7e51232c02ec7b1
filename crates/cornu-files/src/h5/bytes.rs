//! The bytes of an HDF5 file: every address and length is compared with what is there.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cornu_array::{Error, Result};

/// The address of what is not there.
pub(super) const NOWHERE: u64 = u64::MAX;

/// Bytes that are read front to back.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| damaged("a part of it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned number of up to eight bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// A number of two bytes that counts or measures something.
    pub(super) fn short(&mut self) -> Result<usize> {
        self.number(2).map(|number| number as usize)
    }

    pub(super) fn address(&mut self) -> Result<u64> {
        self.number(8)
    }

    /// Refuses anything but these bytes.
    pub(super) fn signature(&mut self, signature: &[u8]) -> Result<()> {
        if self.take(signature.len())? == signature { Ok(()) } else { Err(damaged("a link leads to something else")) }
    }
}

/// A whole file.
pub(super) struct Image {
    bytes: Vec<u8>,
    /// How many bytes of structure may still be looked at: links that go in circles or meet again would not end.
    budget: AtomicU64,
}

impl Image {
    pub(super) fn new(bytes: Vec<u8>) -> Image {
        let image = Image { bytes, budget: AtomicU64::new(0) };
        image.begin();
        image
    }

    /// Allows as much looking as any sound file needs.
    pub(super) fn begin(&self) {
        self.budget.store(self.len().saturating_mul(8).saturating_add(1 << 16), Relaxed);
    }

    /// Takes bytes of structure off the budget.
    pub(super) fn charge(&self, bytes: usize) -> Result<()> {
        let left = self.budget.load(Relaxed).checked_sub(bytes as u64 + 16);
        self.budget.store(left.ok_or_else(|| damaged("the links of the file go in circles"))?, Relaxed);
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Everything from an address on.
    pub(super) fn at(&self, address: u64) -> Result<Cursor<'_>> {
        let from = usize::try_from(address).ok().and_then(|address| self.bytes.get(address..));
        from.map(Cursor).ok_or_else(|| damaged("a link leads out of the file"))
    }

    /// So many bytes from an address on.
    pub(super) fn slice(&self, address: u64, length: u64) -> Result<&[u8]> {
        let length = usize::try_from(length).map_err(|_| damaged("a part of it is larger than the file"))?;
        self.at(address)?.take(length)
    }
}

pub(super) fn damaged(what: &str) -> Error {
    Error::file(what).help("the file is damaged or cut short; copy or download it again")
}

pub(super) fn unknown(what: &str) -> Error {
    Error::unsupported(format!("{what} not known here"))
        .help("save the file again with Keras, or with `h5py` and its default settings")
}
