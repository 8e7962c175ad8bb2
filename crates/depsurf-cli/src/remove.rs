//! `depsurf remove KERNEL...`.

use depsurf::Error;
use depsurf::kernel::KernelId;
use depsurf::store::Dataset;

use crate::args::{Global, Remove};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::output::Output;
use crate::terminal::Terminal;

/// Removes kernels from the dataset, and prints their names.
pub fn run(verb: &Remove, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let dataset = Dataset::open(dataset::place_to_write(global)?)?;
    let there: Vec<KernelId> = dataset.list()?.entries.into_iter().map(|entry| entry.kernel).collect();
    let mut chosen: Vec<KernelId> = Vec::new();
    for text in &verb.kernels {
        // A kernel whose file is damaged can be removed, too: names are those of files.
        let exact = text.parse().ok().filter(|name: &KernelId| there.contains(name));
        let meant = match exact {
            Some(name) => vec![name],
            None => {
                let wanted =
                    Wanted::of("KERNEL", std::slice::from_ref(text), global)?.choose(&dataset, terminal)?;
                let meant: Vec<KernelId> = there.iter().filter(|name| wanted.has(name)).cloned().collect();
                if meant.len() > 1 && !verb.yes {
                    return Err(several(text, &meant).into());
                }
                meant
            }
        };
        chosen.extend(meant);
    }
    chosen.sort();
    chosen.dedup();
    let mut removed = Vec::new();
    let result: depsurf::Result<()> = chosen.into_iter().try_for_each(|kernel| {
        dataset.remove(&kernel)?;
        removed.push(kernel);
        Ok(())
    });
    for kernel in removed {
        output.line(kernel)?;
    }
    result?;
    Ok(exit::FINE)
}

fn several(text: &str, meant: &[KernelId]) -> Error {
    let names: Vec<String> = meant.iter().map(ToString::to_string).collect();
    Error::Usage {
        what: format!("`{text}` stands for {} kernels: {}", meant.len(), names.join(", ")),
        help: Some("name one as `depsurf list` does, or add --yes to remove all of them".into()),
    }
}
