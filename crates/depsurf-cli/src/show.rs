//! `depsurf show KIND NAME`.

use depsurf::Error;
use depsurf::surface::Surface;
use depsurf_render::{Differences, Kind, Look, Page, State, json, markdown, suggest, terminal};

use crate::args::{Format, Global, Show};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what is known of a name on the chosen kernels.
pub fn run(verb: &Show, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.kernel)?;
    let dataset = dataset::to_read(global, told)?;
    let (surfaces, damaged) = dataset::open(&dataset, &wanted, told)?;
    let groups = match verb.format {
        Format::Table => groups::flat(&surfaces),
        Format::Json | Format::Md => groups::published(&surfaces),
    };
    let mut page = Page::decide(verb.kind, &verb.name, &groups);
    if verb.format == Format::Table {
        // Kernels share lines, but each is compared with its neighbour of the same architecture and flavour.
        page.differences = Differences::of(verb.kind, &page.name, &groups::published(&surfaces));
    }
    if !page.is_somewhere() {
        // A page without the thing still tells why, where that is known.
        let tells = page.entries().any(|entry| !matches!(entry.state, State::Absent { remark: None }));
        let error = missing(verb.kind, &verb.name, &surfaces);
        if !tells {
            return Err(error.into());
        }
        told.note(error.help().unwrap_or_default());
    }
    match verb.format {
        Format::Table => {
            let look = Look {
                colour: output.color(),
                width: output.width().unwrap_or(WIDTH),
                verbose: told.verbose(),
            };
            output.write(terminal::page(&page, &look))?;
        }
        Format::Json => output.write(json::page(&page))?,
        Format::Md => output.write(markdown::page(&page))?,
    }
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}

/// The name is nowhere; says what may have been meant.
pub fn missing(kind: Kind, name: &str, surfaces: &[Surface]) -> Error {
    let suggestions = suggest(&surfaces.iter().collect::<Vec<_>>(), kind, name);
    let mut help = Vec::new();
    for other in suggestions.kinds {
        help.push(format!("there is a {other} of that name: depsurf show {other} {name}"));
    }
    if !suggestions.names.is_empty() {
        help.push(format!("did you mean {}?", suggestions.names.join(", ")));
    }
    let kernels = match surfaces {
        [surface] => format!("`{}` has no", surface.kernel()),
        _ => format!("none of {} kernels has the", surfaces.len()),
    };
    Error::Usage {
        what: format!("{kernels} {kind} `{name}`"),
        help: (!help.is_empty()).then(|| help.join("\n")),
    }
}
