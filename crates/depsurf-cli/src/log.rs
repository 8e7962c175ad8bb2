//! `depsurf log KIND NAME`.

use depsurf_render::Look;
use depsurf_render::timeline::{Timeline, json, markdown, terminal};

use crate::args::{Format, Global, Log};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::show;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints when a name came, changed and went over the kernels of a group.
pub fn run(verb: &Log, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.kernel)?;
    let dataset = dataset::to_read(global, told)?;
    let (surfaces, damaged) = dataset::open(&dataset, &wanted, told)?;
    let group = groups::named(&surfaces, &verb.group)?;
    let timeline = Timeline::new(verb.kind, &verb.name, &group);
    if !timeline.is_somewhere() && !timeline.is_unknown() {
        return Err(show::missing(verb.kind, &verb.name, &surfaces).into());
    }
    match verb.format {
        Format::Table => {
            let look = Look {
                colour: output.color(),
                width: output.width().unwrap_or(WIDTH),
                verbose: told.verbose(),
            };
            output.write(terminal(&timeline, &look))?;
        }
        Format::Json => output.write(json(&timeline))?,
        Format::Md => output.write(markdown(&timeline))?,
    }
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}
