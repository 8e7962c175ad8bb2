//! `depsurf diff OLD NEW`.

use depsurf::diff::{Diff, Pair};
use depsurf::group::Title;
use depsurf::surface::Surface;
use depsurf::{Error, Kind};
use depsurf_render::diff::{Compared, Comparison, json, markdown, terminal};
use depsurf_render::{Group, Kernel, Look};
use regex::Regex;

use crate::args::{self, Format, Global};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what changed between the chosen kernels; the status tells whether anything did.
pub fn run(verb: &args::Diff, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let grep = verb.grep.as_deref().map(pattern).transpose()?;
    let dataset = dataset::to_read(global, told)?;
    let opened = dataset::open(&dataset, &Wanted::new(&[], global)?, told)?;
    let pairs = pairs(verb, &opened)?;
    let kinds: &[Kind] = if verb.kind.is_empty() { &Kind::ALL } else { &verb.kind };
    let asked = grep.is_some() || !verb.kind.is_empty() || told.verbose();
    let wanted = |name: &str| grep.as_ref().is_none_or(|grep| grep.is_match(name));
    // For programs two kernels mean everything; a table over many is short unless names are asked for.
    let lists = asked || verb.format == Format::Json && pairs.len() == 1;
    let compared = pairs.iter().map(|(old, new)| {
        let diff = Diff::new(Pair::new(old.surface, new.surface), kinds);
        let mut compared = Compared::new(old.label.clone(), new.label.clone(), diff, wanted);
        if !lists {
            compared.forget_names();
        }
        compared
    });
    let pairs: Vec<Compared<'_>> = compared.collect();
    let comparison = Comparison { pairs, lists };
    match verb.format {
        Format::Table => {
            let look = Look {
                colour: output.color(),
                width: output.width().unwrap_or(WIDTH),
                verbose: told.verbose(),
            };
            output.write(terminal(&comparison, &look))?;
        }
        Format::Json => output.write(json(&comparison))?,
        Format::Md => output.write(markdown(&comparison))?,
    }
    Ok(match (opened.damaged, comparison.is_empty()) {
        (true, _) => exit::FAILED,
        (false, true) => exit::FINE,
        (false, false) => exit::FOUND,
    })
}

fn pattern(text: &str) -> depsurf::Result<Regex> {
    Regex::new(text).map_err(|error| Error::Usage {
        what: format!("`--grep {text}` is not a regular expression: {error}"),
        help: Some("the syntax is that of the regex crate; \\ takes the meaning from a character".into()),
    })
}

/// Which kernels are compared: the ones named, each with the next, or those of a group.
fn pairs<'a>(verb: &args::Diff, opened: &'a Opened) -> anyhow::Result<Vec<(Kernel<'a>, Kernel<'a>)>> {
    if verb.kernels.len() == 1 {
        return Err(Error::Usage {
            what: format!("`{}` is compared with nothing", verb.kernels[0]),
            help: Some("name two kernels, or a group with --group".into()),
        }
        .into());
    }
    if verb.kernels.is_empty() {
        let groups = groups::around(&opened.surfaces, opened.default, &[verb.group])?;
        let pairs = groups.iter().flat_map(Group::pairs).map(|(old, new)| (old.clone(), new.clone()));
        let pairs: Vec<(Kernel<'a>, Kernel<'a>)> = pairs.collect();
        if pairs.is_empty() {
            return Err(only_one(verb.group).into());
        }
        return Ok(pairs);
    }
    let chosen = verb.kernels.iter().map(|text| dataset::one(opened, text));
    let chosen: Vec<&Surface> = chosen.collect::<Result<_, _>>()?;
    // Two are called by their names; of more the table has no room for these.
    let labels = match chosen.as_slice() {
        [_, _] => chosen.iter().map(|surface| surface.kernel().to_string()).collect(),
        _ => groups::labels(&chosen),
    };
    let kernels = chosen.into_iter().zip(labels).map(|(surface, label)| Kernel { label, surface });
    let kernels: Vec<Kernel<'a>> = kernels.collect();
    Ok(kernels.windows(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

fn only_one(group: Title) -> Error {
    Error::Usage {
        what: format!("the group {group} has one kernel, and nothing to compare it with"),
        help: Some(
            "name two kernels, or another group with --group; `depsurf list` tells which there are".into(),
        ),
    }
}
