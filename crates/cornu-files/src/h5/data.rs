//! Where the elements of a dataset lie: in its header, in a row, or in chunks.

use std::borrow::Cow;
use std::collections::HashSet;

use cornu_array::{Error, Result, Shape};

use super::bytes::{Cursor, Image, NOWHERE, damaged, unknown};
use super::filters::{self, Filter, filters, undo};
use super::header::{Header, kind};

/// Levels of a tree of chunks.
const MOST_LEVELS: u8 = 32;

/// Elements as they are stored.
enum Elements<'a> {
    InARow(&'a [u8]),
    InChunks(Chunks<'a>, Vec<Chunk<'a>>),
}

/// The bytes of a dataset in the order of its elements, each of `size` bytes.
///
/// # Errors
/// Bytes that are missing, or more or fewer than the shape needs.
pub(super) fn bytes<'a>(image: &'a Image, header: &Header<'a>, shape: &'a Shape, size: usize) -> Result<Cow<'a, [u8]>> {
    match stored(image, header, shape, size)? {
        Elements::InARow(bytes) => Ok(Cow::Borrowed(bytes)),
        Elements::InChunks(chunks, found) => chunks.join(&found, shape.size() * size).map(Cow::Owned),
    }
}

/// Looks for the elements; no memory is taken for them.
fn stored<'a>(image: &'a Image, header: &Header<'a>, shape: &'a Shape, size: usize) -> Result<Elements<'a>> {
    if header.find(kind::EXTERNAL).is_some() {
        return Err(unknown("elements in another file are"));
    }
    let needed = shape.checked_size().and_then(|len| len.checked_mul(size));
    let needed = needed.ok_or_else(|| damaged("its shape is larger than any memory"))?;
    let mut message = header.need(kind::LAYOUT, "elements")?;
    let (version, form) = (message.byte()?, message.byte()?);
    let stored = match (version, form) {
        (3 | 4, 0) => {
            let length = message.short()?;
            message.take(length)?
        }
        (3 | 4, 1) => {
            let (address, length) = (message.address()?, message.number(8)?);
            if needed == 0 { &[] } else { image.slice(address, length)? }
        }
        (3 | 4, 2) => {
            let chunks = match version {
                3 => Chunks::of_version_3(message, header, shape, size)?,
                _ => Chunks::of_version_4(message, header, shape, size)?,
            };
            let found = chunks.find(image)?;
            return Ok(Elements::InChunks(chunks, found));
        }
        _ => return Err(unknown("this layout of elements is")),
    };
    if stored.len() != needed {
        return Err(damaged(&format!(
            "the shape {shape} needs {needed} bytes, but {} are stored for it",
            stored.len()
        )));
    }
    Ok(Elements::InARow(stored))
}

/// Looks whether the elements of a dataset are all there, without putting them together; gives the bytes that they take
/// in the file.
///
/// # Errors
/// Those of [`bytes`].
pub(super) fn check(image: &Image, header: &Header, shape: &Shape, size: usize) -> Result<u64> {
    Ok(match stored(image, header, shape, size)? {
        Elements::InARow(bytes) => bytes.len() as u64,
        Elements::InChunks(_, chunks) => chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum(),
    })
}

/// A dataset in chunks.
struct Chunks<'a> {
    shape: &'a Shape,
    /// The sizes of a chunk.
    chunk: Vec<usize>,
    /// Bytes of a chunk, and of an element.
    whole: usize,
    size: usize,
    filters: Vec<Filter>,
    index: Index,
}

/// Where the chunks are.
enum Index {
    /// In the leaves of a tree at that address.
    Tree(u64),
    /// There is one, at that address, of so many bytes, without the filters of a mask.
    Single(u64, u64, u32),
}

/// A chunk: where its first element belongs, and its bytes, to which the filters of a mask were not applied.
struct Chunk<'a> {
    start: Vec<usize>,
    bytes: &'a [u8],
    mask: u32,
}

impl<'a> Chunks<'a> {
    fn of_version_3(mut message: Cursor, header: &Header, shape: &'a Shape, size: usize) -> Result<Chunks<'a>> {
        let rank = message.byte()?;
        let tree = message.address()?;
        Chunks::new(message, 4, rank, header, shape, size, |_, _| Ok(Index::Tree(tree)))
    }

    fn of_version_4(mut message: Cursor, header: &Header, shape: &'a Shape, size: usize) -> Result<Chunks<'a>> {
        let (flags, rank, width) = (message.byte()?, message.byte()?, message.byte()?);
        Chunks::new(message, usize::from(width.min(8)), rank, header, shape, size, |message, whole| {
            if message.byte()? != 1 {
                return Err(unknown("this index of chunks is"));
            }
            let filtered = flags & 2 != 0;
            let (length, mask) =
                if filtered { (message.number(8)?, message.number(4)? as u32) } else { (whole as u64, 0) };
            Ok(Index::Single(message.address()?, length, mask))
        })
    }

    /// Reads the sizes of a chunk, each in `width` bytes, of which the last is that of an element; then the index.
    fn new(
        mut message: Cursor,
        width: usize,
        rank: u8,
        header: &Header,
        shape: &'a Shape,
        size: usize,
        index: impl Fn(&mut Cursor, usize) -> Result<Index>,
    ) -> Result<Chunks<'a>> {
        let sizes: Result<Vec<u64>> = (0..rank).map(|_| message.number(width)).collect();
        let sizes: Vec<usize> = sizes?.into_iter().map(|size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
        let whole = sizes.iter().try_fold(1usize, |whole, &size| whole.checked_mul(size)).filter(|&whole| whole > 0);
        let (Some(whole), Some((&last, chunk))) = (whole, sizes.split_last()) else {
            return Err(damaged("the sizes of its chunks do not add up"));
        };
        if last != size || chunk.len() != shape.rank() || shape.rank() == 0 {
            return Err(damaged("its chunks do not fit its shape"));
        }
        let index = index(&mut message, whole)?;
        Ok(Chunks { shape, chunk: chunk.to_vec(), whole, size, filters: filters(header)?, index })
    }

    /// Every chunk, once each has shown that it holds what it must.
    fn find<'b>(&self, image: &'b Image) -> Result<Vec<Chunk<'b>>> {
        let counts = self.shape.iter().zip(&self.chunk).map(|(size, chunk)| size.div_ceil(*chunk));
        let expected = counts.fold(1usize, usize::saturating_mul);
        let mut chunks = Vec::new();
        match self.index {
            Index::Tree(NOWHERE) => {}
            Index::Tree(address) => self.leaves(image, address, MOST_LEVELS, &mut chunks)?,
            Index::Single(address, length, mask) => {
                chunks.push(Chunk { start: vec![0; self.chunk.len()], bytes: image.slice(address, length)?, mask });
            }
        }
        let mut starts = HashSet::new();
        if chunks.len() != expected || !chunks.iter().all(|chunk| starts.insert(&chunk.start)) {
            return Err(damaged(&format!(
                "it needs {expected} chunks, but has {}, or one of them twice",
                chunks.len()
            )));
        }
        chunks.iter().try_for_each(|chunk| {
            image.charge(chunk.bytes.len())?;
            filters::check(&self.filters, chunk.mask, chunk.bytes, self.whole, self.size)
        })?;
        Ok(chunks)
    }

    /// The elements of all chunks in their order.
    fn join(&self, chunks: &[Chunk], needed: usize) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        data.try_reserve_exact(needed).map_err(|_| Error::memory("it", needed))?;
        data.resize(needed, 0);
        for chunk in chunks {
            self.place(chunk, &undo(&self.filters, chunk.mask, chunk.bytes, self.whole, self.size)?, &mut data);
        }
        Ok(data)
    }

    /// The chunks below a node of a tree.
    fn leaves<'b>(&self, image: &'b Image, address: u64, levels: u8, chunks: &mut Vec<Chunk<'b>>) -> Result<()> {
        let mut node = image.at(address)?;
        node.signature(b"TREE")?;
        let (kind, level, count) = (node.byte()?, node.byte()?, node.short()?);
        if kind != 1 || level >= levels {
            return Err(damaged("a tree of chunks does not add up"));
        }
        node.take(16)?;
        image.charge(count * (24 + 8 * self.chunk.len()))?;
        for _ in 0..count {
            let (length, mask) = (node.number(4)?, node.number(4)? as u32);
            let start: Result<Vec<u64>> = self.chunk.iter().map(|_| node.number(8)).collect();
            node.take(8)?;
            let child = node.address()?;
            if level > 0 {
                self.leaves(image, child, level, chunks)?;
                continue;
            }
            let start: Vec<usize> = start?.into_iter().map(|at| usize::try_from(at).unwrap_or(usize::MAX)).collect();
            let mut axes = start.iter().zip(&self.chunk).zip(self.shape.iter());
            if !axes.all(|((at, chunk), size)| at % chunk == 0 && at < size) {
                return Err(damaged("a chunk lies outside its shape"));
            }
            chunks.push(Chunk { start, bytes: image.slice(child, length)?, mask });
        }
        Ok(())
    }

    /// Copies what of a chunk is inside the shape, row by row.
    fn place(&self, chunk: &Chunk, bytes: &[u8], data: &mut [u8]) {
        let rank = self.chunk.len();
        let inside: Vec<usize> =
            (0..rank).map(|axis| self.chunk[axis].min(self.shape[axis] - chunk.start[axis])).collect();
        let row = inside[rank - 1] * self.size;
        let mut index = vec![0; rank];
        loop {
            let flat = |sizes: &[usize], at: &dyn Fn(usize) -> usize| {
                (0..rank).fold(0, |flat, axis| flat * sizes[axis] + at(axis)) * self.size
            };
            let from = flat(&self.chunk, &|axis| index[axis]);
            let to = flat(self.shape, &|axis| chunk.start[axis] + index[axis]);
            data[to..to + row].copy_from_slice(&bytes[from..from + row]);
            let Some(axis) = (0..rank - 1).rev().find(|&axis| index[axis] + 1 < inside[axis]) else { return };
            index[axis] += 1;
            index[axis + 1..].fill(0);
        }
    }
}
