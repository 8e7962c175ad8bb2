//! System calls.

use depsurf::surface::Surface;
use depsurf::surface::syscall::SyscallArg;
use schemars::JsonSchema;
use serde::Serialize;

use crate::json::Param;
use crate::look::Tone;
use crate::rows::{Rows, Shelf};

/// A system call on one kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Syscall")]
pub struct Facts<'a> {
    /// Its entries, sorted by ABI and number.
    pub entries: Vec<EntryFacts<'a>>,
}

/// An entry of a system call table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SyscallEntry")]
pub struct EntryFacts<'a> {
    /// Which table: `64`, `x32`, `ia32`, `compat` ...
    pub abi: &'a str,
    /// Number in its table.
    pub number: u32,
    /// Symbol of the entry, which a kprobe takes; `None` where it is not known.
    pub symbol: Option<&'a str>,
    /// Whether the kernel implements it.
    pub implemented: bool,
    /// Arguments; `None` where the image has no metadata for it.
    pub args: Option<Vec<Param>>,
}

/// The entries of a name.
pub(crate) fn lookup<'a>(surface: &'a Surface, name: &str) -> Option<Facts<'a>> {
    let entries: Vec<EntryFacts<'a>> = surface
        .syscalls()
        .filter(|syscall| syscall.name() == name)
        .map(|syscall| EntryFacts {
            abi: syscall.abi(),
            number: syscall.number(),
            symbol: syscall.symbol(),
            implemented: syscall.is_implemented(),
            args: syscall.args().map(|args| {
                let arg = |arg: &SyscallArg<'_>| Param {
                    name: Some(arg.name).filter(|name| !name.is_empty()).map(Into::into),
                    type_name: arg.type_name.to_owned(),
                    declaration: declaration(arg.type_name, arg.name),
                };
                args.iter().map(arg).collect()
            }),
        })
        .collect();
    (!entries.is_empty()).then_some(Facts { entries })
}

/// Type and name; the metadata has the type as text, so it only needs the space that C wants.
pub(crate) fn declaration(type_name: &str, name: &str) -> String {
    let space = if type_name.ends_with('*') { "" } else { " " };
    format!("{type_name}{space}{name}")
}

impl EntryFacts<'_> {
    fn args_words(&self) -> Option<String> {
        let args = self.args.as_ref()?;
        if args.is_empty() {
            return Some("no arguments".into());
        }
        Some(args.iter().map(|arg| arg.declaration.as_str()).collect::<Vec<_>>().join(", "))
    }
}

/// The body of an entry.
pub(crate) fn markdown(facts: &Facts<'_>, out: &mut String) {
    out.push_str("| ABI | Number | Symbol | Arguments |\n| - | - | - | - |\n");
    for entry in &facts.entries {
        let symbol = entry.symbol.map_or_else(|| "unknown".into(), |symbol| format!("`{symbol}`"));
        let args = entry.args_words().map_or_else(|| "unknown".into(), |args| format!("`{args}`"));
        out.push_str(&format!("| {} | {} | {symbol} | {args} |\n", entry.abi, entry.number));
    }
}

/// The sections of a system call's page.
pub(crate) fn terminal(present: &[(usize, &Facts<'_>)], shelf: &mut Shelf<'_>) {
    let among: Vec<usize> = present.iter().map(|(kernel, _)| *kernel).collect();
    let (mut numbers, mut args) = (Rows::default(), Rows::default());
    for (kernel, facts) in present {
        for entry in &facts.entries {
            let (symbol, tone) = match (entry.implemented, entry.symbol) {
                (false, _) => ("not implemented", Tone::Bad),
                (true, Some(symbol)) => (symbol, Tone::Plain),
                (true, None) => ("symbol unknown", Tone::Caution),
            };
            numbers.add(*kernel, entry.abi, format!("{:<5} {symbol}", entry.number), tone);
            // The native and the compat entry of a call mostly take the same arguments.
            match entry.args_words() {
                Some(words) => args.add(*kernel, "", words, Tone::Plain),
                None => args.add(*kernel, "", format!("unknown for ABI {}", entry.abi), Tone::Caution),
            }
        }
    }
    shelf.section("Numbers", "by ABI", &numbers.by_key(), &among);
    shelf.section("Arguments", "", &args, &among);
}
