//! HDF5 files as a tree of named arrays. This module and [`Builder`]'s are the only ones that know the HDF5 library.
//!
//! Reading holds the whole file in memory and never opens another: external storage and links are refused by the library.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use cornu_graph::{Array, Context, DType, Error, Result, Shape, nearest};
use hdf5_pure::{AttrValue, Datatype, DatatypeByteOrder, FixedPointLayout, FloatingPointLayout};

use crate::element::{Order, Stored, decode};

pub use crate::h5_builder::Builder;

/// The signature every HDF5 file of Keras starts with.
pub(crate) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Deflate cannot make data smaller than this; a dataset that claims more is made up.
const MOST_INFLATION: u64 = 1032;

/// Groups inside groups; Keras nests a layer, its cells and their variables.
const MOST_LEVELS: usize = 100;

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// One text, as in `keras_version`.
    Text(String),
    /// A list of texts, as in `layer_names`.
    Texts(Vec<String>),
    /// Whole numbers; a single one is a list of one.
    Ints(Vec<i64>),
    /// Floating-point numbers; a single one is a list of one.
    Floats(Vec<f64>),
}

/// A dataset as the listing shows it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is, without a leading slash: `layers/dense/vars/0`.
    pub path: String,
    /// The element type [`H5::dataset`] gives; `None` for strings and other things that are not numbers.
    pub dtype: Option<DType>,
    /// The sizes of the axes.
    pub shape: Shape,
    handle: hdf5_pure::Dataset,
}

/// An HDF5 file that was read.
pub struct H5 {
    file: hdf5_pure::File,
    size: u64,
    datasets: Vec<Entry>,
    groups: Vec<String>,
}

impl H5 {
    /// Reads the bytes of a file and lists what is in it.
    ///
    /// # Errors
    /// The bytes must be a whole HDF5 file without soft or external links.
    pub fn read(bytes: Vec<u8>) -> Result<H5> {
        if !bytes.starts_with(SIGNATURE) {
            return Err(Error::file("this is not an HDF5 file: it does not start with the signature of one")
                .help("a file that was downloaded may be an error page; look at its first lines"));
        }
        let size = bytes.len() as u64;
        let file = hdf5_pure::File::from_bytes(bytes).map_err(|error| malformed("the HDF5 file", error))?;
        // A node takes more than sixteen bytes, so a walk that meets more nodes than that goes in circles.
        let mut walk = Walk { datasets: Vec::new(), groups: Vec::new(), budget: size / 16 };
        walk.group(&file.root(), "", 0)?;
        walk.datasets.sort_by(|a, b| natural_order(&a.path, &b.path));
        walk.groups.sort_by(|a, b| natural_order(a, b));
        Ok(H5 { file, size, datasets: walk.datasets, groups: walk.groups })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`H5::read`]; and the file must exist and be readable.
    pub fn open(path: impl AsRef<Path>) -> Result<H5> {
        let path = path.as_ref();
        let place = format!("`{}`", path.display());
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error)).context(&place)?;
        H5::read(bytes).context(&place)
    }

    /// Every dataset, ordered by path; numbers in a path count as numbers, so that `vars/2` comes before `vars/10`.
    pub fn datasets(&self) -> &[Entry] {
        &self.datasets
    }

    /// The path of every group but the root, in the same order.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The array at `path`. Half precision is read as `f32`, 8 and 16 bits as 32, unsigned 64 bits as signed.
    ///
    /// # Errors
    /// `path` must name a dataset of numbers or booleans whose stored size agrees with its shape.
    pub fn dataset(&self, path: &str) -> Result<Array> {
        let entry = self.entry(path)?;
        self.numbers(entry).context(format_args!("dataset `{}`", entry.path))
    }

    /// The texts of the string dataset at `path`, in row-major order: a vocabulary.
    ///
    /// # Errors
    /// `path` must name a dataset of strings.
    pub fn strings(&self, path: &str) -> Result<Vec<String>> {
        let entry = self.entry(path)?;
        let place = format!("dataset `{}`", entry.path);
        let limit = usize::try_from(self.size).unwrap_or(usize::MAX);
        let options = hdf5_pure::VlenStringReadOptions::new().with_max_elements(limit).with_max_payload_bytes(limit);
        let variable = matches!(entry.handle.dtype(), Ok(hdf5_pure::DType::VariableLengthString));
        self.check_size(entry).context(&place)?;
        let read = if variable { entry.handle.read_vlen_strings(options) } else { entry.handle.read_string() };
        let texts = read.map_err(|error| malformed(&place, error))?;
        if Some(texts.len()) != entry.shape.checked_size() {
            return Err(Error::file(format!("{place}: {} strings are stored for shape {}", texts.len(), entry.shape)));
        }
        Ok(texts)
    }

    /// The attributes of the group or dataset at `path`, by name; those of the file are at `""`. Attributes that are
    /// neither text nor numbers are left out.
    ///
    /// # Errors
    /// `path` must exist.
    pub fn attributes(&self, path: &str) -> Result<BTreeMap<String, Attribute>> {
        let path = path.trim_matches('/');
        let attributes = match self.position(path) {
            Some(index) => self.datasets[index].handle.attrs(),
            None if path.is_empty() => self.file.root().attrs(),
            None if self.has_group(path) => self.file.group(path).and_then(|group| group.attrs()),
            None => return Err(self.missing(path)),
        };
        let attributes = attributes.map_err(|error| malformed(&format!("attributes of `{path}`"), error))?;
        Ok(attributes.into_iter().filter_map(|(name, value)| Some((name, attribute(&value)?))).collect())
    }

    /// Whether there is a group at `path`.
    pub fn has_group(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        path.is_empty() || self.groups.binary_search_by(|group| natural_order(group, path)).is_ok()
    }

    /// Whether there is a dataset at `path`.
    pub fn has_dataset(&self, path: &str) -> bool {
        self.position(path.trim_matches('/')).is_some()
    }

    fn position(&self, path: &str) -> Option<usize> {
        self.datasets.binary_search_by(|entry| natural_order(&entry.path, path)).ok()
    }

    fn entry(&self, path: &str) -> Result<&Entry> {
        let path = path.trim_matches('/');
        self.position(path).map(|index| &self.datasets[index]).ok_or_else(|| self.missing(path))
    }

    fn missing(&self, path: &str) -> Error {
        let error = Error::file(format!("the HDF5 file has nothing at `{path}`"));
        match nearest(path, self.datasets.iter().map(|entry| entry.path.as_str())) {
            Some(near) => error.help(format!("the nearest dataset is `{near}`")),
            None => error.help(format!("it has {} datasets in other places", self.datasets.len())),
        }
    }

    fn numbers(&self, entry: &Entry) -> Result<Array> {
        let (stored, order) = stored(&entry.handle)?;
        self.check_size(entry)?;
        let bytes = entry.handle.read_raw().map_err(|error| malformed("its elements", error))?;
        decode(stored, order, entry.shape.clone(), &bytes)
    }

    /// Refuses a dataset that says it is larger than the file can hold, before memory is taken for it.
    fn check_size(&self, entry: &Entry) -> Result<()> {
        let element = entry.handle.element_size().map_err(|error| malformed("its element type", error))?;
        let compressed = !entry.handle.filters().is_empty();
        let most = self.size.saturating_mul(if compressed { MOST_INFLATION } else { 1 });
        let claimed = entry.shape.checked_size().and_then(|len| (len as u64).checked_mul(element));
        if claimed.is_none_or(|claimed| claimed > most) {
            return Err(Error::file(format!(
                "the shape {} needs more than the {} bytes of the whole file can hold",
                entry.shape, self.size
            ))
            .help("the file was made to use up memory, or it is damaged"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for H5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.datasets.iter().map(|entry| &entry.path)).finish()
    }
}

/// Lists everything below a group. Links may go in circles, so the number of steps is bounded.
struct Walk {
    datasets: Vec<Entry>,
    groups: Vec<String>,
    budget: u64,
}

impl Walk {
    fn group(&mut self, group: &hdf5_pure::Group, path: &str, level: usize) -> Result<()> {
        let place = || if path.is_empty() { "the root group".to_owned() } else { format!("group `{path}`") };
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        for (name, handle) in group.iter_datasets().map_err(|error| malformed(&place(), error))? {
            self.step()?;
            let path = join(&name);
            let shape = handle.shape().map_err(|error| malformed(&format!("dataset `{path}`"), error))?;
            let shape: Result<Vec<usize>, _> = shape.into_iter().map(usize::try_from).collect();
            let shape = shape.map_err(|_| Error::file(format!("dataset `{path}` is too large")))?;
            let dtype = stored(&handle).ok().map(|(stored, _)| dtype(stored));
            self.datasets.push(Entry { path, dtype, shape: shape.into(), handle });
        }
        for (name, child) in group.iter_groups().map_err(|error| malformed(&place(), error))? {
            self.step()?;
            if level == MOST_LEVELS {
                return Err(Error::file(format!("{} is nested too deeply: the links go in circles", place())));
            }
            let path = join(&name);
            self.group(&child, &path, level + 1)?;
            self.groups.push(path);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        self.budget = self.budget.checked_sub(1).ok_or_else(|| Error::file("the links of the file go in circles"))?;
        Ok(())
    }
}

/// How the elements of a dataset are stored.
fn stored(dataset: &hdf5_pure::Dataset) -> Result<(Stored, Order)> {
    let datatype = dataset.datatype().map_err(|error| malformed("its element type", error))?;
    let order = |order: &DatatypeByteOrder| match order {
        DatatypeByteOrder::LittleEndian => Some(Order::Little),
        DatatypeByteOrder::BigEndian => Some(Order::Big),
        DatatypeByteOrder::Vax => None,
    };
    let found = match &datatype {
        Datatype::FixedPoint { size, byte_order, layout } => integer(*size, layout).zip(order(byte_order)),
        Datatype::FloatingPoint { size, byte_order, layout } => float(*size, layout).zip(order(byte_order)),
        Datatype::Enumeration { size: 1, members, .. }
            if members.iter().map(|member| member.name.as_str()).eq(["FALSE", "TRUE"]) =>
        {
            Some((Stored::Bool, Order::Little))
        }
        // Keras stores bfloat16 as two bytes without a type, and says in an attribute what they are.
        Datatype::Opaque { size: 2, .. } => {
            let attributes = dataset.attrs().unwrap_or_default();
            let named = attributes.get("dtype").and_then(AttrValue::as_str) == Some("bfloat16");
            named.then_some((Stored::BF16, Order::Little))
        }
        _ => None,
    };
    found.ok_or_else(|| Error::unsupported("its elements are neither numbers nor booleans of a known kind"))
}

fn integer(size: u32, layout: &FixedPointLayout) -> Option<Stored> {
    let whole = layout.bit_offset == 0 && u32::from(layout.bit_precision) == size * 8;
    Some(match (size, layout.signed) {
        _ if !whole => return None,
        (1, true) => Stored::I8,
        (1, false) => Stored::U8,
        (2, true) => Stored::I16,
        (2, false) => Stored::U16,
        (4, true) => Stored::I32,
        (4, false) => Stored::U32,
        (8, true) => Stored::I64,
        (8, false) => Stored::U64,
        _ => return None,
    })
}

fn float(size: u32, layout: &FloatingPointLayout) -> Option<Stored> {
    let parts = (layout.exponent_location, layout.exponent_size, layout.mantissa_size, layout.exponent_bias);
    match (size, parts) {
        _ if layout.bit_offset != 0 || layout.mantissa_location != 0 => None,
        (2, (10, 5, 10, 15)) => Some(Stored::F16),
        (2, (7, 8, 7, 127)) => Some(Stored::BF16),
        (4, (23, 8, 23, 127)) => Some(Stored::F32),
        (8, (52, 11, 52, 1023)) => Some(Stored::F64),
        _ => None,
    }
}

/// The element type [`decode`] gives.
fn dtype(stored: Stored) -> DType {
    match stored {
        Stored::Bool => DType::Bool,
        Stored::U8 => DType::U8,
        Stored::I8 | Stored::I16 | Stored::I32 => DType::I32,
        Stored::U16 | Stored::U32 => DType::U32,
        Stored::I64 | Stored::U64 => DType::I64,
        Stored::F16 | Stored::BF16 | Stored::F32 => DType::F32,
        Stored::F64 => DType::F64,
    }
}

fn attribute(value: &AttrValue) -> Option<Attribute> {
    let single = matches!(
        value,
        AttrValue::String(_)
            | AttrValue::AsciiString(_)
            | AttrValue::StringSized { .. }
            | AttrValue::AsciiStringSized { .. }
            | AttrValue::VarLenString(_)
            | AttrValue::VarLenAsciiString(_)
    );
    match value.as_strings() {
        Some([text]) if single => Some(Attribute::Text(text.clone())),
        Some(texts) => Some(Attribute::Texts(texts.to_vec())),
        None => value.to_i64s().map(Attribute::Ints).or_else(|| value.to_f64s().map(Attribute::Floats)),
    }
}

/// Segment by segment; numbers come first, and compare as numbers.
fn natural_order(a: &str, b: &str) -> Ordering {
    fn key(segment: &str) -> (bool, u64, &str) {
        let number = segment.parse::<u64>();
        (number.is_err(), number.unwrap_or(0), segment)
    }
    a.split('/').map(key).cmp(b.split('/').map(key))
}

pub(crate) fn malformed(place: &str, error: hdf5_pure::Error) -> Error {
    Error::file(format!("{place} cannot be read: {error}"))
        .help("the file is damaged, cut short, or uses a part of HDF5 that Keras does not")
        .caused_by(error)
}

/// Why a file could not be read at all; the caller names it.
pub(crate) fn unreadable(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::file("there is no such file").help("check the path and the current folder")
        }
        std::io::ErrorKind::PermissionDenied => Error::file("reading it is not permitted"),
        _ => Error::file(format!("it cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_paths_are_ordered_as_numbers() {
        let mut paths = ["optimizer/vars/10", "optimizer/vars/2", "layers", "optimizer/vars", "optimizer/vars/1a"];
        paths.sort_by(|a, b| natural_order(a, b));
        assert_eq!(paths, ["layers", "optimizer/vars", "optimizer/vars/2", "optimizer/vars/10", "optimizer/vars/1a"]);
    }
}
