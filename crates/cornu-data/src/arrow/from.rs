//! Columns out of arrays of Arrow, each of the kind that pandas gives it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use cornu_array::{Context, Error, Result};

use super::super::{Category, Column, Index, NAT, Scalar, Table, Texts, Value, Values};
use super::pandas::{self, Labels};

const DAY: i64 = 86_400_000_000;

impl Table {
    /// The table of a record batch of Arrow. Memory that nobody else holds is moved where the layout is ours: doubles,
    /// singles, `i64`, times in microseconds and large texts; the rest is copied. Nulls are missing values: whole
    /// numbers with nulls become floats, as in pandas. Row labels are those that pandas noted in the schema.
    ///
    /// # Errors
    /// Columns of a type without a counterpart (lists, structs, decimals, bytes, times with a zone), values that do
    /// not fit, a name that occurs twice.
    pub fn from_arrow(batch: RecordBatch) -> Result<Table> {
        let rows = batch.num_rows();
        let (schema, arrays, _) = batch.into_parts();
        let mut columns = Vec::with_capacity(arrays.len());
        for (field, array) in schema.fields().iter().zip(arrays) {
            let ordered = field.dict_is_ordered() == Some(true);
            let values = values(array, ordered).context(format!("column `{}`", field.name()))?;
            columns.push(Column::new(field.name(), values));
        }
        let index = match pandas::labels(schema.metadata(), rows) {
            Some(Labels::Range(index)) => index,
            Some(Labels::Column { field, name }) => match columns.iter().position(|column| *column.name() == field) {
                Some(place) => {
                    let labels = Index::new(columns.remove(place).values().clone());
                    name.into_iter().fold(labels, Index::named)
                }
                None => Index::range(rows),
            },
            None => Index::range(rows),
        };
        Ok(Table::from_columns(columns)?.with_index(index))
    }
}

/// The numbers of an array, moved where nobody else holds them, and which are there if some are not.
fn parts<T: ArrowPrimitiveType>(array: ArrayRef) -> (Vec<T::Native>, Option<NullBuffer>) {
    let own = array.as_primitive::<T>().clone();
    drop(array);
    let (_, numbers, nulls) = own.into_parts();
    (numbers.into(), nulls.filter(|nulls| nulls.null_count() > 0))
}

/// Numbers in which `gap` stands for those that are not there.
fn filled<T: Copy>((mut numbers, nulls): (Vec<T>, Option<NullBuffer>), gap: T) -> Vec<T> {
    if let Some(nulls) = nulls {
        numbers.iter_mut().zip(&nulls).filter(|(_, there)| !there).for_each(|(number, _)| *number = gap);
    }
    numbers
}

/// Whole numbers, which nulls make floats.
fn whole<T: ArrowPrimitiveType<Native: TryInto<i64>>>(array: ArrayRef) -> Result<Values> {
    let (numbers, nulls) = parts::<T>(array);
    let is_there = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let number = |(row, number): (usize, T::Native)| match number.try_into() {
        Ok(number) => Ok(number),
        Err(_) if !is_there(row) => Ok(0),
        Err(_) => Err(too_large(row, number)),
    };
    let numbers = numbers.into_iter().enumerate().map(number).collect::<Result<Vec<i64>>>()?;
    Ok(match nulls {
        None => Values::Int(numbers),
        Some(_) => Values::Float(filled((numbers.into_iter().map(|number| number as f64).collect(), nulls), f64::NAN)),
    })
}

fn too_large(row: usize, number: impl std::fmt::Debug) -> Error {
    Error::data(format!("{number:?} in row {row} does not fit into 64 bits with a sign"))
}

/// Moments, of which each is `times / over` microseconds.
fn moments<T: ArrowPrimitiveType<Native: Into<i64>>>(array: ArrayRef, times: i64, over: i64) -> Result<Values> {
    let (moments, nulls) = parts::<T>(array);
    let is_there = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let micros = |(row, moment): (usize, T::Native)| {
        let moment: i64 = moment.into();
        match moment.checked_mul(times) {
            _ if !is_there(row) => Ok(NAT),
            Some(moment) if moment % over == 0 => Ok(moment / over),
            Some(_) => {
                Err(Error::unsupported(format!("a time of whole microseconds is needed, got {moment} ns in row {row}"))
                    .help("round the times in the program that made them"))
            }
            None => Err(too_large(row, moment)),
        }
    };
    // The same length in memory: the vector is used again.
    Ok(Values::Date(moments.into_iter().enumerate().map(micros).collect::<Result<_>>()?))
}

/// The moments of an array of days or times.
fn dates(array: ArrayRef) -> Result<Values> {
    match array.data_type() {
        DataType::Date32 => moments::<Date32Type>(array, DAY, 1),
        DataType::Date64 => moments::<Date64Type>(array, 1_000, 1),
        DataType::Timestamp(unit, None) => match unit {
            TimeUnit::Second => moments::<TimestampSecondType>(array, 1_000_000, 1),
            TimeUnit::Millisecond => moments::<TimestampMillisecondType>(array, 1_000, 1),
            TimeUnit::Microsecond => Ok(Values::Date(filled(parts::<TimestampMicrosecondType>(array), NAT))),
            TimeUnit::Nanosecond => moments::<TimestampNanosecondType>(array, 1, 1_000),
        },
        other => Err(unsupported(other)),
    }
}

/// The values of an array.
pub(super) fn values(array: ArrayRef, ordered: bool) -> Result<Values> {
    match array.data_type() {
        DataType::Float64 => Ok(Values::Float(filled(parts::<Float64Type>(array), f64::NAN))),
        DataType::Float32 => Ok(Values::Float32(filled(parts::<Float32Type>(array), f32::NAN))),
        DataType::Float16 => {
            let (numbers, nulls) = parts::<Float16Type>(array);
            Ok(Values::Float32(filled((numbers.into_iter().map(f32::from).collect(), nulls), f32::NAN)))
        }
        DataType::Int64 => {
            let (numbers, nulls) = parts::<Int64Type>(array);
            if nulls.is_none() {
                return Ok(Values::Int(numbers));
            }
            let floats = numbers.into_iter().map(|number| number as f64).collect();
            Ok(Values::Float(filled((floats, nulls), f64::NAN)))
        }
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::UInt64 => whole::<UInt64Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::Boolean => {
            let truths = array.as_boolean();
            Ok(match truths.null_count() {
                0 => Values::Bool(truths.values().iter().collect()),
                _ => Values::Truth(truths.iter().collect()),
            })
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None) => dates(array),
        DataType::LargeUtf8 => Ok(Values::Text(texts(array)?)),
        DataType::Utf8 => Ok(Values::Text(array.as_string::<i32>().iter().collect())),
        DataType::Utf8View => Ok(Values::Text(array.as_string_view().iter().collect())),
        DataType::Null => Ok(Values::Object(vec![Scalar::Missing; array.len()])),
        DataType::Dictionary(..) => category(&array, ordered),
        other => Err(unsupported(other)),
    }
}

fn unsupported(kind: &DataType) -> Error {
    let help = match kind {
        DataType::Timestamp(..) => "drop the zone where the table was made: in pandas, `.dt.tz_localize(None)`",
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "make it a float where the table was made: in pandas, `.astype(float)`"
        }
        _ => "drop the column where the table was made, or make columns of numbers or text of it",
    };
    Error::unsupported(format!("values of Arrow's type `{kind}` have no counterpart in a table")).help(help)
}

/// Texts whose bytes and offsets are moved where nobody else holds them.
fn texts(array: ArrayRef) -> Result<Texts> {
    let own = array.as_string::<i64>().clone();
    drop(array);
    let (offsets, bytes, nulls) = own.into_parts();
    let present = nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.iter().collect());
    let bytes = bytes.into_vec::<u8>().unwrap_or_else(|bytes| bytes.to_vec());
    let bytes = String::from_utf8(bytes).map_err(|error| Error::data(format!("texts need UTF-8: {error}")))?;
    Texts::from_parts(bytes, offsets.into_inner().into(), present)
}

/// A dictionary as a category. Its entries may be doubled or missing, categories may not.
fn category(array: &ArrayRef, ordered: bool) -> Result<Values> {
    let dictionary = array.as_any_dictionary();
    let entries = values(Arc::clone(dictionary.values()), false)?;
    let mut places = HashMap::new();
    let mut kept = Vec::new();
    let places: Vec<Option<u32>> = (0..entries.len())
        .map(|entry| match entries.get(entry) {
            value if value.is_missing() => None,
            value => Some(*places.entry(value.key()).or_insert_with(|| {
                kept.push(entry);
                kept.len() as u32 - 1
            })),
        })
        .collect();
    let place = |entry: Option<f64>| match entry {
        None => Ok(None),
        Some(entry) => places
            .get(entry as usize)
            .copied()
            .ok_or_else(|| Error::data(format!("a code below {} is needed, got {entry}", places.len()))),
    };
    let codes = values(arrow_array::make_array(dictionary.keys().to_data()), false)?;
    let code = |value: Value<'_>| if value.is_missing() { None } else { value.to_f64() };
    let codes = codes.iter().map(|value| place(code(value))).collect::<Result<_>>()?;
    Ok(Values::Category(Category { codes, categories: Arc::new(entries.take(&kept)), ordered }))
}
