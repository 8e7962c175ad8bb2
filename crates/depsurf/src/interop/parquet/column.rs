//! What the columns of a table are: name, type, meaning. The schema in the files and the tables in
//! `docs/parquet.md` both come from here.

use std::fmt::Write;
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type};

/// When a column that tells a module is null.
pub(super) const VMLINUX: &str = "it is in vmlinux";

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: ColumnKind,
    /// When it is null; `None` where it never is.
    pub null: Option<&'static str>,
    /// What a value means, with its unit.
    pub meaning: &'static str,
    /// Whether values mostly grow from row to row, so that their differences are stored.
    pub(super) ascending: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy)]
pub enum ColumnKind {
    /// True or false.
    Bool,
    /// An unsigned number of 32 bits.
    U32,
    /// An unsigned number of 64 bits.
    U64,
    /// A whole number of at most 20 digits: the values of signed and unsigned 64-bit enums have room.
    Decimal,
    /// UTF-8 text.
    Text,
    /// A list of texts.
    Texts,
    /// A list of structs with these fields.
    Records(&'static [Column]),
}

/// Bytes of a [`ColumnKind::Decimal`]: 20 digits need 68 bits and a sign.
pub(super) const DECIMAL_BYTES: usize = 9;

impl Column {
    /// A column that is never null.
    pub(super) const fn new(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Self {
        Self { name, kind, null: None, meaning, ascending: false }
    }

    /// A column that is null in the cases that `null` tells.
    pub(super) const fn nullable(
        name: &'static str,
        kind: ColumnKind,
        meaning: &'static str,
        null: &'static str,
    ) -> Self {
        Self { name, kind, null: Some(null), meaning, ascending: false }
    }

    /// The same, for values that mostly grow.
    pub(super) const fn ascending(self) -> Self {
        Self { ascending: true, ..self }
    }

    /// The type in words, as DuckDB has it.
    #[must_use]
    pub fn type_name(&self) -> String {
        match self.kind {
            ColumnKind::Bool => "BOOLEAN".into(),
            ColumnKind::U32 => "UINTEGER".into(),
            ColumnKind::U64 => "UBIGINT".into(),
            ColumnKind::Decimal => "DECIMAL(20,0)".into(),
            ColumnKind::Text => "VARCHAR".into(),
            ColumnKind::Texts => "VARCHAR[]".into(),
            ColumnKind::Records(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|field| format!("\"{}\" {}", field.name, field.type_name())).collect();
                format!("STRUCT({})[]", fields.join(", "))
            }
        }
    }
}

/// The schema of a table's files, in Parquet's terms.
pub(super) fn schema(table: &str, columns: &[Column]) -> Arc<Type> {
    let mut message = format!("message {table} {{\n");
    for column in columns {
        field(column, &mut message);
    }
    message.push('}');
    Arc::new(parse_message_type(&message).expect("the text follows Parquet's grammar"))
}

fn field(column: &Column, out: &mut String) {
    let repetition = if column.null.is_some() { "OPTIONAL" } else { "REQUIRED" };
    let name = column.name;
    // Lists have the three levels of Parquet's LogicalTypes.md ("Nested Types").
    let _ = match column.kind {
        ColumnKind::Bool => writeln!(out, "{repetition} BOOLEAN {name};"),
        ColumnKind::U32 => writeln!(out, "{repetition} INT32 {name} (INTEGER(32,false));"),
        ColumnKind::U64 => writeln!(out, "{repetition} INT64 {name} (INTEGER(64,false));"),
        ColumnKind::Decimal => {
            writeln!(out, "{repetition} FIXED_LEN_BYTE_ARRAY({DECIMAL_BYTES}) {name} (DECIMAL(20,0));")
        }
        ColumnKind::Text => writeln!(out, "{repetition} BINARY {name} (STRING);"),
        ColumnKind::Texts => writeln!(
            out,
            "{repetition} GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED BINARY element (STRING); }} }}"
        ),
        ColumnKind::Records(fields) => {
            let _ = writeln!(
                out,
                "{repetition} GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED GROUP element {{"
            );
            fields.iter().for_each(|inner| field(inner, out));
            writeln!(out, "}} }} }}")
        }
    };
}

/// Has differences stored where values grow; all other columns have dictionaries.
pub(super) fn encode(columns: &[Column], properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    columns.iter().filter(|column| column.ascending).fold(properties, |properties, column| {
        let path = ColumnPath::from(column.name);
        properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
    })
}
