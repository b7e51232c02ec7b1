//! Well-known data sets, by the names and in the shapes of `keras.datasets`. Nothing is ever put in their place.

pub mod mnist;
pub mod pima;

/// A file whose address, names and contents are known.
pub(crate) struct Known {
    /// Where it is published.
    pub(crate) url: &'static str,
    /// The names a copy may have.
    pub(crate) names: &'static [&'static str],
    /// The SHA-256 of its bytes.
    pub(crate) sha256: &'static str,
}

/// The tables known by their address. [`Table::read_csv`](crate::Table::read_csv) finds their copies by any of
/// their names and checks them.
pub(crate) const KNOWN: [Known; 1] = [pima::FILE];
