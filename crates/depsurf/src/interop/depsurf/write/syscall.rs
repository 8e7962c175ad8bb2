//! `syscalls`: the native system call table, as one object from number to name.

use super::Sink;
use super::json::Json;
use crate::error::Result;
use crate::surface::Surface;

/// The object, one number per line.
pub(super) fn table(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let native = native_abi(surface);
    let mut json = Json::default();
    let mut first = true;
    sink("{")?;
    for call in surface.syscalls().filter(|call| Some(call.abi()) == native) {
        json.clear();
        json.key(&call.number().to_string()).string(call.name());
        let line = json.line();
        sink(if first { "\n  " } else { ",\n  " })?;
        sink(line.trim_end())?;
        first = false;
    }
    sink(if first { "}" } else { "\n}" })
}

/// The table that programs of the kernel's own width use.
fn native_abi(surface: &Surface) -> Option<&str> {
    let width = if surface.meta().address_size == 4 { "32" } else { "64" };
    let has = |abi: &str| surface.syscalls().any(|call| call.abi() == abi);
    has(width).then_some(width).or_else(|| surface.syscalls().next().map(|call| call.abi()))
}
