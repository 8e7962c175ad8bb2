//! `depsurf show KIND NAME`.

use depsurf::Error;
use depsurf::surface::Surface;
use depsurf_render::{Differences, Kind, Look, Page, State, json, kinds_of, markdown, suggest, terminal};

use crate::args::{Format, Global, KindWord, Show};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what is known of a name on the chosen kernels.
pub fn run(verb: &Show, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.chosen.kernel, global)?;
    let dataset = dataset::to_read(global, told)?;
    let Opened { surfaces, default, damaged } = dataset::open(&dataset, &wanted, told)?;
    let (kind, name) = asked(verb, &surfaces)?;
    let groups = match verb.format {
        Format::Table if verb.chosen.group.is_empty() => groups::flat(&surfaces),
        _ => groups::around(&surfaces, default, &verb.chosen.group)?,
    };
    let mut page = Page::decide(kind, name, &groups);
    if verb.format == Format::Table && verb.chosen.group.is_empty() {
        // Kernels share lines, but each is compared with its neighbour of the same architecture and flavour.
        page.differences = Differences::of(kind, &page.name, &groups::around(&surfaces, default, &[])?);
    }
    if !page.is_somewhere() {
        // A page without the thing still tells why, where that is known.
        let tells = page.entries().any(|entry| !matches!(entry.state, State::Absent { remark: None }));
        let error = missing(kind, name, &surfaces);
        if !tells {
            return Err(error.into());
        }
        for line in error.help().iter().flat_map(|help| help.lines()) {
            told.note(line);
        }
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

/// The kind and the name that were asked for.
fn asked<'a>(verb: &'a Show, surfaces: &[Surface]) -> Result<(Kind, &'a str), Error> {
    match (&verb.kind, verb.name.as_deref().map(str::trim)) {
        (KindWord::Kind(Kind::Field), Some(name)) if !name.contains("::") => {
            let kinds = kinds_of(&surfaces.iter().collect::<Vec<_>>(), name);
            let has_members = kinds.iter().any(|kind| matches!(kind, Kind::Struct | Kind::Union));
            let example = if has_members { format!("{name}::MEMBER") } else { "task_struct::pid".into() };
            let mut help = vec![format!("write a field as struct::member, as in {example}")];
            help.extend(kinds.into_iter().map(|kind| meant(kind, name)));
            Err(Error::Usage {
                what: format!("`{name}` is not the name of a field"),
                help: Some(help.join("\n")),
            })
        }
        (KindWord::Kind(kind), Some(name)) if !name.is_empty() => Ok((*kind, name)),
        (KindWord::Kind(kind), _) => Err(Error::Usage {
            what: format!("no name is given: which {kind}?"),
            help: Some(format!("depsurf show {kind} NAME")),
        }),
        (KindWord::Other(word), name) => Err(without_kind(word, name, surfaces)),
    }
}

/// No kind was given; says of which kinds there is something of the name.
fn without_kind(word: &str, name: Option<&str>, surfaces: &[Surface]) -> Error {
    let what = match name {
        Some(_) => format!("unknown kind `{word}`"),
        None => format!("of which kind is `{word}`?"),
    };
    let name = name.unwrap_or(word);
    let kinds = kinds_of(&surfaces.iter().collect::<Vec<_>>(), name);
    let mut help: Vec<String> = kinds.iter().map(|kind| meant(*kind, name)).collect();
    if kinds.is_empty() {
        help.push(format!("kinds are {}", Kind::ALL.map(Kind::name).join(", ")));
        help.push(match surfaces {
            [surface] => format!("`{}` has nothing that is called `{name}`", surface.kernel()),
            _ => format!("none of {} kernels has anything that is called `{name}`", surfaces.len()),
        });
    }
    Error::Usage { what, help: Some(help.join("\n")) }
}

fn meant(kind: Kind, name: &str) -> String {
    format!("did you mean: depsurf show {kind} {name}")
}

/// The name is nowhere; says what may have been meant: another kind of the name, or another name of the kind.
pub fn missing(kind: Kind, name: &str, surfaces: &[Surface]) -> Error {
    let suggestions = suggest(&surfaces.iter().collect::<Vec<_>>(), kind, name);
    let mut help: Vec<String> = suggestions.kinds.into_iter().map(|other| meant(other, name)).collect();
    if !suggestions.names.is_empty() {
        help.push(format!("did you mean {}?", suggestions.names.join(", ")));
    }
    let kernels = match surfaces {
        [surface] => format!("`{}` has no", surface.kernel()),
        _ => format!("none of {} kernels has the", surfaces.len()),
    };
    let thing = match kind {
        Kind::Lsm => "LSM hook",
        Kind::Syscall => "system call",
        Kind::Config => "option",
        _ => kind.name(),
    };
    Error::Usage {
        what: format!("{kernels} {thing} `{name}`"),
        help: (!help.is_empty()).then(|| help.join("\n")),
    }
}
