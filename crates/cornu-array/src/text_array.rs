//! Texts in a shape, beside numbers in one: what goes into a model, and may come out of it.

use std::fmt;

use crate::{Array, DType, Error, Result, Shape, Texts};

/// Texts in a shape, all of them there.
///
/// ```
/// use cornu_array::{AnyArray, ToArray};
///
/// let texts = [["good", "film"], ["bad", "film"]].to_any()?;
/// let AnyArray::Texts(texts) = texts else { unreachable!("these are texts") };
/// assert_eq!((texts.shape().to_string(), texts.get(2)), ("[2,2]".into(), "bad"));
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct TextArray {
    shape: Shape,
    texts: Texts,
}

impl TextArray {
    /// Those texts, the last axis first.
    ///
    /// # Errors
    /// There must be as many as the shape has places, and none may be missing.
    pub fn new(shape: impl Into<Shape>, texts: Texts) -> Result<TextArray> {
        let shape = shape.into();
        if texts.len() != shape.size() {
            return Err(Error::data(format!("shape {shape} needs {} texts, got {}", shape.size(), texts.len())));
        }
        match texts.present().and_then(|present| present.iter().position(|is| !is)) {
            None => Ok(TextArray { shape, texts }),
            Some(at) => {
                let row = at / (shape.size() / shape.first().copied().unwrap_or(1).max(1)).max(1);
                let error = Error::data(format!("needs texts, got a missing one in row {row}"));
                Err(error.help("put a text in its place, such as `\"\"`: a column has `fillna`"))
            }
        }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text at that place, counted along the last axis first.
    ///
    /// # Panics
    /// If `position` is not below [`TextArray::len`].
    pub fn get(&self, position: usize) -> &str {
        self.texts.get(position).unwrap_or_default()
    }

    /// All of them, along the last axis first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.texts.iter().map(Option::unwrap_or_default)
    }

    /// The same texts in another shape.
    ///
    /// # Errors
    /// It must have as many places.
    pub fn reshape(self, shape: impl Into<Shape>) -> Result<TextArray> {
        TextArray::new(shape, self.texts)
    }

    /// Those rows.
    ///
    /// # Panics
    /// If a row is not there.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> TextArray {
        let shape = self.shape.with(0, rows.len());
        let size = self.shape[1..].iter().product::<usize>();
        let places: Vec<usize> = rows.iter().flat_map(|row| row * size..(row + 1) * size).collect();
        TextArray { shape, texts: self.texts.take(&places) }
    }
}

impl fmt::Debug for TextArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "texts{} ", self.shape)?;
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Numbers or texts.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyArray {
    /// Numbers.
    Numbers(Array),
    /// Texts.
    Texts(TextArray),
}

impl AnyArray {
    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        match self {
            AnyArray::Numbers(array) => array.shape(),
            AnyArray::Texts(texts) => texts.shape(),
        }
    }

    /// Of what its elements are.
    pub fn kind(&self) -> DataKind {
        match self {
            AnyArray::Numbers(array) => DataKind::Numbers(array.dtype()),
            AnyArray::Texts(_) => DataKind::Texts,
        }
    }

    /// The numbers, if it is such.
    pub fn numbers(&self) -> Option<&Array> {
        match self {
            AnyArray::Numbers(array) => Some(array),
            AnyArray::Texts(_) => None,
        }
    }

    /// The texts, if it is such.
    pub fn texts(&self) -> Option<&TextArray> {
        match self {
            AnyArray::Numbers(_) => None,
            AnyArray::Texts(texts) => Some(texts),
        }
    }

    /// The same in another shape.
    ///
    /// # Errors
    /// It must have as many places.
    pub fn reshape(self, shape: impl Into<Shape>) -> Result<AnyArray> {
        Ok(match self {
            AnyArray::Numbers(array) => AnyArray::Numbers(array.reshape(shape)?),
            AnyArray::Texts(texts) => AnyArray::Texts(texts.reshape(shape)?),
        })
    }

    /// Those rows.
    ///
    /// # Panics
    /// If a row is not there.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> AnyArray {
        match self {
            AnyArray::Numbers(array) => AnyArray::Numbers(array.rows(rows)),
            AnyArray::Texts(texts) => AnyArray::Texts(texts.rows(rows)),
        }
    }
}

/// Of what the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Numbers of that type.
    Numbers(DType),
    /// Texts: Keras's `string`.
    Texts,
}

impl DataKind {
    /// The name in Keras's files and messages: `float32`, `string`.
    pub fn keras_name(self) -> &'static str {
        match self {
            DataKind::Numbers(dtype) => dtype.keras_name(),
            DataKind::Texts => "string",
        }
    }

    /// The kind of that Keras name.
    pub fn from_keras_name(name: &str) -> Option<DataKind> {
        if name == "string" { Some(DataKind::Texts) } else { DType::from_keras_name(name).map(DataKind::Numbers) }
    }

    /// The type of numbers, if it is such.
    pub fn dtype(self) -> Option<DType> {
        match self {
            DataKind::Numbers(dtype) => Some(dtype),
            DataKind::Texts => None,
        }
    }
}

#[test]
fn texts_in_rows_are_arrays() {
    use crate::ToArray;
    let any = vec![vec!["a".to_owned(), "b".into()], vec!["ä".into(), String::new()]].to_any().expect("texts");
    assert_eq!((any.kind(), any.shape().to_string()), (DataKind::Texts, "[2,2]".into()));
    assert_eq!(any.rows(&[1, 1, 0]).texts().expect("texts").iter().collect::<Vec<_>>(), ["ä", "", "ä", "", "a", "b"]);
    let error = [["a"], ["b"]].to_array().expect_err("no numbers");
    assert_eq!(error.message(), "needs numbers, got texts");
    let ragged = [vec!["a"], vec!["b", "c"]].to_any().expect_err("rows of two lengths");
    assert_eq!(ragged.message(), "row 1: needs 1 elements as the first row, got 2");
    let missing = TextArray::new([2, 2], [Some("a"), Some("b"), Some("c"), None].into_iter().collect());
    assert_eq!(missing.expect_err("one is missing").message(), "needs texts, got a missing one in row 1");
    assert_eq!(format!("{:?}", any.rows(&[0]).texts().expect("texts")), "texts[1,2] [\"a\", \"b\"]");
    assert_eq!(DataKind::from_keras_name("string").map(DataKind::keras_name), Some("string"));
}
