//! Rows on their way into a file: gathered column by column, and written as a row group when there are
//! enough of them.
//!
//! Parquet's own writer takes one column after the other, so a row group has to be in memory; its size is
//! bounded by [`MAX_ROWS`] and [`MAX_BYTES`].

use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FixedLenByteArray};
use parquet::data_type::{FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};

use super::column::{Column, ColumnKind, DECIMAL_BYTES, encode, schema};
use crate::error::{Error, Result};

/// Rows of a row group; DuckDB's own size, which it scans in parallel.
const MAX_ROWS: usize = 122_880;

/// Bytes of text that a row group is kept in memory with.
const MAX_BYTES: usize = 16 << 20;

/// Bytes of a dictionary: the names of all functions have room, where the default would give up half-way.
const DICTIONARY: usize = 4 << 20;

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'v> {
    Null,
    Bool(bool),
    U32(u32),
    U64(u64),
    Decimal(i128),
    Text(&'v str),
}

macro_rules! values {
    ($($from:ty => $variant:ident,)*) => {$(
        impl<'v> From<$from> for Value<'v> {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

values! {
    bool => Bool,
    u32 => U32,
    u64 => U64,
    i128 => Decimal,
    &'v str => Text,
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(value)
    }
}

impl<'v, T: Into<Self>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a column that holds no columns itself.
enum Values {
    Bool(Vec<bool>),
    U32(Vec<i32>),
    U64(Vec<i64>),
    Decimal(Vec<[u8; DECIMAL_BYTES]>),
    /// All texts behind each other, and where each of them ends.
    Text(Vec<u8>, Vec<usize>),
}

/// A leaf of the schema: what Parquet calls a column.
struct Leaf {
    values: Values,
    /// Definition and repetition levels, as in Parquet's "Nested Encoding"; empty where the schema has none.
    definition: Vec<i16>,
    repetition: Vec<i16>,
    /// Definition level of a value that is there.
    max_definition: i16,
    repeated: bool,
}

/// A row on its way into a table. Values come in the order of the columns.
pub(super) struct Row<'r> {
    columns: &'static [Column],
    leaves: &'r mut [Leaf],
    next: usize,
    next_leaf: usize,
    bytes: usize,
    /// Repetition level of the values, and definition level of what they are in; 0 outside of lists.
    repetition: i16,
    definition: i16,
}

/// A table on its way into a file.
pub(super) struct Rows<'f> {
    columns: &'static [Column],
    leaves: Vec<Leaf>,
    rows: usize,
    bytes: usize,
    path: PathBuf,
    writer: SerializedFileWriter<&'f mut (dyn Write + Send)>,
}

impl<'f> Rows<'f> {
    /// A file for the rows of a table. `about` goes into the file's own metadata, `path` into errors.
    pub(super) fn new(
        table: &str,
        columns: &'static [Column],
        about: &[(&str, String)],
        path: PathBuf,
        file: &'f mut (dyn Write + Send),
    ) -> Result<Self> {
        let about = about.iter().map(|(key, value)| KeyValue::new(format!("depsurf.{key}"), value.clone()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(None)
            .set_dictionary_page_size_limit(DICTIONARY)
            .set_created_by(concat!("depsurf ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(about.collect()));
        let properties = Arc::new(encode(columns, properties).build());
        let writer = match SerializedFileWriter::new(file, schema(table, columns), properties) {
            Ok(writer) => writer,
            Err(error) => return Err(failed(&path, error)),
        };
        let mut leaves = Vec::new();
        columns.iter().for_each(|column| add_leaves(column, 0, false, &mut leaves));
        Ok(Self { columns, leaves, rows: 0, bytes: 0, path, writer })
    }

    /// Adds a row that `fill` puts the values of.
    pub(super) fn row(&mut self, fill: impl FnOnce(&mut Row<'_>)) -> Result<()> {
        let mut row = Row {
            columns: self.columns,
            leaves: &mut self.leaves,
            next: 0,
            next_leaf: 0,
            bytes: 0,
            repetition: 0,
            definition: 0,
        };
        fill(&mut row);
        assert_eq!(row.next, self.columns.len(), "a row has all columns");
        self.bytes += row.bytes;
        self.rows += 1;
        if self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes the rest and the file's footer.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.flush()?;
        }
        self.writer.close().map_err(|error| failed(&self.path, error))?;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.group().map_err(|error| failed(&self.path, error))?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Writes a row group.
    fn group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for leaf in &mut self.leaves {
            let column = group.next_column()?.expect("the schema has a column for every leaf");
            leaf.write(column)?;
        }
        group.close()?;
        Ok(())
    }
}

/// What the system said, where that is what Parquet's writer stumbled over.
fn failed(path: &Path, error: ParquetError) -> Error {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(source) => io::Error::other(source),
        },
        error => io::Error::other(error),
    };
    Error::io("cannot write", path, source)
}

/// Adds the leaves of a column. `outer` is the definition level of what it is in.
fn add_leaves(column: &Column, outer: i16, repeated: bool, leaves: &mut Vec<Leaf>) {
    let level = outer + i16::from(column.null.is_some());
    let values = match column.kind {
        ColumnKind::Bool => Values::Bool(Vec::new()),
        ColumnKind::U32 => Values::U32(Vec::new()),
        ColumnKind::U64 => Values::U64(Vec::new()),
        ColumnKind::Decimal => Values::Decimal(Vec::new()),
        ColumnKind::Text | ColumnKind::Texts => Values::Text(Vec::new(), Vec::new()),
        ColumnKind::Records(fields) => {
            return fields.iter().for_each(|field| add_leaves(field, level + 1, true, leaves));
        }
    };
    let is_list = matches!(column.kind, ColumnKind::Texts);
    leaves.push(Leaf {
        values,
        definition: Vec::new(),
        repetition: Vec::new(),
        max_definition: level + i16::from(is_list),
        repeated: repeated || is_list,
    });
}

impl Row<'_> {
    /// Puts the value of the next column, whose name is given so that the code reads like the table.
    pub(super) fn put<'v>(&mut self, name: &str, value: impl Into<Value<'v>>) {
        self.column(name);
        let leaf = &mut self.leaves[self.next_leaf];
        self.next_leaf += 1;
        let value = value.into();
        let missing = matches!(value, Value::Null);
        let definition = if missing { self.definition } else { leaf.max_definition };
        debug_assert!(!missing || definition < leaf.max_definition, "`{name}` is never null");
        leaf.level(definition, self.repetition);
        self.bytes += leaf.push(value);
    }

    /// Puts a list of texts.
    pub(super) fn texts<T: AsRef<str>>(&mut self, name: &str, texts: Option<impl IntoIterator<Item = T>>) {
        let column = self.column(name);
        let leaf = &mut self.leaves[self.next_leaf];
        self.next_leaf += 1;
        let list = i16::from(column.null.is_some());
        let Some(texts) = texts else { return leaf.level(0, 0) };
        let mut count = 0;
        for text in texts {
            leaf.level(leaf.max_definition, i16::from(count > 0));
            self.bytes += leaf.push(Value::Text(text.as_ref()));
            count += 1;
        }
        if count == 0 {
            leaf.level(list, 0);
        }
    }

    /// Puts a list of structs; `fill` puts the fields of each.
    pub(super) fn records<T>(
        &mut self,
        name: &str,
        items: Option<impl IntoIterator<Item = T>>,
        mut fill: impl FnMut(&mut Row<'_>, T),
    ) {
        let column = self.column(name);
        let ColumnKind::Records(fields) = column.kind else { panic!("`{name}` is no list of structs") };
        let leaves = &mut self.leaves[self.next_leaf..self.next_leaf + fields.len()];
        self.next_leaf += fields.len();
        let list = i16::from(column.null.is_some());
        let Some(items) = items else { return leaves.iter_mut().for_each(|leaf| leaf.level(0, 0)) };
        let mut count = 0;
        for item in items {
            let mut row = Row {
                columns: fields,
                leaves: &mut *leaves,
                next: 0,
                next_leaf: 0,
                bytes: 0,
                repetition: i16::from(count > 0),
                definition: list + 1,
            };
            fill(&mut row, item);
            assert_eq!(row.next, fields.len(), "a struct of `{name}` has all fields");
            self.bytes += row.bytes;
            count += 1;
        }
        if count == 0 {
            leaves.iter_mut().for_each(|leaf| leaf.level(list, 0));
        }
    }

    fn column(&mut self, name: &str) -> &'static Column {
        let column = &self.columns[self.next];
        debug_assert_eq!(column.name, name, "values come in the order of the columns");
        self.next += 1;
        column
    }
}

impl Leaf {
    fn level(&mut self, definition: i16, repetition: i16) {
        if self.max_definition > 0 {
            self.definition.push(definition);
        }
        if self.repeated {
            self.repetition.push(repetition);
        }
    }

    /// Keeps a value; gives the bytes it takes.
    fn push(&mut self, value: Value<'_>) -> usize {
        match (&mut self.values, value) {
            (_, Value::Null) => 0,
            (Values::Bool(values), Value::Bool(value)) => {
                values.push(value);
                size_of::<bool>()
            }
            (Values::U32(values), Value::U32(value)) => {
                values.push(value.cast_signed());
                size_of::<u32>()
            }
            (Values::U64(values), Value::U64(value)) => {
                values.push(value.cast_signed());
                size_of::<u64>()
            }
            (Values::Decimal(values), Value::Decimal(value)) => {
                let bytes = value.to_be_bytes();
                values.push(std::array::from_fn(|at| bytes[bytes.len() - DECIMAL_BYTES + at]));
                DECIMAL_BYTES
            }
            (Values::Text(text, ends), Value::Text(value)) => {
                text.extend_from_slice(value.as_bytes());
                ends.push(text.len());
                value.len() + size_of::<usize>()
            }
            (_, value) => panic!("{value:?} is not of the column's type"),
        }
    }

    /// Writes all values, which are then gone.
    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let definition = mem::take(&mut self.definition);
        let repetition = mem::take(&mut self.repetition);
        let levels = Levels {
            definition: (self.max_definition > 0).then_some(&definition[..]),
            repetition: self.repeated.then_some(&repetition[..]),
        };
        match &mut self.values {
            Values::Bool(values) => levels.write::<BoolType>(&mut column, &mem::take(values)),
            Values::U32(values) => levels.write::<Int32Type>(&mut column, &mem::take(values)),
            Values::U64(values) => levels.write::<Int64Type>(&mut column, &mem::take(values)),
            Values::Decimal(values) => {
                let value = |bytes: &[u8; DECIMAL_BYTES]| FixedLenByteArray::from(bytes.to_vec());
                let values: Vec<_> = mem::take(values).iter().map(value).collect();
                levels.write::<FixedLenByteArrayType>(&mut column, &values)
            }
            Values::Text(text, ends) => {
                let text = Bytes::from(mem::take(text));
                let mut start = 0;
                let value = |end| ByteArray::from(text.slice(mem::replace(&mut start, end)..end));
                let values: Vec<_> = mem::take(ends).into_iter().map(value).collect();
                levels.write::<ByteArrayType>(&mut column, &values)
            }
        }?;
        column.close()
    }
}

struct Levels<'l> {
    definition: Option<&'l [i16]>,
    repetition: Option<&'l [i16]>,
}

impl Levels<'_> {
    fn write<T: DataType>(
        &self,
        column: &mut SerializedColumnWriter<'_>,
        values: &[T::T],
    ) -> Result<(), ParquetError> {
        column.typed::<T>().write_batch(values, self.definition, self.repetition)?;
        Ok(())
    }
}
