//! `depsurf search TEXT`.

use depsurf::kernel::KernelId;
use depsurf::search::{Hit, Index, Query, Text};
use depsurf::{Error, Kind};
use depsurf_render::Look;
use depsurf_render::search::{Results, Searched, Unknown, json, markdown, terminal};

use crate::args::{Format, Global, Search};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;
/// How many names are offered in place of one that is not there.
const OFFERED: usize = 3;

/// Prints the names of the chosen kernels that answer a text.
pub fn run(verb: &Search, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let text = verb.text.join(" ");
    let query = Query { text: matcher(verb, &text)?, kinds: verb.kind.clone(), limit: verb.limit.get() };
    let wanted = Wanted::new(&verb.kernel, global)?;
    let dataset = dataset::to_read(global, told)?;
    let (index, among, damaged) = dataset::names(&dataset, &wanted, told)?;
    let found = index.search(&query, &among);
    let results = Results {
        text: &text,
        found: &found,
        kernels: searched(&index, &among),
        unknown: unknown(verb, &index, &among),
    };
    match verb.format {
        Format::Json => output.write(json(&results))?,
        Format::Table | Format::Md if found.hits.is_empty() => {}
        Format::Table => {
            let width = output.width().unwrap_or(WIDTH);
            let look = Look { colour: output.color(), width, verbose: told.verbose() };
            output.write(terminal(&results, &look))?;
        }
        Format::Md => output.write(markdown(&results))?,
    }
    match found.hits.first() {
        None => {
            output.flush()?;
            Err(nothing(verb, &text, &index, &among, &results).into())
        }
        Some(best) => {
            told.note(format!("`{}` shows the first one", show(best)));
            Ok(if damaged { exit::FAILED } else { exit::FINE })
        }
    }
}

fn matcher(verb: &Search, text: &str) -> depsurf::Result<Text> {
    match (verb.exact, verb.regex) {
        _ if text.trim().is_empty() => Err(Error::Usage {
            what: "nothing to look for: the text is empty".into(),
            help: Some("`--regex .` finds every name".into()),
        }),
        (true, _) => Ok(Text::exact(text)),
        (_, true) => Text::regex(text),
        _ => Ok(Text::like(text)),
    }
}

fn searched<'i>(index: &'i Index, among: &[usize]) -> Vec<Searched<'i>> {
    let ids: Vec<&KernelId> = among.iter().map(|place| &index.kernels()[*place].id).collect();
    let labels = groups::short_labels(&ids);
    let kernels = among.iter().zip(ids).zip(labels);
    kernels.map(|((place, id), label)| Searched { place: *place, id, label }).collect()
}

/// The kinds of which some kernels could not be read.
fn unknown(verb: &Search, index: &Index, among: &[usize]) -> Vec<Unknown> {
    let wanted = |kind: &Kind| verb.kind.is_empty() || verb.kind.contains(kind);
    let of_kind = |kind: Kind| {
        let unread = index.unknown(kind, among);
        let kernels = (0..among.len()).filter(|at| unread.contains(&among[*at])).collect();
        Unknown { kind, kernels }
    };
    let kinds = Kind::ALL.into_iter().filter(wanted).map(of_kind);
    kinds.filter(|unknown| !unknown.kernels.is_empty()).collect()
}

fn show(hit: &Hit) -> String {
    let (kind, name) = hit.page();
    format!("depsurf show {kind} {name}")
}

/// Nothing answers; says why that may be, and what there is instead.
fn nothing(verb: &Search, text: &str, index: &Index, among: &[usize], results: &Results<'_>) -> Error {
    let mut help: Vec<String> = results
        .unknown
        .iter()
        .map(|unknown| {
            let kernels = results.words(&unknown.kernels);
            format!("it may be there all the same: {} is unknown on {kernels}", unknown.kind)
        })
        .collect();
    let offered = |text, kinds: &[Kind], among: &[usize]| {
        let found = index.search(&Query { text, kinds: kinds.to_vec(), limit: OFFERED }, among);
        found.hits.iter().map(|hit| format!("{} `{}`", hit.what.kind(), hit.title())).collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..index.kernels().len()).collect();
    let is_like = !verb.exact && !verb.regex;
    let tries = [
        (!verb.kind.is_empty(), "of other kinds", false, &[][..], among),
        (among.len() < all.len(), "on other kernels", false, &verb.kind, &all),
        (!is_like, "near to it", true, &verb.kind, among),
    ];
    for (wanted, what, like, kinds, among) in tries {
        let text = if like { Ok(Text::like(text)) } else { matcher(verb, text) };
        let Some(text) = text.ok().filter(|_| wanted) else { continue };
        let names = offered(text, kinds, among);
        if !names.is_empty() {
            help.push(format!("{what}: {}", names.join(", ")));
        }
    }
    let kernels = match among {
        [only] => format!("`{}` has", index.kernels()[*only].id),
        _ => format!("{} kernels have", among.len()),
    };
    let kinds: Vec<&str> = verb.kind.iter().map(|kind| kind.name()).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!("{} ", kinds.join(" or ")) };
    let relation = if verb.exact { "that is" } else { "that answers" };
    Error::Usage {
        what: format!("{kernels} no {kinds}name {relation} `{text}`"),
        help: (!help.is_empty()).then(|| help.join("\n")),
    }
}
