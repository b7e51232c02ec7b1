//! Tables as data frames of polars, and back: for what a data-frame library is for, grouping, joining, reshaping.

use std::collections::HashMap;
use std::sync::Arc;

use cornu_array::{Context, Error, Result};
use polars_arrow::array::{ArrayRef, BooleanArray, PrimitiveArray, Utf8Array};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, TimeUnit as ArrowUnit};
use polars_arrow::offset::OffsetsBuffer;
use polars_arrow::types::NativeType;
use polars_buffer::Buffer;
use polars_core::chunked_array::ChunkedArray;
use polars_core::datatypes::{
    Categories, DataType, Float32Type, Float64Type, FrozenCategories, Int64Type, PlSmallStr, PolarsNumericType,
    TimeUnit,
};
use polars_core::error::PolarsError;
use polars_core::frame::DataFrame;
use polars_core::series::Series;

use super::{Category, Column, NAT, Scalar, Table, Texts, Values};

impl Table {
    /// The table as a data frame of polars 0.55. Numbers, dates and the bytes of texts are shared with the table, not
    /// copied; what is missing is null. Row labels stay behind, as in `polars.from_pandas`; ordered categories become
    /// an `Enum`, others a `Categorical`.
    ///
    /// # Errors
    /// A column of values of several kinds has no type there.
    pub fn to_polars(&self) -> Result<DataFrame> {
        let column = |column: &Column| {
            let place = format!("column `{}`", column.name());
            Ok(series(column.name(), &column.values).context(place)?.into())
        };
        let columns = self.columns().iter().map(column).collect::<Result<Vec<_>>>()?;
        DataFrame::new(self.rows(), columns).map_err(refused)
    }

    /// The table of a data frame of polars 0.55, its rows labelled 0, 1, 2, …. Doubles, singles, `i64` and times in
    /// microseconds that nobody else holds are moved, the rest is copied. Nulls are missing values: whole numbers with
    /// nulls become floats, as in pandas.
    ///
    /// # Errors
    /// Columns of a type without a counterpart (lists, structs, decimals, bytes, times with a zone), values that do
    /// not fit.
    pub fn from_polars(frame: DataFrame) -> Result<Table> {
        let rows = frame.height();
        let column = |column: polars_core::frame::column::Column| {
            let series = column.take_materialized_series();
            let name = series.name().to_string();
            let values = values(series).context(format!("column `{name}`"))?;
            Ok(Column::new(name, values))
        };
        let columns = frame.into_columns().into_iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Table::from_columns(columns)?.with_index(super::Index::range(rows)))
    }
}

fn refused(error: PolarsError) -> Error {
    Error::data(error.to_string()).caused_by(error)
}

/// Memory of a column, which it keeps alive as long as polars looks at it.
struct Shared<T: 'static>(Arc<Values>, fn(&Values) -> &[T]);

impl<T> AsRef<[T]> for Shared<T> {
    fn as_ref(&self) -> &[T] {
        (self.1)(&self.0)
    }
}

fn shared<T: 'static>(values: &Arc<Values>, part: fn(&Values) -> &[T]) -> Buffer<T> {
    Buffer::from_owner(Shared(Arc::clone(values), part))
}

fn floats(values: &Values) -> &[f64] {
    if let Values::Float(values) = values { values } else { &[] }
}

fn singles(values: &Values) -> &[f32] {
    if let Values::Float32(values) = values { values } else { &[] }
}

fn whole(values: &Values) -> &[i64] {
    if let Values::Int(values) | Values::Date(values) = values { values } else { &[] }
}

fn offsets(values: &Values) -> &[i64] {
    if let Values::Text(texts) = values { texts.offsets() } else { &[] }
}

fn bytes(values: &Values) -> &[u8] {
    if let Values::Text(texts) = values { texts.bytes().as_bytes() } else { &[] }
}

/// Which values are there; nothing where all are.
fn present(values: impl Iterator<Item = bool>) -> Option<Bitmap> {
    Some(values.collect::<Bitmap>()).filter(|there| there.unset_bits() > 0)
}

fn primitive<T: NativeType>(kind: ArrowDataType, values: Buffer<T>, there: Option<Bitmap>) -> Result<ArrayRef> {
    Ok(PrimitiveArray::try_new(kind, values, there).map_err(refused)?.boxed())
}

fn series(name: &str, values: &Arc<Values>) -> Result<Series> {
    let array = match &**values {
        Values::Float(numbers) => {
            let there = present(numbers.iter().map(|number| !number.is_nan()));
            primitive(ArrowDataType::Float64, shared(values, floats), there)?
        }
        Values::Float32(numbers) => {
            let there = present(numbers.iter().map(|number| !number.is_nan()));
            primitive(ArrowDataType::Float32, shared(values, singles), there)?
        }
        Values::Int(_) => primitive(ArrowDataType::Int64, shared(values, whole), None)?,
        Values::Date(dates) => {
            let kind = ArrowDataType::Timestamp(ArrowUnit::Microsecond, None);
            primitive(kind, shared(values, whole), present(dates.iter().map(|&date| date != NAT)))?
        }
        Values::Bool(truths) => BooleanArray::from_slice(truths).boxed(),
        Values::Truth(truths) => BooleanArray::from(truths.clone()).boxed(),
        Values::Text(texts) => {
            let offsets = OffsetsBuffer::try_from(shared(values, offsets)).map_err(refused)?;
            let there = texts.present().and_then(|there| present(there.iter().copied()));
            let array = Utf8Array::try_new(ArrowDataType::LargeUtf8, offsets, shared(values, bytes), there);
            array.map_err(refused)?.boxed()
        }
        Values::Category(category) => return categorical(name, category),
        Values::Object(_) => {
            let error = Error::unsupported("values of several kinds beside each other have no type in polars");
            return Err(error.help("make them of one kind before: `astype(\"str\")` keeps all of them"));
        }
    };
    Series::try_from((PlSmallStr::from_str(name), array)).map_err(refused)
}

/// Categories of text as polars has them; others are only values there.
fn categorical(name: &str, category: &Category) -> Result<Series> {
    let plain = series(name, &Arc::new(category.plain()))?;
    let Values::Text(texts) = &*category.categories else { return Ok(plain) };
    let kind = if category.ordered {
        DataType::from_frozen_categories(FrozenCategories::new(texts.iter().flatten()).map_err(refused)?)
    } else {
        DataType::from_categories(Categories::global())
    };
    plain.strict_cast(&kind).map_err(refused)
}

/// The numbers of a series, moved where nobody else holds them, with `gap` where there are none.
fn numbers<T: PolarsNumericType>(numbers: ChunkedArray<T>, gap: T::Native) -> Vec<T::Native> {
    let mut all = Vec::new();
    for array in numbers.downcast_into_iter() {
        let (_, buffer, there) = array.into_inner();
        let mut part = buffer.to_vec();
        if let Some(there) = there {
            part.iter_mut().zip(there.iter()).filter(|(_, there)| !there).for_each(|(number, _)| *number = gap);
        }
        if all.is_empty() { all = part } else { all.extend(part) }
    }
    all
}

/// A series without its type, of which nothing else is alive.
fn physical<T: PolarsNumericType>(series: Series) -> Result<ChunkedArray<T>> {
    let own = series.to_physical_repr().into_owned();
    drop(series);
    let array: &ChunkedArray<T> = own.as_ref().as_ref();
    let array = array.clone();
    drop(own);
    Ok(array)
}

fn values(series: Series) -> Result<Values> {
    let kind = series.dtype().clone();
    Ok(match kind {
        DataType::Float64 => Values::Float(numbers(physical::<Float64Type>(series)?, f64::NAN)),
        DataType::Float32 => Values::Float32(numbers(physical::<Float32Type>(series)?, f32::NAN)),
        DataType::Int64 if series.null_count() == 0 => Values::Int(numbers(physical::<Int64Type>(series)?, 0)),
        kind if kind.is_integer() => integers(&series)?,
        DataType::Boolean => {
            let truths = series.bool().map_err(refused)?;
            let all: Option<Vec<bool>> = truths.iter().collect();
            all.map_or_else(|| Values::Truth(truths.iter().collect()), Values::Bool)
        }
        DataType::String => Values::Text(series.str().map_err(refused)?.iter().collect()),
        DataType::Date => {
            let micros = series.strict_cast(&DataType::Datetime(TimeUnit::Microseconds, None)).map_err(refused)?;
            Values::Date(numbers(physical::<Int64Type>(micros)?, NAT))
        }
        DataType::Datetime(unit, None) => Values::Date(moments(series, unit)?),
        DataType::Categorical(..) => category(&series, None)?,
        DataType::Enum(ref categories, _) => category(&series, Some(categories))?,
        DataType::Null => Values::Object(vec![Scalar::Missing; series.len()]),
        other => {
            let error = Error::unsupported(format!("values of polars' type `{other}` have no counterpart in a table"));
            return Err(error.help("cast the column before, or drop it"));
        }
    })
}

/// Whole numbers of any width, which nulls make floats.
fn integers(series: &Series) -> Result<Values> {
    let whole = series.strict_cast(&DataType::Int64).map_err(refused)?;
    if whole.null_count() == 0 {
        return Ok(Values::Int(numbers(physical::<Int64Type>(whole)?, 0)));
    }
    let whole = whole.i64().map_err(refused)?;
    Ok(Values::Float(whole.iter().map(|number| number.map_or(f64::NAN, |number| number as f64)).collect()))
}

fn moments(series: Series, unit: TimeUnit) -> Result<Vec<i64>> {
    let mut moments = numbers(physical::<Int64Type>(series)?, NAT);
    let (times, over) = match unit {
        TimeUnit::Milliseconds => (1_000, 1),
        TimeUnit::Microseconds => return Ok(moments),
        TimeUnit::Nanoseconds => (1, 1_000),
    };
    for (row, moment) in moments.iter_mut().enumerate().filter(|(_, moment)| **moment != NAT) {
        let micros = moment.checked_mul(times).filter(|micros| micros % over == 0).ok_or_else(|| {
            let needed = "a time of whole microseconds that fits into 64 bits is needed";
            Error::unsupported(format!("{needed}, got {moment} ({unit}) in row {row}"))
                .help("round the times before: `dt.round(\"1us\")`")
        })?;
        *moment = micros / over;
    }
    Ok(moments)
}

/// Categories in the order of an enumeration, or of their first appearance.
fn category(series: &Series, frozen: Option<&FrozenCategories>) -> Result<Values> {
    let texts = series.cast(&DataType::String).map_err(refused)?;
    let texts = texts.str().map_err(refused)?;
    let mut categories = Texts::default();
    let mut places = HashMap::new();
    let mut place = |text| {
        *places.entry(text).or_insert_with(|| {
            categories.push(Some(text));
            categories.len() as u32 - 1
        })
    };
    frozen.into_iter().flat_map(|frozen| frozen.categories().values_iter()).for_each(|text| {
        place(text);
    });
    let codes = texts.iter().map(|text| text.map(&mut place)).collect();
    let ordered = frozen.is_some();
    Ok(Values::Category(Category { codes, categories: Arc::new(Values::Text(categories)), ordered }))
}

#[cfg(test)]
mod tests {
    use polars_core::datatypes::AnyValue;
    use polars_core::prelude::{IntoSeries, NamedFrom};

    use super::*;

    fn people() -> Table {
        let category = |ordered| Category {
            codes: vec![Some(0), None, Some(1)],
            categories: Arc::new(vec!["b", "a"].into()),
            ordered,
        };
        Table::new([
            ("height", Values::from(vec![1.5, f64::NAN, -0.0])),
            ("single", vec![1.5f32, f32::NAN, 2.0].into()),
            ("n", vec![1i64, i64::MAX, i64::MIN].into()),
            ("yes", vec![true, false, true].into()),
            ("maybe", vec![Some(true), None, Some(false)].into()),
            ("born", Values::Date(vec![0, NAT, -5])),
            ("name", vec![Some("ann"), None, Some("a text of more than twelve bytes")].into()),
            ("town", Values::Category(category(false))),
            ("size", Values::Category(category(true))),
        ])
        .unwrap()
    }

    #[test]
    fn tables_come_back_as_they_went() {
        let table = people();
        let frame = table.to_polars().unwrap();
        assert_eq!(frame.height(), 3);
        assert_eq!(frame.column("height").unwrap().get(1).unwrap(), AnyValue::Null);
        let back = Table::from_polars(frame).unwrap();
        assert_eq!(back, table);
        let kinds = |table: &Table| table.columns().iter().map(|column| column.values().clone()).collect::<Vec<_>>();
        assert_eq!(format!("{:?}", kinds(&back)), format!("{:?}", kinds(&table)));
        let empty = table.select(Vec::<String>::new()).unwrap();
        assert_eq!(Table::from_polars(empty.to_polars().unwrap()).unwrap().shape(), (3, 0));
    }

    #[test]
    fn memory_is_shared_on_the_way_out_and_moved_on_the_way_in() {
        let table = people();
        let frame = table.to_polars().unwrap();
        let there = frame.column("n").unwrap().as_materialized_series().i64().unwrap().cont_slice().unwrap().as_ptr();
        let Values::Int(here) = table.column("n").unwrap().values() else { panic!("whole numbers") };
        assert_eq!(there.addr(), here.as_ptr().addr());
        drop(table);
        assert_eq!(frame.column("n").unwrap().get(1).unwrap(), AnyValue::Int64(i64::MAX));

        let numbers = vec![1.0, 2.0, 3.0];
        let place = numbers.as_ptr().addr();
        let series = ChunkedArray::<Float64Type>::from_vec("x".into(), numbers);
        let column = series.into_series().into();
        let table = Table::from_polars(DataFrame::new(3, vec![column]).unwrap()).unwrap();
        let Values::Float(numbers) = table.columns()[0].values() else { panic!("floats") };
        assert_eq!(numbers.as_ptr().addr(), place);
    }

    #[test]
    fn other_types_are_widened_or_refused_by_name() {
        let table = |series: Series| Table::from_polars(DataFrame::new(series.len(), vec![series.into()]).unwrap());
        let small = Series::new("n".into(), [Some(1u32), None]);
        assert!(
            matches!(table(small).unwrap().columns()[0].values(), Values::Float(n) if n[0] == 1.0 && n[1].is_nan())
        );
        let large = table(Series::new("n".into(), [u64::MAX])).unwrap_err();
        assert!(large.message().starts_with("column `n`: "), "{large}");
        let nanos = Series::new("t".into(), [1_001i64]);
        let nanos = nanos.cast(&DataType::Datetime(TimeUnit::Nanoseconds, None)).unwrap();
        let error = table(nanos).unwrap_err();
        let needed = "a time of whole microseconds that fits into 64 bits is needed";
        assert_eq!(error.message(), format!("column `t`: {needed}, got 1001 (ns) in row 0"));
        let list = Series::new("l".into(), [Series::new("".into(), [1i64])]);
        let error = table(list).unwrap_err();
        assert_eq!(error.message(), "column `l`: values of polars' type `list[i64]` have no counterpart in a table");
    }
}
