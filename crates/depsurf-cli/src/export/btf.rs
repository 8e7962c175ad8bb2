//! `depsurf export btf KERNEL`.

use std::fs;

use anyhow::Context;
use depsurf::surface::meta::Fact;
use depsurf::{Error, btf};

use crate::args::{ExportBtf, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::output::Output;
use crate::terminal::Terminal;

/// Writes the types of one kernel.
pub fn run(
    verb: &ExportBtf,
    global: &Global,
    terminal: &Terminal,
    output: &mut Output,
) -> anyhow::Result<u8> {
    if verb.output.is_none() && output.width().is_some() {
        let help = "give -o FILE, or send it through a pipe";
        return Err(Error::Usage { what: "BTF is not for terminals".into(), help: Some(help.into()) }.into());
    }
    let wanted = Wanted::new(&[], global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let opened = dataset::open(&dataset, &wanted, terminal)?;
    let surface = dataset::one(&opened, &verb.kernel)?;
    if let Some(reason) = surface.meta().unknown_because(Fact::Types) {
        let what = format!("the types of `{}` are not known: {reason}", surface.kernel());
        return Err(Error::Usage { what, help: None }.into());
    }
    let bytes = btf::export(surface);
    match &verb.output {
        Some(path) => {
            fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        None => output.write(bytes)?,
    }
    Ok(exit::FINE)
}
