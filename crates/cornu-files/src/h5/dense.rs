//! Groups of many members in newer files: their links lie in a fractal heap, and a tree says where.

use cornu_array::Result;

use super::bytes::{Cursor, Image, NOWHERE, damaged, unknown};
use super::links::link;

/// Bytes of an entry of the tree: a hash, and where in the heap the link is.
const ENTRY: usize = 4 + ID;

/// Bytes of such a place.
const ID: usize = 7;

/// Reads every link of a heap that a tree knows.
pub(super) fn links<'a>(image: &'a Image, heap: u64, tree: u64, members: &mut Vec<(&'a str, u64)>) -> Result<()> {
    let heap = Heap::read(image, heap)?;
    let mut head = image.at(tree)?;
    head.signature(b"BTHD")?;
    let (_, kind, node, entry, depth) =
        (head.byte()?, head.byte()?, head.number(4)? as usize, head.short()?, head.short()?);
    head.take(2)?;
    let (root, count) = (head.address()?, head.short()?);
    if kind != 5 || entry != ENTRY || node < 64 {
        return Err(unknown("this tree of links is"));
    }
    if root == NOWHERE {
        return Ok(());
    }
    let mut tree = Tree { image, node, heap, members };
    let widths = tree.widths(depth)?;
    tree.walk(root, count, &widths)
}

struct Tree<'a, 'm> {
    image: &'a Image,
    /// Bytes of a node.
    node: usize,
    heap: Heap<'a>,
    members: &'m mut Vec<(&'a str, u64)>,
}

impl Tree<'_, '_> {
    /// For each level above the leaves, from below: the bytes that the number of entries of a child takes, and that of
    /// all entries below it.
    fn widths(&self, depth: usize) -> Result<Vec<(usize, usize)>> {
        let mut most = (self.node - 10) / ENTRY;
        let (entries, mut below) = (width(most), most);
        let mut widths = Vec::new();
        for level in 0..depth {
            let total = if level == 0 { 0 } else { width(below) };
            widths.push((entries, total));
            let pointer = 8 + entries + total;
            most = (self.node - 10).saturating_sub(pointer) / (ENTRY + pointer);
            below = (most + 1).saturating_mul(below).saturating_add(most);
            if most == 0 || level > 16 {
                return Err(damaged("a tree of links does not add up"));
            }
        }
        Ok(widths)
    }

    /// Reads the links below a node of `count` entries; `widths` are those of the levels below it.
    fn walk(&mut self, address: u64, count: usize, widths: &[(usize, usize)]) -> Result<()> {
        let mut node = Cursor(self.image.slice(address, self.node as u64)?);
        self.image.charge(self.node)?;
        node.signature(if widths.is_empty() { b"BTLF" } else { b"BTIN" })?;
        node.take(2)?;
        for _ in 0..count {
            node.take(4)?;
            let id = node.take(ID)?;
            self.members.push(link(self.heap.object(id)?)?);
        }
        if let Some((&(entries, total), below)) = widths.split_last() {
            for _ in 0..=count {
                let (child, count) = (node.address()?, node.number(entries)? as usize);
                node.take(total)?;
                self.walk(child, count, below)?;
            }
        }
        Ok(())
    }
}

/// The bytes that numbers up to `most` take.
fn width(most: usize) -> usize {
    (usize::BITS - most.leading_zeros()).div_ceil(8).max(1) as usize
}

/// A heap of blocks that double in size, row by row.
struct Heap<'a> {
    image: &'a Image,
    /// Bytes of an offset, and of a length.
    widths: (usize, usize),
    /// Blocks of a row.
    columns: u64,
    /// Bytes of a block in the first rows.
    first: u64,
    /// Bytes of the largest block that holds links; larger ones would hold lists of blocks.
    largest_direct: u64,
    /// Where the first block, or the list of blocks, is; and the rows of that list.
    root: (u64, u64),
}

impl<'a> Heap<'a> {
    fn read(image: &'a Image, address: u64) -> Result<Heap<'a>> {
        let mut head = image.at(address)?;
        head.signature(b"FRHP")?;
        head.take(1)?;
        let (id, filters) = (head.short()?, head.short()?);
        head.take(1)?;
        let largest = head.number(4)?;
        head.take(12 * 8)?;
        let (columns, first, largest_direct, bits) = (head.number(2)?, head.number(8)?, head.number(8)?, head.short()?);
        head.take(2)?;
        let root = (head.address()?, head.number(2)?);
        let widths = (bits.div_ceil(8), width(usize::try_from(largest_direct.min(largest)).unwrap_or(usize::MAX)));
        if filters != 0 || id != ID || bits > 64 || columns == 0 || first == 0 || widths.0 + widths.1 > ID - 1 {
            return Err(unknown("this heap of links is"));
        }
        Ok(Heap { image, widths, columns, first, largest_direct, root })
    }

    /// The bytes that belong to a place: a link, and perhaps more.
    fn object(&self, id: &[u8]) -> Result<Cursor<'a>> {
        let mut id = Cursor(id);
        if id.byte()? >> 4 != 0 {
            return Err(unknown("links outside the blocks of their heap are"));
        }
        let (offset, length) = (id.number(self.widths.0)?, id.number(self.widths.1)?);
        let (block, inside) = if self.root.1 == 0 { (self.root.0, offset) } else { self.block(offset)? };
        let address = block.checked_add(inside).ok_or_else(|| damaged("a link leads out of the file"))?;
        Ok(Cursor(self.image.slice(address, length)?))
    }

    /// The block that holds an offset, and the offset within it.
    fn block(&self, offset: u64) -> Result<(u64, u64)> {
        let mut list = self.image.at(self.root.0)?;
        list.signature(b"FHIB")?;
        list.take(1 + 8 + self.widths.0)?;
        let (mut start, mut size) = (0u64, self.first);
        for row in 0..self.root.1 {
            size = if row > 1 { size.saturating_mul(2) } else { self.first };
            if size > self.largest_direct {
                break;
            }
            for _ in 0..self.columns {
                let block = list.address()?;
                let end = start.saturating_add(size);
                if offset < end {
                    return Ok((block, offset - start));
                }
                start = end;
            }
        }
        Err(unknown("a heap of so many links is"))
    }
}
