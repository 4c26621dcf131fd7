//! Apache Parquet: the columns with their types, and the complete result as JSON.

use std::io::Write;
use std::mem;
use std::sync::Arc;

use anyhow::Context;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use shenfen_store::{ResultRow, ShownRow};
use time::{Date, OffsetDateTime};

use super::Sink;
use super::columns::{COLUMNS, Values};

/// The most rows of a row group, which is held in memory, as columns are written one after the other. Queries skip and
/// share out row groups, so there should be some in a file, but not small ones.
const GROUP_ROWS: usize = 50_000;

/// The most bytes of complete results in a row group, within one page of rows.
const GROUP_BYTES: usize = 32 << 20;

/// The name of the complete result's column in the table.
const RESULT: &str = "result";

/// Writes a Parquet file.
pub(super) struct ParquetFile<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The row group being collected, and the bytes of its results.
    rows: Vec<ShownRow>,
    bytes: usize,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(out: W) -> anyhow::Result<ParquetFile<W>> {
        let settings = WriterProperties::builder()
            .set_created_by(concat!("shenfen ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            // Those of pages are kept in memory to the end of the file.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let file = SerializedFileWriter::new(out, schema()?, Arc::new(settings))?;
        Ok(ParquetFile { file, rows: Vec::new(), bytes: 0 })
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let shown = mem::take(&mut self.rows);
        let rows: Vec<&ResultRow> = shown.iter().map(ShownRow::row).collect();
        self.bytes = 0;
        let mut group = self.file.next_row_group()?;
        for write in COLUMNS.iter().map(Some).chain([None]) {
            let mut column = group.next_column()?.context("the schema has fewer columns than a row")?;
            match (write.map(|column| &column.values), column.untyped()) {
                (Some(Values::Text(text)), ColumnWriter::ByteArrayColumnWriter(out)) => {
                    optional(out, rows.iter().map(|row| text(row).map(|text| bytes(&text))))?;
                }
                (Some(Values::Date(date)), ColumnWriter::Int32ColumnWriter(out)) => {
                    optional(out, rows.iter().map(|row| date(row).map(days)))?;
                }
                (Some(Values::Number(number)), ColumnWriter::DoubleColumnWriter(out)) => {
                    optional(out, rows.iter().map(|row| number(row)))?;
                }
                (Some(Values::Instant(instant)), ColumnWriter::Int64ColumnWriter(out)) => {
                    required(out, rows.iter().map(|row| microseconds(instant(row))))?;
                }
                (Some(Values::Flag(flag)), ColumnWriter::BoolColumnWriter(out)) => {
                    required(out, rows.iter().map(|row| flag(row)))?;
                }
                (Some(Values::Count(count)), ColumnWriter::Int64ColumnWriter(out)) => {
                    required(out, rows.iter().map(|row| i64::from(count(row))))?;
                }
                (None, ColumnWriter::ByteArrayColumnWriter(out)) => {
                    required(out, rows.iter().map(|row| bytes(&row.result)))?;
                }
                _ => anyhow::bail!("the schema has another type than a column"),
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

impl<W: Write + Send> Sink for ParquetFile<W> {
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()> {
        self.bytes += rows.iter().map(|shown| shown.row().result.len()).sum::<usize>();
        self.rows.extend(rows);
        if self.rows.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<()> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.file.close()?;
        Ok(())
    }
}

fn schema() -> Result<TypePtr> {
    let columns = COLUMNS.iter().map(|column| {
        let (physical, logical, repetition) = match column.values {
            Values::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String), Repetition::OPTIONAL),
            Values::Date(_) => (Physical::INT32, Some(LogicalType::Date), Repetition::OPTIONAL),
            Values::Instant(_) => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)), Repetition::REQUIRED)
            }
            Values::Flag(_) => (Physical::BOOLEAN, None, Repetition::REQUIRED),
            Values::Number(_) => (Physical::DOUBLE, None, Repetition::OPTIONAL),
            Values::Count(_) => (Physical::INT64, None, Repetition::REQUIRED),
        };
        leaf(column.name, physical, logical, repetition)
    });
    let result = leaf(RESULT, Physical::BYTE_ARRAY, Some(LogicalType::Json), Repetition::REQUIRED);
    let fields = columns.chain([result]).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Type::group_type_builder("results").with_fields(fields).build()?))
}

fn leaf(name: &str, physical: Physical, logical: Option<LogicalType>, repetition: Repetition) -> Result<TypePtr> {
    let column = Type::primitive_type_builder(name, physical).with_logical_type(logical).with_repetition(repetition);
    Ok(Arc::new(column.build()?))
}

/// Writes a column that is NULL in some rows.
fn optional<T: DataType>(
    out: &mut ColumnWriterImpl<'_, T>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<usize> {
    let (present, values): (Vec<i16>, Vec<Option<T::T>>) =
        values.map(|value| (i16::from(value.is_some()), value)).unzip();
    out.write_batch(&values.into_iter().flatten().collect::<Vec<_>>(), Some(&present), None)
}

/// Writes a column that every row has.
fn required<T: DataType>(out: &mut ColumnWriterImpl<'_, T>, values: impl Iterator<Item = T::T>) -> Result<usize> {
    out.write_batch(&values.collect::<Vec<_>>(), None, None)
}

fn bytes(text: &str) -> ByteArray {
    text.as_bytes().to_vec().into()
}

/// Days since 1970.
fn days(date: Date) -> i32 {
    date.to_julian_day() - OffsetDateTime::UNIX_EPOCH.to_julian_day()
}

/// Microseconds since 1970.
fn microseconds(instant: OffsetDateTime) -> i64 {
    // Of the years that a time can have, all fit.
    i64::try_from(instant.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}
