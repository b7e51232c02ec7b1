//! Parquet files, read and written by way of Arrow.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use cornu_array::{Context, Error, Result};
use cornu_files::atomic;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;

use super::Table;

/// Rows that are taken out of a file at a time.
const ROWS: usize = 1 << 16;

impl Table {
    /// Reads a Parquet file, as `pandas.read_parquet` does: types are those of the file (see [`Table::from_arrow`]),
    /// row labels those that pandas wrote into it. Pages may be packed by snappy, gzip, zstd or lz4.
    ///
    /// # Errors
    /// Files that cannot be opened or are no Parquet, are damaged, or have columns without a counterpart here.
    pub fn read_parquet(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| Error::file(error.to_string()).caused_by(error));
        file.and_then(read).context(format!("`{}`", path.display()))
    }

    /// Writes a Parquet file that pandas reads as this table, packed by snappy as pandas packs.
    ///
    /// # Errors
    /// Columns of values of several kinds; a place that cannot be written.
    pub fn to_parquet(&self, path: impl AsRef<Path>) -> Result<()> {
        atomic::write(path, &self.parquet_bytes()?)
    }

    fn parquet_bytes(&self) -> Result<Vec<u8>> {
        let batch = self.to_arrow()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).map_err(unwritable)?;
        writer.write(&batch).map_err(unwritable)?;
        writer.into_inner().map_err(unwritable)
    }
}

fn unwritable(error: ParquetError) -> Error {
    Error::file(format!("the Parquet file cannot be written: {error}")).caused_by(error)
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::file(format!("the Parquet file cannot be read: {error}")).caused_by(error)
}

fn read(file: impl ChunkReader + 'static) -> Result<Table> {
    let read = || {
        let length = file.len();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
        check(reader.metadata(), length)?;
        let schema = Arc::clone(reader.schema());
        let batches = reader.with_batch_size(ROWS).build().map_err(unreadable)?;
        joined(schema, batches)
    };
    // The library indexes pages by numbers of the file that it does not check.
    let batch = catch_unwind(AssertUnwindSafe(read));
    Table::from_arrow(batch.unwrap_or_else(|_| Err(damaged("its pages do not fit together")))?)
}

fn damaged(why: &str) -> Error {
    Error::file(format!("the Parquet file is damaged: {why}")).help("copy or write it again")
}

/// Whether all columns lie within the file.
fn check(metadata: &ParquetMetaData, length: u64) -> Result<()> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size()).filter(|&end| start >= 0 && end >= start);
        if end.and_then(|end| u64::try_from(end).ok()).is_none_or(|end| end > length) {
            return Err(damaged(&format!("column `{}` lies beyond its end", column.column_path().string())));
        }
    }
    if metadata.row_groups().iter().any(|group| group.num_rows() < 0) {
        return Err(damaged("a number of rows is negative"));
    }
    Ok(())
}

/// The batches one behind the other. Each column lets its parts go once it is made.
fn joined(schema: SchemaRef, batches: ParquetRecordBatchReader) -> Result<RecordBatch> {
    let mut rows = 0;
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); schema.fields().len()];
    for batch in batches {
        let batch = batch.map_err(unreadable)?;
        rows += batch.num_rows();
        parts.iter_mut().zip(batch.columns()).for_each(|(parts, array)| parts.push(Arc::clone(array)));
    }
    let columns = parts.into_iter().zip(schema.fields()).map(|(parts, field)| match parts.as_slice() {
        [] => Ok(arrow_array::new_empty_array(field.data_type())),
        [array] => Ok(Arc::clone(array)),
        _ => {
            let parts: Vec<_> = parts.iter().map(|array| &**array).collect();
            arrow_select::concat::concat(&parts).map_err(unreadable)
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cornu_testkit::golden;

    use super::*;
    use crate::Values;

    #[test]
    fn what_is_written_is_read_again() {
        let rows = 3 * ROWS + 7;
        let table = Table::new([
            ("n", Values::from((0..rows as i64).collect::<Vec<_>>())),
            ("t", (0..rows).map(|row| (row % 5 > 0).then(|| format!("{}", row % 11))).collect::<Vec<_>>().into()),
        ])
        .unwrap();
        assert_eq!(read(Bytes::from(table.parquet_bytes().unwrap())).unwrap(), table);
        let few = table.take(&[5, 2]).unwrap();
        assert_eq!(read(Bytes::from(few.parquet_bytes().unwrap())).unwrap(), few);
    }

    #[test]
    fn damaged_files_are_errors() {
        let mut refused = 0;
        for name in ["people-snappy", "people-gzip", "people-zstd", "people-lz4", "texts", "times", "labels-of-text"] {
            let bytes = std::fs::read(golden::own("pandas-formats").join(format!("{name}.parquet"))).unwrap();
            for round in 0..300u64 {
                let random = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (round << 31) ^ 0x1234_5678;
                let mut bytes = bytes.clone();
                let place = random as usize % bytes.len();
                match round % 4 {
                    0 => bytes.truncate(place),
                    1 => bytes[place] ^= 1 << (random >> 40 & 7),
                    2 => bytes[place] = 0xff,
                    _ => bytes[place..].iter_mut().take(4).for_each(|byte| *byte = byte.wrapping_add(0x7f)),
                }
                refused += usize::from(read(Bytes::from(bytes)).is_err());
            }
        }
        assert!(refused > 500, "{refused}");
        let error = Table::read_parquet("no/such.parquet").unwrap_err();
        assert!(error.message().starts_with("`no/such.parquet`: "), "{error}");
    }
}
