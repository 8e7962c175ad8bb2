//! `syscalls`: the native system call table, as one object from number to name.

use std::fmt;

use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};

use super::line::{Source, Text};
use crate::error::{Error, Result};
use crate::surface::build::Parts;
use crate::surface::record;

/// What a table has where a number is not used.
const UNIMPLEMENTED: &str = "ni_syscall";

/// Entries in the order of the file.
struct Table(Vec<(u32, String)>);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Table;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from numbers to names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut table = Vec::new();
                while let Some((key, name)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    let number = key.0.parse().ok().filter(|number: &u32| number.to_string() == key.0);
                    let number =
                        number.ok_or_else(|| A::Error::custom(format!("`{}` is not a number", key.0)))?;
                    table.push((number, name.0.into_owned()));
                }
                Ok(Table(table))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Reads the table of an architecture whose words are `address_size` bytes.
pub(super) fn read(source: Source<'_>, parts: &mut Parts) -> Result<()> {
    let text = source.text()?;
    let error = |at: String, what: String| Error::malformed("DepSurf dataset", at, what);
    let Table(mut table) = serde_json::from_str(&text).map_err(|found| {
        let text = found.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        error(format!("{}:{}, column {}", source.name, found.line(), found.column()), what)
    })?;
    table.sort();
    if let Some(pair) = table.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(error(source.name.to_owned(), format!("system call {} is there twice", pair[0].0)));
    }
    let abi = if parts.meta.address_size == 4 { "32" } else { "64" };
    let abi = parts.strings.intern(abi.as_bytes()).0;
    for (number, name) in table {
        let text = Text(name.as_str().to_owned().into());
        let id = text.intern(&mut parts.strings).map_err(|what| error(source.name.to_owned(), what))?;
        let flags = if name == UNIMPLEMENTED { record::SYSCALL_UNIMPLEMENTED } else { 0 };
        parts.syscalls.push(record::Syscall {
            abi: abi.into(),
            number: number.into(),
            name: id.0.into(),
            symbol: 0.into(),
            first_arg: 0.into(),
            flags: flags.into(),
        });
    }
    Ok(())
}
