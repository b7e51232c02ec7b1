//! Tables as record batches of Arrow, and back. Where both lay out a column alike, its memory is shared or moved.

mod from;
mod pandas;

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int32Array, LargeStringArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, Field, Schema};
use cornu_array::{Context, Error, Result};

use super::{Category, NAT, Table, Values};

impl Table {
    /// The table as a record batch of Arrow. Numbers, dates and the bytes of texts are shared with the table, not
    /// copied; what is missing is null. Row labels that do not count from 0 are a last column, as pyarrow has them.
    ///
    /// # Errors
    /// A column of values of several kinds has no type there.
    pub fn to_arrow(&self) -> Result<RecordBatch> {
        let mut fields = Vec::new();
        let mut arrays = Vec::new();
        let index = (!self.index().is_range()).then(|| (pandas::label_name(self), Arc::new(self.index().values())));
        let columns = self.columns().iter().map(|column| (column.name().to_owned(), Arc::clone(&column.values)));
        for (name, values) in columns.chain(index) {
            let array = array(&values).context(format!("column `{name}`"))?;
            let ordered = matches!(&*values, Values::Category(category) if category.ordered);
            let field = Field::new(name, array.data_type().clone(), true);
            fields.push(field.with_dict_is_ordered(ordered));
            arrays.push(array);
        }
        let schema = Schema::new_with_metadata(fields, pandas::metadata(self));
        let rows = RecordBatchOptions::new().with_row_count(Some(self.rows()));
        RecordBatch::try_new_with_options(Arc::new(schema), arrays, &rows).map_err(|error| refused(&error))
    }
}

/// What Arrow has against some data.
fn refused(error: &ArrowError) -> Error {
    Error::data(error.to_string())
}

/// Memory of a column, which it keeps alive as long as Arrow looks at it.
struct Shared(Arc<Values>, fn(&Values) -> &[u8]);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        (self.1)(&self.0)
    }
}

fn shared(values: &Arc<Values>, part: fn(&Values) -> &[u8]) -> Buffer {
    bytes::Bytes::from_owner(Shared(Arc::clone(values), part)).into()
}

fn elements(values: &Values) -> &[u8] {
    match values {
        Values::Float(values) => bytemuck::cast_slice(values),
        Values::Float32(values) => bytemuck::cast_slice(values),
        Values::Int(values) | Values::Date(values) => bytemuck::cast_slice(values),
        Values::Text(texts) => texts.bytes().as_bytes(),
        Values::Bool(_) | Values::Truth(_) | Values::Category(_) | Values::Object(_) => &[],
    }
}

fn offsets(values: &Values) -> &[u8] {
    if let Values::Text(texts) = values { bytemuck::cast_slice(texts.offsets()) } else { &[] }
}

fn primitive<T: ArrowPrimitiveType>(values: &Arc<Values>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let elements = ScalarBuffer::new(shared(values, elements), 0, values.len());
    Ok(Arc::new(PrimitiveArray::<T>::try_new(elements, nulls).map_err(|error| refused(&error))?))
}

/// Which values are there; nothing where all are.
fn present(values: impl Iterator<Item = bool>) -> Option<NullBuffer> {
    let nulls = NullBuffer::from_iter(values);
    (nulls.null_count() > 0).then_some(nulls)
}

fn array(values: &Arc<Values>) -> Result<ArrayRef> {
    match &**values {
        Values::Float(floats) => primitive::<Float64Type>(values, present(floats.iter().map(|value| !value.is_nan()))),
        Values::Float32(floats) => {
            primitive::<Float32Type>(values, present(floats.iter().map(|value| !value.is_nan())))
        }
        Values::Int(_) => primitive::<Int64Type>(values, None),
        Values::Date(dates) => {
            primitive::<TimestampMicrosecondType>(values, present(dates.iter().map(|&date| date != NAT)))
        }
        Values::Bool(truths) => Ok(Arc::new(BooleanArray::from(truths.clone()))),
        Values::Truth(truths) => Ok(Arc::new(BooleanArray::from(truths.clone()))),
        Values::Text(texts) => {
            let offsets = OffsetBuffer::new(ScalarBuffer::new(shared(values, offsets), 0, texts.len() + 1));
            let nulls = texts.present().and_then(|there| present(there.iter().copied()));
            let array = LargeStringArray::try_new(offsets, shared(values, elements), nulls);
            Ok(Arc::new(array.map_err(|error| refused(&error))?))
        }
        Values::Category(category) => dictionary(category),
        Values::Object(_) => {
            let error = Error::unsupported("values of several kinds beside each other have no type in Arrow");
            Err(error.help("make them of one kind before: `astype(\"str\")` keeps all of them"))
        }
    }
}

fn dictionary(category: &Category) -> Result<ArrayRef> {
    let code = |code: Option<u32>| {
        code.map(|code| i32::try_from(code).map_err(|_| Error::data("more than 2147483647 categories"))).transpose()
    };
    let codes = category.codes.iter().map(|&number| code(number)).collect::<Result<Int32Array>>()?;
    let array = DictionaryArray::try_new(codes, array(&category.categories)?);
    Ok(Arc::new(array.map_err(|error| refused(&error))?))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;

    use super::*;
    use crate::{Index, Scalar};

    fn people() -> Table {
        let category = |ordered| Category {
            codes: vec![Some(1), None, Some(0)],
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
            ("name", vec![Some("ann"), None, Some("é")].into()),
            ("town", Values::Category(category(false))),
            ("size", Values::Category(category(true))),
        ])
        .unwrap()
    }

    #[test]
    fn tables_come_back_as_they_went() {
        let table = people();
        let kinds = |table: &Table| table.columns().iter().map(|column| column.values().clone()).collect::<Vec<_>>();
        for index in [Index::range(3), Index::new(vec!["x", "y", "z"]), Index::new(vec![5, 6, 7]).named("key")] {
            let table = table.clone().with_index(index);
            let back = Table::from_arrow(table.to_arrow().unwrap()).unwrap();
            assert_eq!(back, table);
            assert_eq!(format!("{:?}", kinds(&back)), format!("{:?}", kinds(&table)));
        }
        let empty = table.select(Vec::<String>::new()).unwrap();
        assert_eq!(Table::from_arrow(empty.to_arrow().unwrap()).unwrap().shape(), (3, 0));
    }

    #[test]
    fn memory_is_shared_on_the_way_out_and_moved_on_the_way_in() {
        let table = people();
        let batch = table.to_arrow().unwrap();
        let at = |name: &str| match table.column(name).unwrap().values() {
            Values::Float(values) => values.as_ptr().addr(),
            Values::Int(values) | Values::Date(values) => values.as_ptr().addr(),
            Values::Text(texts) => texts.bytes().as_ptr().addr(),
            _ => 0,
        };
        for name in ["height", "n", "born", "name"] {
            let data = batch.column_by_name(name).unwrap().to_data();
            assert_eq!(data.buffers().last().unwrap().as_ptr().addr(), at(name), "{name}");
        }
        drop(table);
        assert_eq!(batch.column(0).as_primitive::<Float64Type>().value(0), 1.5);

        let floats = arrow_array::Float64Array::from(vec![1.0, 2.0]);
        let texts = LargeStringArray::new(OffsetBuffer::from_lengths([1, 2]), Buffer::from(b"abc".to_vec()), None);
        let moved = [floats.values().as_ptr().addr(), texts.value_data().as_ptr().addr()];
        let batch = RecordBatch::try_from_iter([("f", Arc::new(floats) as ArrayRef), ("t", Arc::new(texts))]).unwrap();
        let table = Table::from_arrow(batch).unwrap();
        let Values::Float(floats) = table.columns()[0].values() else { panic!("floats") };
        let Values::Text(texts) = table.columns()[1].values() else { panic!("texts") };
        assert_eq!([floats.as_ptr().addr(), texts.bytes().as_ptr().addr()], moved);
    }

    #[test]
    fn parts_of_arrays_are_those_rows_alone() {
        let batch = people().to_arrow().unwrap().slice(1, 2);
        let rows = Table::from_arrow(batch).unwrap();
        let want = people().take(&[1, 2]).unwrap().with_index(Index::range(2));
        assert_eq!(rows, want);
    }

    #[test]
    fn what_has_no_counterpart_is_refused_by_name() {
        let mixed = Table::new([("x", Values::Object(vec![Scalar::Int(1), Scalar::Bool(true)]))]).unwrap();
        let error = mixed.to_arrow().unwrap_err();
        assert_eq!(error.message(), "column `x`: values of several kinds beside each other have no type in Arrow");
        let bytes: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![b"a".as_slice()]));
        let error = Table::from_arrow(RecordBatch::try_from_iter([("b", bytes)]).unwrap()).unwrap_err();
        assert_eq!(error.message(), "column `b`: values of Arrow's type `Binary` have no counterpart in a table");
        let large: ArrayRef = Arc::new(arrow_array::UInt64Array::from(vec![Some(1), Some(u64::MAX)]));
        let error = Table::from_arrow(RecordBatch::try_from_iter([("u", large)]).unwrap()).unwrap_err();
        assert_eq!(error.message(), "column `u`: 18446744073709551615 in row 1 does not fit into 64 bits with a sign");
    }

    #[test]
    fn doubled_entries_of_a_dictionary_are_one_category() {
        let entries: ArrayRef = Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("a"), Some("b")]));
        let codes = Int32Array::from(vec![Some(2), Some(1), None, Some(3), Some(0)]);
        let array: ArrayRef = Arc::new(DictionaryArray::try_new(codes, entries).unwrap());
        let table = Table::from_arrow(RecordBatch::try_from_iter([("c", array)]).unwrap()).unwrap();
        let Values::Category(category) = table.columns()[0].values() else { panic!("a category") };
        assert_eq!(category.codes, [Some(0), None, None, Some(1), Some(0)]);
        assert_eq!(*category.categories, vec!["a", "b"].into());
    }
}
