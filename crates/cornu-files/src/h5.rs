//! HDF5 files as a tree of named arrays: the part of the format that `h5py` writes by itself, and what [`Builder`] writes.
//!
//! Reading holds the whole file in memory and never opens another: external storage and links are refused. Arrays are
//! slices of the file until they are asked for.

mod attributes;
mod bytes;
mod checksum;
mod data;
mod datatype;
mod dense;
mod filters;
mod header;
mod links;
mod texts;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use cornu_array::{Array, Context, DType, Error, Result, Shape, nearest};

use crate::atomic;
use crate::element::{Order, decode};
use bytes::{Image, damaged};
use datatype::Elements;
use header::{Header, header, kind};

pub use crate::h5_builder::Builder;

/// The signature every HDF5 file of Keras starts with.
pub const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups inside groups; Keras nests a layer, its cells and their variables.
const MOST_LEVELS: usize = 100;

/// Bytes of all paths together that need no file of that size.
const HARMLESS_PATHS: usize = 1 << 20;

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
    /// Where its header is.
    header: u64,
}

/// An HDF5 file that was read.
pub struct H5 {
    image: Image,
    root: u64,
    datasets: Vec<Entry>,
    groups: Vec<String>,
    /// Where the header of each group is; of those that only a path with backslashes names there is none.
    headers: Vec<Option<u64>>,
}

impl H5 {
    /// Reads the bytes of a file and lists what is in it. Names with backslashes are paths, as Keras wrote them on
    /// Windows.
    ///
    /// # Errors
    /// The bytes must be a whole HDF5 file without soft or external links, in which a group has one name, and a name one
    /// meaning.
    pub fn read(bytes: Vec<u8>) -> Result<H5> {
        if !bytes.starts_with(SIGNATURE) {
            return Err(Error::file("this is not an HDF5 file: it does not start with the signature of one")
                .help("a file that was downloaded may be an error page; look at its first lines"));
        }
        let room = bytes.len().max(HARMLESS_PATHS);
        let image = Image::new(bytes);
        let root = header::root(&image)?;
        let mut walk =
            Walk { image: &image, datasets: Vec::new(), groups: Vec::new(), met: HashSet::from([root]), room };
        walk.group(&header(&image, root).context("the root group")?, "", 0)?;
        let Walk { mut datasets, mut groups, .. } = walk;
        datasets.sort_by(|a, b| natural_order(&a.path, &b.path));
        // Of a group that paths name and that is there as well, the one that is there comes first, and stays.
        groups.sort_by(|a, b| natural_order(&a.0, &b.0).then(b.1.cmp(&a.1)));
        groups.dedup_by(|later, first| later.0 == first.0 && later.1.is_none());
        let (groups, headers) = groups.into_iter().unzip();
        let file = H5 { image, root, datasets, groups, headers };
        file.refuse_twins()?;
        Ok(file)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`H5::read`]; and the file must exist and be readable.
    pub fn open(path: impl AsRef<Path>) -> Result<H5> {
        let path = path.as_ref();
        let place = format!("`{}`", path.display());
        let bytes = atomic::read(path).map_err(|error| unreadable(&error)).context(&place)?;
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

    /// The dataset at `path`, if there is one.
    pub fn find(&self, path: &str) -> Option<&Entry> {
        let path = path.trim_matches('/');
        self.datasets.binary_search_by(|entry| natural_order(&entry.path, path)).ok().map(|place| &self.datasets[place])
    }

    /// The array at `path`. Half precision is read as `f32`.
    ///
    /// # Errors
    /// `path` must name a dataset of numbers or booleans whose stored size agrees with its shape.
    pub fn dataset(&self, path: &str) -> Result<Array> {
        let entry = self.entry(path)?;
        self.numbers(entry).context(format_args!("dataset `{}`", entry.path))
    }

    fn numbers(&self, entry: &Entry) -> Result<Array> {
        let header = self.header(entry.header)?;
        let Some((dtype, order, size)) = numbers(&self.image, &header)? else {
            return Err(Error::unsupported("its elements are neither numbers nor booleans of a known kind"));
        };
        decode(dtype, order, entry.shape.clone(), &data::bytes(&self.image, &header, &entry.shape, size)?)
    }

    /// The texts of the string dataset at `path`, in row-major order: a vocabulary.
    ///
    /// # Errors
    /// `path` must name a dataset of strings.
    pub fn strings(&self, path: &str) -> Result<Vec<String>> {
        let entry = self.entry(path)?;
        let read = || {
            let header = self.header(entry.header)?;
            let (elements, size) = datatype::elements(header.need(kind::DATATYPE, "element type")?)?;
            if !matches!(elements, Elements::Texts(..) | Elements::LongTexts) {
                return Err(Error::unsupported("its elements are no texts"));
            }
            let bytes = data::bytes(&self.image, &header, &entry.shape, size)?;
            texts::texts(&self.image, elements, &bytes, entry.shape.size())
        };
        read().context(format_args!("dataset `{}`", entry.path))
    }

    /// The attributes of the group or dataset at `path`, by name; those of the file are at `""`. Attributes that are
    /// neither text nor numbers are left out.
    ///
    /// # Errors
    /// `path` must exist.
    pub fn attributes(&self, path: &str) -> Result<BTreeMap<String, Attribute>> {
        let path = path.trim_matches('/');
        let address = match (self.find(path), self.folder(path)) {
            _ if path.is_empty() => Some(self.root),
            (Some(entry), _) => Some(entry.header),
            (None, Some(place)) => self.headers[place],
            (None, None) => return Err(self.missing(path)),
        };
        let Some(address) = address else { return Ok(BTreeMap::new()) };
        let read = || attributes::attributes(&self.image, &self.header(address)?);
        read().context(format_args!("attributes of `{path}`"))
    }

    /// Whether there is a group at `path`.
    pub fn has_group(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        path.is_empty() || self.folder(path).is_some()
    }

    /// Whether there is a dataset at `path`.
    pub fn has_dataset(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// How many numbers the datasets hold, of those that can be read: what is only claimed counts for nothing, and what
    /// lies where others lie does not count again.
    pub fn numbers_held(&self) -> usize {
        self.image.begin();
        let mut left = self.image.len();
        let held = |entry: &Entry| {
            let header = header(&self.image, entry.header).ok()?;
            let (.., size) = numbers(&self.image, &header).ok()??;
            left = left.checked_sub(data::check(&self.image, &header, &entry.shape, size).ok()?)?;
            Some(entry.shape.size())
        };
        self.datasets.iter().filter_map(held).fold(0, usize::saturating_add)
    }

    fn header(&self, address: u64) -> Result<Header<'_>> {
        self.image.begin();
        header(&self.image, address)
    }

    fn folder(&self, path: &str) -> Option<usize> {
        self.groups.binary_search_by(|group| natural_order(group, path)).ok()
    }

    fn entry(&self, path: &str) -> Result<&Entry> {
        self.find(path).ok_or_else(|| self.missing(path))
    }

    fn missing(&self, path: &str) -> Error {
        let error = Error::file(format!("the HDF5 file has nothing at `{path}`"));
        match nearest(path, self.datasets.iter().map(|entry| entry.path.as_str())) {
            Some(near) => error.help(format!("the nearest dataset is `{near}`")),
            None => error.help(format!("it has {} datasets in other places", self.datasets.len())),
        }
    }

    /// Refuses a name that is there twice: readers would not agree on what it means.
    fn refuse_twins(&self) -> Result<()> {
        let datasets = self.datasets.windows(2).find(|pair| pair[0].path == pair[1].path).map(|pair| &pair[0].path);
        let groups = self.groups.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0]);
        let both = || self.datasets.iter().map(|entry| &entry.path).find(|path| self.folder(path).is_some());
        match datasets.or(groups).or_else(both) {
            Some(path) => Err(damaged(&format!("the name {} is there twice", place(path)))),
            None => Ok(()),
        }
    }
}

impl std::fmt::Debug for H5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.datasets.iter().map(|entry| &entry.path)).finish()
    }
}

/// Lists everything below a group.
struct Walk<'a> {
    image: &'a Image,
    datasets: Vec<Entry>,
    groups: Vec<(String, Option<u64>)>,
    /// The groups that were met. One that is met again is in itself, or under two names: their number would explode.
    met: HashSet<u64>,
    /// How many bytes of paths may still come.
    room: usize,
}

impl<'a> Walk<'a> {
    fn group(&mut self, group: &Header<'a>, path: &str, level: usize) -> Result<()> {
        let members = links::members(self.image, group).map_err(|error| error.context(place(path)))?;
        let members = members.ok_or_else(|| damaged(&format!("{} is no group", place(path))))?;
        if level == MOST_LEVELS {
            return Err(damaged(&format!("{} is nested too deeply", place(path))));
        }
        for (name, address) in members {
            let path = self.join(path, name)?;
            let header = header(self.image, address).map_err(|error| error.context(place(&path)))?;
            if header.find(kind::LAYOUT).is_some() {
                self.dataset(&header, &path, address).map_err(|error| error.context(place(&path)))?;
            } else if header.find(kind::SYMBOL_TABLE).or(header.find(kind::LINK_INFO)).is_some() {
                if !self.met.insert(address) {
                    let what = "the links of the file go in circles, or lead to one group twice";
                    return Err(damaged(&format!("{}: {what}", place(&path))));
                }
                self.group(&header, &path, level + 1)?;
                self.groups.push((path, Some(address)));
            }
        }
        Ok(())
    }

    fn dataset(&mut self, header: &Header, path: &str, address: u64) -> Result<()> {
        let shape = datatype::shape(header.need(kind::DATASPACE, "shape")?)?.unwrap_or_else(|| [0].into());
        let dtype = numbers(self.image, header)?.map(|(dtype, ..)| dtype);
        self.datasets.push(Entry { path: path.to_owned(), dtype, shape, header: address });
        Ok(())
    }

    /// The path of a member, and the groups that its name alone makes.
    fn join(&mut self, path: &str, name: &str) -> Result<String> {
        let name = name.replace('\\', "/");
        if name.split('/').any(|part| part.is_empty() || part == ".") {
            return Err(damaged(&format!("a member has the odd name {:?}", name.chars().take(60).collect::<String>())));
        }
        let length = path.len() + 1 + name.len() * (1 + name.matches('/').count());
        let left = self.room.checked_sub(length);
        self.room = left.ok_or_else(|| damaged("its names take more room than the file"))?;
        let base = if path.is_empty() { 0 } else { path.len() + 1 };
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        let implied = path.match_indices('/').map(|(place, _)| place).filter(|&place| place >= base);
        self.groups.extend(implied.map(|place| (path[..place].to_owned(), None)));
        Ok(path)
    }
}

/// A path for messages: of a long one the end.
fn place(path: &str) -> String {
    const SHOWN: usize = 100;
    match path.char_indices().nth_back(SHOWN) {
        _ if path.is_empty() => "the root group".into(),
        Some((from, _)) => format!("`…{}`", &path[from..]),
        None => format!("`{path}`"),
    }
}

/// How the elements of a dataset are stored, and the bytes each takes, if they are numbers.
fn numbers(image: &Image, header: &Header) -> Result<Option<(DType, Order, usize)>> {
    let (elements, size) = datatype::elements(header.need(kind::DATATYPE, "element type")?)?;
    Ok(match elements {
        Elements::Numbers(dtype, order) => Some((dtype, order, size)),
        // Keras stores bfloat16 as two bytes without a type, and says in an attribute what they are.
        Elements::Halves => {
            let named =
                attributes::attributes(image, header)?.get("dtype") == Some(&Attribute::Text("bfloat16".into()));
            named.then_some((DType::Bf16, Order::Little, size))
        }
        _ => None,
    })
}

/// Segment by segment; numbers come first, and compare as numbers.
fn natural_order(a: &str, b: &str) -> Ordering {
    fn key(segment: &str) -> (bool, u64, &str) {
        let number = segment.parse::<u64>();
        (number.is_err(), number.unwrap_or(0), segment)
    }
    a.split('/').map(key).cmp(b.split('/').map(key))
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
