//! Data on its way into a step: checked shapes, Keras's element types, and rows picked without copies in between.

use cornu_graph::{AN_ARRAY, Array, Buffer, DType, Error, Feed, Result, ToArray, Type};

use cornu_graph::room::{self, room};

/// What has no room, if there are too many rows.
pub(crate) const ORDER: &str = "the order of the rows";

/// Features, and labels and weights if there are any, with the same number of rows.
pub(crate) struct Data {
    pub(crate) x: Array,
    pub(crate) y: Option<Array>,
    pub(crate) weights: Option<Array>,
}

impl Data {
    /// Data to predict from.
    pub(crate) fn features(x: impl ToArray) -> Result<Data> {
        Ok(Data { x: column(x.into_array()?, "x")?, y: None, weights: None })
    }

    /// Data to train on or to evaluate with.
    pub(crate) fn labelled(x: impl ToArray, y: impl ToArray) -> Result<Data> {
        let data = Data::features(x)?;
        let y = column(y.into_array()?, "y")?;
        let (rows, labels) = (data.rows(), y.shape()[0]);
        if rows != labels {
            let message = format!("`x` and `y` need the same number of rows, got {rows} and {labels}");
            let transposed = data.x.shape().rank() == 2 && data.x.shape()[1] == labels;
            return Err(Error::data(message).help(match transposed {
                true => "each row of `x` is one sample: turn columns into rows by `x.t()`",
                false => "give `y` one label for each row of `x`",
            }));
        }
        Ok(Data { y: Some(y), ..data })
    }

    /// The same data as a model takes it: features of the type of its input, labels in its precision but for whole
    /// numbers, which keep their type until the loss.
    pub(crate) fn typed(self, input: DType) -> Result<Data> {
        let floats = if input == DType::F64 { input } else { DType::F32 };
        let y = self.y.map(|y| if y.dtype().is_float() { cast(y, floats, "y") } else { Ok(y) });
        Ok(Data { x: cast(self.x, input, "x")?, y: y.transpose()?, weights: self.weights })
    }

    /// The same data, each row with a weight.
    pub(crate) fn weighted(mut self, weights: Option<&Array>) -> Result<Data> {
        let Some(weights) = weights else { return Ok(self) };
        if weights.len() != self.rows() || weights.shape().first() != Some(&self.rows()) {
            let got = weights.shape();
            return Err(Error::data(format!(
                "`sample_weight` needs one weight for each of {} rows, got {got}",
                self.rows()
            )));
        }
        if let Some(row) = (0..weights.len()).find(|&row| weights.get(row) < 0.0) {
            let got = weights.get(row);
            return Err(Error::data(format!("`sample_weight` needs weights of 0 or more, got {got} in row {row}")));
        }
        self.weights = Some(cast(weights.clone(), DType::F32, "sample_weight")?.reshape([self.rows()])?);
        Ok(self)
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.x.shape()[0]
    }

    /// The rows of each batch, if `size` leaves no shorter last one.
    pub(crate) fn one_size(&self, size: usize) -> Option<usize> {
        self.rows().is_multiple_of(size).then_some(size)
    }

    /// Some of the rows, as data of their own.
    pub(crate) fn take(&self, rows: &[usize]) -> Result<Data> {
        let take = |array: &Array| {
            let sizes = [array.shape().with(0, rows.len()).size(), array.dtype().size()];
            room::<u8>("the split of the rows", &sizes)?;
            Ok(array.rows(rows))
        };
        let maybe = |array: &Option<Array>| array.as_ref().map(take).transpose();
        Ok(Data { x: take(&self.x)?, y: maybe(&self.y)?, weights: maybe(&self.weights)? })
    }

    /// All rows, from the first on.
    pub(crate) fn order(&self) -> Result<Vec<usize>> {
        let mut order = room::empty(ORDER, self.rows())?;
        order.extend(0..self.rows());
        Ok(order)
    }

    fn arrays(&self) -> impl Iterator<Item = &Array> {
        std::iter::once(&self.x).chain(&self.y).chain(&self.weights)
    }

    /// What a step is given for those rows.
    pub(crate) fn feeds<'a>(&'a self, rows: &'a [usize]) -> Feeds<'a> {
        Feeds::gather(self.arrays().map(|array| Feed::Rows(array, rows)))
    }

    /// What a step is given for all rows at once.
    pub(crate) fn whole(&self) -> Feeds<'_> {
        Feeds::gather(self.arrays().map(Feed::Whole))
    }

    /// What the inputs of a step over `rows` rows are.
    pub(crate) fn types(&self, rows: usize) -> Vec<Type> {
        self.arrays().map(|array| Type::new(array.dtype(), array.shape().with(0, rows))).collect()
    }

    /// Whether these are [`Data::types`], found without an allocation, as it is asked for each batch.
    pub(crate) fn has(&self, types: &[Type], rows: usize) -> bool {
        let fits = |(array, ty): (&Array, &Type)| {
            array.dtype() == ty.dtype && array.shape()[1..] == ty.shape[1..] && ty.shape[0] == rows
        };
        self.arrays().count() == types.len() && self.arrays().zip(types).all(fits)
    }
}

/// Up to three feeds, without an allocation.
pub(crate) struct Feeds<'a>([Option<Feed<'a>>; 3]);

impl<'a> Feeds<'a> {
    fn gather(feeds: impl Iterator<Item = Feed<'a>>) -> Feeds<'a> {
        let mut all = [None; 3];
        all.iter_mut().zip(feeds).for_each(|(place, feed)| *place = Some(feed));
        Feeds(all)
    }

    /// Calls `body` with the feeds as a slice.
    pub(crate) fn with<T>(&self, body: impl FnOnce(&[Feed]) -> T) -> T {
        match self.0 {
            [Some(x), None, _] => body(&[x]),
            [Some(x), Some(y), None] => body(&[x, y]),
            [Some(x), Some(y), Some(weights)] => body(&[x, y, weights]),
            [None, ..] => body(&[]),
        }
    }
}

/// Numbers as another type: fractions are rounded to floats once, as Keras does before training.
///
/// # Errors
/// A number beyond the range of the type, or one that a type of whole numbers cannot hold.
fn cast(array: Array, dtype: DType, name: &str) -> Result<Array> {
    if array.dtype() == dtype {
        return Ok(array);
    }
    room::<u8>(AN_ARRAY, &[array.len(), dtype.size()])?;
    let shape = array.shape().clone();
    // One loop for each type that large arrays come in: a cast goes through `f64` element by element.
    let cast = match (array.buffer(), dtype) {
        (Buffer::F64(data), DType::F32) => Array::new(shape, data.iter().map(|&x| x as f32).collect()),
        (Buffer::U8(data), DType::F32) => Array::new(shape, data.iter().map(|&x| f32::from(x)).collect()),
        _ => Ok(Array::from_fn(&Type::new(dtype, shape), |i| array.get(i))),
    }?;
    let changed = |at: &usize| match (array.get(*at), cast.get(*at)) {
        (was, is) if dtype.is_float() => was.is_finite() && !is.is_finite(),
        (was, is) => was != is,
    };
    // Whole blocks first: adding up what is not finite is not, and additions vectorise.
    let suspect = match cast.as_slice::<f32>() {
        Some(data) => data.chunks(1024).any(|block| !block.iter().sum::<f32>().is_finite()),
        None => true,
    };
    let Some(at) = (0..cast.len()).filter(|_| suspect).find(changed) else { return Ok(cast) };
    let (got, row) = (array.get(at), at / (array.len() / array.shape().first().copied().unwrap_or(1)).max(1));
    let needed = match dtype {
        DType::F32 => "numbers within the range of `f32`".into(),
        dtype => format!("numbers that the input's type `{}` can hold", dtype.keras_name()),
    };
    Err(Error::data(format!("`{name}` needs {needed}, got {got:?} in row {row}")))
}

/// A row of numbers as a column; anything with rows as it is.
fn column(array: Array, name: &str) -> Result<Array> {
    match array.shape().rank() {
        0 => Err(Error::data(format!("`{name}` needs rows, got a single number")).help("give a list with one element")),
        1 => {
            let rows = array.len();
            array.reshape([rows, 1])
        }
        _ => Ok(array),
    }
}

#[test]
fn rows_become_columns_and_only_features_become_floats() {
    let data = Data::labelled(&[[0.5, 1.5], [2.5, 3.5]], &[0i64, 1]).and_then(|data| data.typed(DType::F32));
    let data = data.expect("two rows each");
    let types = [Type::f32([1, 2]), Type::new(DType::I64, [1, 1])];
    assert_eq!(data.types(1), types);
    assert!(data.has(&types, 1) && !data.has(&types, 2) && !data.has(&types[..1], 1));
    assert!(
        !data.has(&[Type::f32([1, 2]), Type::f32([1, 1])], 1) && !data.has(&[Type::f32([1, 3]), types[1].clone()], 1)
    );
    let error = Data::labelled(&[0.5, 1.0], &[1]).err().expect("two rows against one");
    assert_eq!(error.message(), "`x` and `y` need the same number of rows, got 2 and 1");
    let error = data.weighted(Some(&Array::vector(vec![1.0f64]))).err().expect("one weight for two rows");
    assert_eq!(error.message(), "`sample_weight` needs one weight for each of 2 rows, got [1]");
}
