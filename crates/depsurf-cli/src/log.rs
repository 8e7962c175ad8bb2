//! `depsurf log KIND NAME`.

use depsurf::Error;
use depsurf::surface::Surface;
use depsurf_render::timeline::{Timeline, json, markdown, terminal};
use depsurf_render::{Group, Look};

use crate::args::{Format, Global, Log};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::show;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints when a name came, changed and went over the kernels of a group.
pub fn run(verb: &Log, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.kernel, global)?;
    let dataset = dataset::to_read(global, told)?;
    let Opened { surfaces, default, damaged } = dataset::open(&dataset, &wanted, told)?;
    let groups = groups::around(&surfaces, default, &[verb.group])?;
    let group = the_one(&groups, &surfaces[default])?;
    let timeline = Timeline::new(verb.kind, &verb.name, group);
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

/// The group to follow: of several, as every series may have its revisions, the one with the default kernel.
fn the_one<'g, 'a>(groups: &'g [Group<'a>], default: &Surface) -> depsurf::Result<&'g Group<'a>> {
    let has_default = |group: &&Group<'_>| group.kernels.iter().any(|it| std::ptr::eq(it.surface, default));
    match groups {
        [group] => Ok(group),
        _ => groups.iter().find(has_default).ok_or_else(|| Error::Usage {
            what: "there are several such groups, and none has the default kernel".into(),
            help: Some("choose the kernels of one with --kernel, or a kernel in it with --default".into()),
        }),
    }
}
