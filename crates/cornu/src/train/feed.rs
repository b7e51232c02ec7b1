//! Data on its way into a step: checked shapes, Keras's element types, and rows picked without copies in between.

use cornu_graph::{Array, Buffer, DType, Error, Feed, Result, Type};

use crate::data::ToArray;

/// Features, and labels and weights if there are any, with the same number of rows.
pub(crate) struct Data {
    pub(crate) x: Array,
    pub(crate) y: Option<Array>,
    pub(crate) weights: Option<Array>,
}

impl Data {
    /// Data to predict from.
    pub(crate) fn features(x: &(impl ToArray + ?Sized)) -> Result<Data> {
        Ok(Data { x: column(x.to_array()?, "x")?, y: None, weights: None })
    }

    /// Data to train on or to evaluate with.
    pub(crate) fn labelled(x: &(impl ToArray + ?Sized), y: &(impl ToArray + ?Sized)) -> Result<Data> {
        let data = Data::features(x)?;
        let y = column(y.to_array()?, "y")?;
        let (rows, labels) = (data.rows(), y.shape()[0]);
        if rows != labels {
            let message = format!("`x` and `y` need the same number of rows, got {rows} and {labels}");
            return Err(Error::data(message).help("each row of `x` is one sample, and `y` has its label"));
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
    pub(crate) fn take(&self, rows: &[usize]) -> Data {
        let take = |array: &Option<Array>| array.as_ref().map(|array| array.rows(rows));
        Data { x: self.x.rows(rows), y: take(&self.y), weights: take(&self.weights) }
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
    let shape = array.shape().clone();
    // One loop for each type that large arrays come in: a cast goes through `f64` element by element.
    let cast = match (array.buffer(), dtype) {
        _ if array.dtype() == dtype => return Ok(array),
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
    assert_eq!(data.types(1), [Type::f32([1, 2]), Type::new(DType::I64, [1, 1])]);
    let error = Data::labelled(&[0.5, 1.0], &[1]).err().expect("two rows against one");
    assert_eq!(error.message(), "`x` and `y` need the same number of rows, got 2 and 1");
    let error = data.weighted(Some(&Array::vector(vec![1.0f64]))).err().expect("one weight for two rows");
    assert_eq!(error.message(), "`sample_weight` needs one weight for each of 2 rows, got [1]");
}
