//! Products side by side, and a program over their elements that comes behind them: band by band, so that the program
//! finds in the nearest cache what it reads.

use std::fmt;
use std::ops::Range;

use super::fused::Fused;
use super::operand::{Bases, Kernel};
use super::simd::Level;

/// Rows of a band, about: as many as tiles have.
const ROWS: usize = 5;

/// A product whose elements are those of the program from `first` on, so many of each row.
pub(crate) struct Band {
    pub(crate) product: Box<dyn Kernel>,
    pub(crate) first: usize,
    pub(crate) width: usize,
}

/// The products in their order, each with its part of the program, and then what is left of that.
pub(crate) struct Bands {
    products: Vec<Band>,
    program: Fused,
    rest: Vec<Range<usize>>,
}

impl Bands {
    pub(crate) fn new(products: Vec<Band>, program: Fused) -> Bands {
        let part = |band: &Band| band.first..band.first + band.product.units() * band.width;
        let mut parts: Vec<Range<usize>> = products.iter().map(part).collect();
        parts.sort_by_key(|part| part.start);
        let starts = std::iter::once(0).chain(parts.iter().map(|part| part.end));
        let ends = parts.iter().map(|part| part.start).chain([program.len()]);
        let rest = starts.zip(ends).map(|(start, end)| start..end).filter(|rest| !rest.is_empty()).collect();
        Bands { products, program, rest }
    }

    fn all(&self) -> impl Iterator<Item = &dyn Kernel> {
        self.products.iter().map(|band| &*band.product).chain(std::iter::once(&self.program as &dyn Kernel))
    }
}

impl Kernel for Bands {
    fn units(&self) -> usize {
        1
    }

    fn grain(&self) -> usize {
        1
    }

    fn microseconds(&self) -> f64 {
        self.all().map(Kernel::microseconds).sum()
    }

    fn scratch(&self) -> usize {
        self.all().map(Kernel::scratch).max().unwrap_or(0)
    }

    unsafe fn run(&self, level: Level, bases: Bases, _: Range<usize>, scratch: *mut u8) {
        // SAFETY: the caller's promise; one after the other they use the scratch memory, which has room for each.
        unsafe {
            for &Band { ref product, first, width } in &self.products {
                let rows = product.units();
                let height = rows.div_ceil(rows.div_ceil(ROWS).max(1)).max(1);
                for start in (0..rows).step_by(height) {
                    let end = rows.min(start + height);
                    product.run(level, bases, start..end, scratch);
                    self.program.run(level, bases, first + start * width..first + end * width, scratch);
                }
            }
            for rest in &self.rest {
                self.program.run(level, bases, rest.clone(), scratch);
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Bands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.products.iter().try_for_each(|band| write!(f, "{}, ", band.product))?;
        write!(f, "and band by band {}", self.program)
    }
}
