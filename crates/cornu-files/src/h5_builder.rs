//! Writing HDF5 files: names and arrays in, bytes out.

use std::collections::HashMap;

use cornu_array::{Array, DType, Error, Result};
use hdf5_pure::{
    AttrValue, DatasetBuilder, Datatype, DatatypeByteOrder, EnumTypeBuilder, FileBuilder, FinishedGroup,
    FloatingPointLayout, GroupBuilder, make_f32_type, make_f64_type, make_i8_type, make_i16_type, make_i32_type,
    make_i64_type, make_u8_type, make_u16_type, make_u32_type, make_u64_type,
};

use crate::element::encode;
use crate::h5::Attribute;

/// An HDF5 file in the making. Groups come into being with the first thing put into them.
#[derive(Default)]
pub struct Builder {
    root: Group,
}

#[derive(Default)]
struct Group {
    attributes: Vec<(String, Attribute)>,
    children: Vec<(String, Node)>,
    /// Where among the children each name is.
    places: HashMap<String, usize>,
}

enum Node {
    Group(Group),
    Dataset(Dataset),
}

struct Dataset {
    dtype: DType,
    shape: Vec<u64>,
    bytes: Vec<u8>,
    attributes: Vec<(String, Attribute)>,
}

impl Builder {
    /// An empty file.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Makes a group, and those around it, if they are not there yet.
    ///
    /// # Errors
    /// No part of `path` may be empty or name a dataset.
    pub fn group(&mut self, path: &str) -> Result<()> {
        self.root.descend(path, path).map(|_| ())
    }

    /// Puts an array at `path`.
    ///
    /// # Errors
    /// `path` must be free, with no empty part, and no dataset may be on the way to it.
    pub fn dataset(&mut self, path: &str, array: &Array) -> Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let group = self.root.descend(folder, path)?;
        if name.is_empty() || group.places.contains_key(name) {
            return Err(Error::usage(format!("nothing can be put at `{path}`: the name is empty or taken")));
        }
        let shape = array.shape().iter().map(|&size| size as u64).collect();
        let dtype = array.dtype();
        let named = (dtype == DType::Bf16).then(|| ("dtype".to_owned(), Attribute::Text(dtype.keras_name().into())));
        let attributes = named.into_iter().collect();
        let dataset = Dataset { dtype, shape, bytes: encode(array), attributes };
        group.push(name, Node::Dataset(dataset));
        Ok(())
    }

    /// Gives an attribute to the dataset or group at `path`, which is made if it is not there; `""` is the file itself.
    ///
    /// # Errors
    /// As for [`Builder::group`].
    pub fn attribute(&mut self, path: &str, name: &str, value: Attribute) -> Result<()> {
        let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
        let group = self.root.descend(folder, path)?;
        let place = group.places.get(last).copied();
        let is_dataset = place.is_some_and(|place| matches!(group.children[place].1, Node::Dataset(_)));
        let attributes = match place.filter(|_| is_dataset).map(|place| &mut group.children[place].1) {
            Some(Node::Dataset(dataset)) => &mut dataset.attributes,
            _ => &mut self.root.descend(path, path)?.attributes,
        };
        attributes.retain(|(taken, _)| taken != name);
        attributes.push((name.to_owned(), value));
        Ok(())
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Attributes must fit into 64 KiB each.
    pub fn finish(self) -> Result<Vec<u8>> {
        let mut file = FileBuilder::new();
        for (name, value) in self.root.attributes {
            file.set_attr(&name, attribute(value));
        }
        for (name, node) in self.root.children {
            match node {
                Node::Group(group) => {
                    let group = group.finish(file.create_group(&name))?;
                    file.add_group(group);
                }
                Node::Dataset(dataset) => dataset.finish(file.create_dataset(&name))?,
            }
        }
        file.finish().map_err(unwritable)
    }
}

impl Group {
    fn push(&mut self, name: &str, node: Node) -> usize {
        let place = self.children.len();
        self.places.insert(name.to_owned(), place);
        self.children.push((name.to_owned(), node));
        place
    }

    /// The group at `path` below this one, made if it is not there; `asked` is the path for the error.
    fn descend(&mut self, path: &str, asked: &str) -> Result<&mut Group> {
        let mut group = self;
        for name in path.split('/').filter(|_| !path.is_empty()) {
            if name.is_empty() || name == "." {
                return Err(Error::usage(format!("`{asked}` is no path in an HDF5 file: a part of it is empty")));
            }
            let known = group.places.get(name).copied();
            let index = known.unwrap_or_else(|| group.push(name, Node::Group(Group::default())));
            group = match &mut group.children[index].1 {
                Node::Group(child) => child,
                Node::Dataset(_) => {
                    return Err(Error::usage(format!("nothing can be put at `{asked}`: `{name}` is a dataset")));
                }
            };
        }
        Ok(group)
    }

    fn finish(self, mut builder: GroupBuilder) -> Result<FinishedGroup> {
        for (name, value) in self.attributes {
            builder.set_attr(&name, attribute(value));
        }
        for (name, node) in self.children {
            match node {
                Node::Group(group) => {
                    let group = group.finish(builder.create_group(&name))?;
                    builder.add_group(group);
                }
                Node::Dataset(dataset) => dataset.finish(builder.create_dataset(&name))?,
            }
        }
        Ok(builder.finish())
    }
}

impl Dataset {
    fn finish(self, builder: &mut DatasetBuilder) -> Result<()> {
        let count = self.shape.iter().product();
        builder.with_raw_data(datatype(self.dtype)?, self.bytes, count).with_shape(&self.shape);
        for (name, value) in self.attributes {
            builder.set_attr(&name, attribute(value));
        }
        Ok(())
    }
}

/// The HDF5 type h5py uses for elements of that type.
fn datatype(dtype: DType) -> Result<Datatype> {
    Ok(match dtype {
        DType::Bool => EnumTypeBuilder::with_base(make_i8_type())
            .value("FALSE", 0)
            .value("TRUE", 1)
            .build()
            .map_err(|error| unwritable(error.into()))?,
        DType::U8 => make_u8_type(),
        DType::U16 => make_u16_type(),
        DType::U32 => make_u32_type(),
        DType::U64 => make_u64_type(),
        DType::I8 => make_i8_type(),
        DType::I16 => make_i16_type(),
        DType::I32 => make_i32_type(),
        DType::I64 => make_i64_type(),
        DType::F16 => Datatype::FloatingPoint {
            size: 2,
            byte_order: DatatypeByteOrder::LittleEndian,
            layout: FloatingPointLayout {
                bit_offset: 0,
                bit_precision: 16,
                exponent_location: 10,
                exponent_size: 5,
                mantissa_location: 0,
                mantissa_size: 10,
                exponent_bias: 15,
            },
        },
        // As Keras does it: bytes without a type, which an attribute names.
        DType::Bf16 => Datatype::Opaque { size: 2, tag: Vec::new() },
        DType::F32 => make_f32_type(),
        DType::F64 => make_f64_type(),
        _ => return Err(Error::unsupported(format!("`{dtype}` elements cannot be written to an HDF5 file"))),
    })
}

fn attribute(value: Attribute) -> AttrValue {
    match value {
        // As h5py stores a Python `str`, and a NumPy array of bytes.
        Attribute::Text(text) => AttrValue::VarLenString(text),
        Attribute::Texts(texts) if texts.iter().all(|text| text.is_ascii()) => AttrValue::AsciiStringArray(texts),
        Attribute::Texts(texts) => AttrValue::StringArray(texts),
        Attribute::Ints(numbers) if numbers.len() == 1 => AttrValue::I64(numbers[0]),
        Attribute::Ints(numbers) => AttrValue::I64Array(numbers),
        Attribute::Floats(numbers) if numbers.len() == 1 => AttrValue::F64(numbers[0]),
        Attribute::Floats(numbers) => AttrValue::F64Array(numbers),
    }
}

fn unwritable(error: hdf5_pure::Error) -> Error {
    Error::file(format!("the HDF5 file cannot be written: {error}")).caused_by(error)
}
