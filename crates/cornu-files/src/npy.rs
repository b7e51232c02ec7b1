//! NumPy's `.npy` (one array) and `.npz` (a zip archive of them).
//!
//! The header of an `.npy` file is a Python dictionary in text form; it is parsed, never evaluated.

use std::path::Path;

use cornu_array::{Array, Context, DType, Error, Result, Shape, nearest};

use crate::element::{Order, decode, encode};
use crate::members::{self, Members};
use crate::{atomic, h5};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes of a header; only one of records with many fields could be longer.
const LONGEST_HEADER: usize = 1 << 16;

/// Axes that an array may have, as in NumPy.
const MOST_AXES: usize = 64;

/// Reads one `.npy` array. Half precision is read as `f32`.
///
/// # Errors
/// The elements must be numbers or booleans, as many as the shape says; texts and Python objects are refused.
pub fn read(bytes: &[u8]) -> Result<Array> {
    let (header, length) = Header::of(bytes)?;
    let data = &bytes[length..];
    let data = header.needed().and_then(|needed| data.get(..needed));
    let data = data.ok_or_else(|| header.cut_short((bytes.len() - length) as u64))?;
    if !header.fortran_order {
        return decode(header.dtype, header.order, header.shape, data);
    }
    let reversed: Shape = header.shape.iter().rev().copied().collect();
    Ok(transpose(&decode(header.dtype, header.order, reversed, data)?))
}

/// Reads an `.npy` file.
///
/// # Errors
/// As [`read`]; and the file must exist and be readable.
pub fn open(path: impl AsRef<Path>) -> Result<Array> {
    let path = path.as_ref();
    let bytes = atomic::read(path).map_err(|error| h5::unreadable(&error));
    bytes.and_then(|bytes| read(&bytes)).context(format_args!("`{}`", path.display()))
}

/// The bytes of an `.npy` file: format 1.0, little-endian, in C order.
pub fn to_bytes(array: &Array) -> Vec<u8> {
    let descr = match array.dtype() {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        // As NumPy calls elements that are not its own.
        DType::Bf16 => "<V2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        _ => unreachable!("every element type is above"),
    };
    let sizes: Vec<String> = array.shape().iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let shape = sizes.join(", ");
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}{comma}), }}");
    // Ten bytes stand before the header; the data starts at a multiple of 64, after a newline.
    let padding = 63 - (10 + header.len()) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    bytes.extend(encode(array));
    bytes
}

/// Writes an `.npy` file in one step.
///
/// # Errors
/// As [`atomic::write`].
pub fn save(path: impl AsRef<Path>, array: &Array) -> Result<()> {
    atomic::write(path, &to_bytes(array))
}

/// The arrays of an `.npz` file, by name. Each is inflated and decoded when it is asked for, so that an array of texts
/// does not keep the others from being read.
pub struct Npz {
    members: Members,
}

impl std::fmt::Debug for Npz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Npz {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// The bytes must be a zip archive, whole and not larger inside than what is stored allows.
    pub fn read(bytes: &[u8]) -> Result<Npz> {
        Npz::of_bytes(bytes.to_vec())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Npz::read`]; and the file must exist and be readable.
    pub fn open(path: impl AsRef<Path>) -> Result<Npz> {
        let path = path.as_ref();
        let bytes = atomic::read(path).map_err(|error| h5::unreadable(&error));
        bytes.and_then(Npz::of_bytes).context(format_args!("`{}`", path.display()))
    }

    fn of_bytes(bytes: Vec<u8>) -> Result<Npz> {
        Ok(Npz { members: Members::read(bytes, members::MOST_INFLATION)? })
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.members.names().iter().filter(|name| !name.ends_with('/'));
        files.map(|name| name.strip_suffix(".npy").unwrap_or(name))
    }

    /// The array of that name.
    ///
    /// # Errors
    /// There must be one, and [`read`] must be able to read it.
    pub fn array(&self, name: &str) -> Result<Array> {
        let known = |known: &&String| known.strip_suffix(".npy").unwrap_or(known) == name;
        let member = self.members.names().iter().find(known).ok_or_else(|| {
            let error = Error::file(format!("the `.npz` file has no array `{name}`"));
            match nearest(name, self.names()) {
                Some(near) => error.help(format!("the nearest name is `{near}`")),
                None => error.help(format!("it has `{}`", self.names().take(10).collect::<Vec<_>>().join("`, `"))),
            }
        })?;
        self.numbers(member).context(format_args!("array `{name}`"))
    }

    /// Looks at the header before the elements are inflated: they may be a thousand times what is stored.
    fn numbers(&self, member: &str) -> Result<Array> {
        let start = self.members.start(member, LONGEST_HEADER)?;
        let (header, length) = Header::of(&start)?;
        let needed = header.needed().and_then(|needed| needed.checked_add(length));
        let size = self.members.size(member)?;
        if needed.is_none_or(|needed| needed as u64 > size) {
            return Err(header.cut_short(size.saturating_sub(length as u64)));
        }
        drop(start);
        read(&self.members.bytes(member)?)
    }
}

/// The bytes of an `.npz` file, its members deflated as by `numpy.savez_compressed` if `compress`, else stored as by
/// `numpy.savez`.
///
/// # Errors
/// The names must be unique.
pub fn npz_to_bytes<'a>(arrays: impl IntoIterator<Item = (&'a str, &'a Array)>, compress: bool) -> Result<Vec<u8>> {
    let files: Vec<(String, Vec<u8>)> =
        arrays.into_iter().map(|(name, array)| (format!("{name}.npy"), to_bytes(array))).collect();
    members::write(files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])), compress)
}

/// Writes an `.npz` file in one step.
///
/// # Errors
/// As [`npz_to_bytes`] and [`atomic::write`].
pub fn save_npz<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a Array)>,
    compress: bool,
) -> Result<()> {
    atomic::write(path, &npz_to_bytes(arrays, compress)?)
}

/// The array with its axes in reverse order.
fn transpose(array: &Array) -> Array {
    let (to, strides) = (array.shape().iter().rev().copied().collect::<Shape>(), array.shape().strides());
    let mut index = vec![0; to.rank()];
    array.pick(to.clone(), |_| {
        let place = index.iter().rev().zip(&strides).map(|(i, stride)| i * stride).sum();
        for axis in (0..to.rank()).rev() {
            index[axis] += 1;
            if index[axis] < to[axis] {
                break;
            }
            index[axis] = 0;
        }
        place
    })
}

/// What the header of an `.npy` file says.
#[derive(Debug, PartialEq)]
struct Header {
    dtype: DType,
    order: Order,
    fortran_order: bool,
    shape: Shape,
}

impl Header {
    /// The header at the start of a file, and where the elements begin.
    fn of(bytes: &[u8]) -> Result<(Header, usize)> {
        if !bytes.starts_with(MAGIC) {
            return Err(Error::file("this is not an `.npy` file: it does not start with the signature of one"));
        }
        let short = || Error::file("the `.npy` file ends within its header").help("copy or download it again");
        // Version 1 gives the length of the header in two bytes, versions 2 and 3 in four.
        let (length, rest) = match &bytes[MAGIC.len()..] {
            [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
            [1..=3, ..] | [] => return Err(short()),
            [version, ..] => {
                return Err(Error::unsupported(format!("version {version} of the `.npy` format is not known")));
            }
        };
        let (header, data) = rest.split_at_checked(length.min(LONGEST_HEADER)).ok_or_else(short)?;
        let header =
            std::str::from_utf8(header).map_err(|_| Error::file("the header of the `.npy` file is not text"))?;
        Ok((Header::parse(header)?, bytes.len() - data.len()))
    }

    /// Bytes of all elements.
    fn needed(&self) -> Option<usize> {
        self.shape.checked_size().and_then(|len| len.checked_mul(self.dtype.size()))
    }

    fn cut_short(&self, stored: u64) -> Error {
        let shape = &self.shape;
        Error::file(format!("the `.npy` file is cut short: {stored} bytes are stored for shape {shape}"))
            .help("copy or download it again")
    }

    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, the keys in any order.
    fn parse(text: &str) -> Result<Header> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        let mut rest = Text(text.trim());
        rest.expect("{")?;
        while !rest.take("}") {
            let key = rest.quoted()?;
            rest.expect(":")?;
            match key {
                "descr" => descr = Some(rest.element()?),
                "fortran_order" => fortran_order = Some(rest.truth()?),
                "shape" => shape = Some(rest.shape()?),
                other => return Err(rest.wrong(&format!("the unknown key `{other}`"))),
            }
            if !rest.take(",") {
                rest.expect("}")?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some((dtype, order)), Some(fortran_order), Some(shape)) if rest.0.is_empty() => {
                Ok(Header { dtype, order, fortran_order, shape })
            }
            _ => Err(rest.wrong("missing keys or something after the end")),
        }
    }
}

/// What is left of a header.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn wrong(&self, found: &str) -> Error {
        Error::file(format!("the header of the `.npy` file is not what NumPy writes: it has {found}"))
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.0.strip_prefix(token).map(str::trim_start);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.wrong(&format!("no `{token}` where one is needed"))) }
    }

    fn quoted(&mut self) -> Result<&'a str> {
        let quote = if self.0.starts_with('"') { '"' } else { '\'' };
        let parts = self.0.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
        let (text, rest) = parts.ok_or_else(|| self.wrong("no quoted text where one is needed"))?;
        self.0 = rest.trim_start();
        Ok(text)
    }

    fn truth(&mut self) -> Result<bool> {
        if self.take("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }

    fn shape(&mut self) -> Result<Shape> {
        self.expect("(")?;
        let mut sizes = Vec::new();
        while !self.take(")") {
            let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (digits, rest) = self.0.split_at(end);
            if sizes.len() == MOST_AXES {
                return Err(self.wrong("more axes than an array has"));
            }
            sizes.push(digits.parse().map_err(|_| self.wrong("a shape that is not made of whole numbers"))?);
            self.0 = rest.trim_start();
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(sizes.into())
    }

    fn element(&mut self) -> Result<(DType, Order)> {
        if self.0.starts_with('[') {
            return Err(Error::unsupported("the elements are records of several fields")
                .help("save each field as an array of its own"));
        }
        let descr = self.quoted()?;
        let order = if descr.starts_with('>') { Order::Big } else { Order::Little };
        let dtype = match descr.trim_start_matches(['<', '>', '|', '=']) {
            "b1" | "?" => DType::Bool,
            "i1" => DType::I8,
            "u1" => DType::U8,
            "i2" => DType::I16,
            "u2" => DType::U16,
            "i4" => DType::I32,
            "u4" => DType::U32,
            "i8" => DType::I64,
            "u8" => DType::U64,
            "f2" => DType::F16,
            // Two bytes without a name: NumPy writes so what has the type `bfloat16` of ml_dtypes.
            "V2" => DType::Bf16,
            "f4" => DType::F32,
            "f8" => DType::F64,
            kind => return Err(refused(descr, kind)),
        };
        Ok((dtype, order))
    }
}

fn refused(descr: &str, kind: &str) -> Error {
    let (what, help) = match kind.as_bytes().first() {
        Some(b'U' | b'S' | b'a') => ("texts", "turn the texts into numbers first: class numbers, or word numbers"),
        Some(b'O') => ("Python objects", "an object can hold a program, so it is never read; save numbers"),
        Some(b'c') => ("complex numbers", "save the real and the imaginary part as two arrays"),
        Some(b'M' | b'm') => ("dates or durations", "save them as numbers, such as `dates.astype(\"int64\")`"),
        _ => ("of a kind that is not known here", "save them as `float32` or `int64`"),
    };
    Error::unsupported(format!("the elements are {what} (`{descr}`)")).help(help)
}

#[cfg(test)]
mod tests {
    use cornu_array::{Bf16, F16};

    use super::*;

    fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn fortran_order_is_turned_round() {
        let array = read(&npy("'|u1'", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array, Array::new([2, 3], vec![1u8, 2, 3, 4, 5, 6]).unwrap());
        let data: Vec<u8> = (0..24).collect();
        let array = read(&npy("'|u1'", "True", "(2, 3, 4)", &data)).unwrap();
        // In Fortran order the element at [i, j, k] is number i + 2j + 6k.
        let want: Vec<u8> = (0..24).map(|n| n / 12 + 2 * (n / 4 % 3) + 6 * (n % 4)).collect();
        assert_eq!(array, Array::new([2, 3, 4], want).unwrap());
    }

    #[test]
    fn both_byte_orders_and_half_precision_are_read() {
        let big = [1.5f32.to_be_bytes(), (-2.0f32).to_be_bytes()].concat();
        assert_eq!(read(&npy("'>f4'", "False", "(2,)", &big)).unwrap(), Array::vector(vec![1.5f32, -2.0]));
        assert_eq!(read(&npy("'<f2'", "False", "()", &[0, 0x3c])).unwrap(), Array::scalar(F16::from_f64(1.0)));
        assert_eq!(read(&npy("'<V2'", "False", "()", &[0x80, 0x3f])).unwrap(), Array::scalar(Bf16::from_f64(1.0)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let cases: &[(Vec<u8>, &str)] = &[
            (npy("'<U5'", "False", "(1,)", &[0; 20]), "the elements are texts (`<U5`)"),
            (npy("'|S3'", "False", "(1,)", &[0; 3]), "the elements are texts (`|S3`)"),
            (npy("'|O'", "False", "(1,)", &[]), "the elements are Python objects (`|O`)"),
            (npy("'<c8'", "False", "(1,)", &[0; 8]), "the elements are complex numbers"),
            (npy("[('a', '<f4')]", "False", "(1,)", &[0; 4]), "the elements are records"),
            (npy("'<f4'", "False", "(3,)", &[0; 11]), "cut short: 11 bytes are stored for shape [3]"),
            (npy("'<f4'", "False", "(99999999999, 99999999999)", &[0; 11]), "cut short"),
            (npy("'<f4'", "False", "(-1,)", &[0; 4]), "a shape that is not made of whole numbers"),
            (npy("'<f4'", "__import__('os')", "(1,)", &[0; 4]), "no `False` where one is needed"),
            (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "ends within its header"),
            (b"\x93NUMPY\x09\x00".to_vec(), "version 9"),
            (b"not".to_vec(), "not an `.npy` file"),
        ];
        for (bytes, problem) in cases {
            let error = read(bytes).unwrap_err();
            assert!(error.message().contains(problem), "{error} should say: {problem}");
        }
    }

    #[test]
    fn the_header_is_padded_as_numpy_pads_it() {
        let bytes = to_bytes(&Array::new([1, 3], vec![1.0f32, 2.0, 3.0]).unwrap());
        assert_eq!(bytes.len(), 128 + 12);
        assert!(bytes[..128].ends_with(b" \n"));
        assert_eq!(&bytes[10..68], b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), ");
    }
}
