//! `depsurf explain RULE`, and of a loader's words.

use std::io::{self, Read};

use anyhow::Context;
use depsurf::Error;
use depsurf::check::{Finding, Message, Options, Prepared, Report, Rule, check, messages};
use depsurf::surface::Surface;

use crate::args::{Explain, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::objects::Files;
use crate::output::Output;
use crate::side::Decided;
use crate::terminal::Terminal;

/// Prints what a rule means, what a log tells, or all rules in a line each.
pub fn run(verb: &Explain, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let text = match verb.text.as_slice() {
        [] => return list(output),
        [only] if only == "-" => {
            let mut log = Vec::new();
            io::stdin().read_to_end(&mut log).context("cannot read standard input")?;
            String::from_utf8_lossy(&log).into_owned()
        }
        [only] if !only.contains(char::is_whitespace) => {
            output.write(rule(only.parse()?))?;
            return Ok(exit::FINE);
        }
        words => words.join(" "),
    };
    let found = messages(&text);
    if found.is_empty() {
        return Err(Error::Usage {
            what: "no message that is known".into(),
            help: Some(
                "known are those of libbpf, ebpf-go, aya, BCC and the kernel that say why something failed; `depsurf explain` \
                 lists all rules"
                    .into(),
            ),
        }
        .into());
    }
    let report = if verb.object.is_empty() { None } else { Some(checked(verb, global, told)?) };
    for message in &found {
        output.write(words(message, report.as_ref()))?;
    }
    Ok(exit::FINE)
}

fn list(output: &mut Output) -> anyhow::Result<u8> {
    let width = Rule::ALL.iter().map(|rule| rule.id().len()).max().unwrap_or(0);
    for rule in Rule::ALL {
        let entry = rule.entry();
        output.write(format!("{:width$}  {:13}  {}\n", entry.id, entry.consequence.name(), entry.title))?;
    }
    Ok(exit::FINE)
}

fn rule(rule: Rule) -> String {
    let entry = rule.entry();
    format!(
        "{}: {}\n\nconsequence  {}\nsource       {}\n\n{}\n",
        entry.id, entry.title, entry.consequence, entry.reference, entry.explanation
    )
}

/// What becomes of the objects on the kernels.
fn checked(verb: &Explain, global: &Global, told: &Terminal) -> anyhow::Result<Report> {
    let files = Files::read(&verb.object, told)?;
    let (objects, _) = files.objects(told);
    let decided = Decided { deps: None, program: Vec::new() }.of(&objects, told)?;
    let prepared = objects.iter().zip(&decided);
    let prepared =
        prepared.map(|(found, choices)| Ok(Prepared::new(&found.name, &found.object)?.with(choices)));
    let prepared: Vec<Prepared<'_>> = prepared.collect::<depsurf::Result<_>>()?;
    let dataset = dataset::to_read(global, told)?;
    let opened = dataset::open(&dataset, &Wanted::new(&verb.kernel, global)?, told)?;
    let surfaces: Vec<&Surface> = opened.surfaces.iter().collect();
    Ok(check(&prepared, &surfaces, Options { ways: true, ..Options::default() }))
}

/// A message, what it may be, and where the objects are known: which of that it is.
fn words(message: &Message, report: Option<&Report>) -> String {
    let mut text = format!("line {}: {}\n", message.line, message.text);
    let causes: Vec<(String, &Finding)> = report.map(|report| causes(report, message)).unwrap_or_default();
    if causes.is_empty() {
        for rule in &message.rules {
            let about = message.name.as_ref().map_or_else(String::new, |name| format!(" `{name}`"));
            text += &format!("  {}{about}: {}\n", rule.id(), rule.entry().title);
        }
        if report.is_some() {
            text += "  the object has none of these on the kernels\n";
        }
    }
    for (place, finding) in causes {
        text += &format!("  {} `{}`: {}\n", finding.rule, finding.subject, finding.rule.entry().title);
        text += &format!("    {place}: {}\n", finding.evidence);
        if let Some(place) = &finding.place {
            text += &format!("    {}:{}: {}\n", place.file, place.line, place.text);
        }
        for way in &finding.ways {
            text += &format!("    way out: {}\n", way.text);
            text += &way.code.as_ref().map_or_else(String::new, |code| format!("      {code}\n"));
        }
    }
    text
}

/// The findings that a message may come from, each once.
fn causes<'r>(report: &'r Report, message: &Message) -> Vec<(String, &'r Finding)> {
    let mut found: Vec<(String, &Finding)> = Vec::new();
    // libbpf writes fields with a dot and its own flavour, events with a slash.
    let plain = |name: &str| {
        let (root, rest) = name.split_once('.').unwrap_or((name, ""));
        let root = depsurf::bpf::core::essential_name(root).0;
        let name = if rest.is_empty() { root.to_owned() } else { format!("{root}.{rest}") };
        name.replace("::", ".").replace('/', ":")
    };
    let is_meant = |finding: &Finding| {
        let named = message.name.as_ref().is_none_or(|name| {
            plain(&finding.subject).contains(&plain(name)) || plain(name).contains(&plain(&finding.subject))
        });
        named && message.rules.contains(&finding.rule)
    };
    for object in &report.objects {
        for (kernel, whole) in report.kernels.iter().zip(&object.whole) {
            let own = whole.findings.iter().filter(|finding| is_meant(finding));
            found.extend(own.map(|finding| (format!("{} on {kernel}", object.name), finding)));
        }
        for program in &object.programs {
            for (kernel, verdict) in report.kernels.iter().zip(&program.verdicts) {
                let of = verdict.findings.iter().filter(|finding| is_meant(finding));
                found.extend(
                    of.map(|finding| (format!("{} of {} on {kernel}", program.name, object.name), finding)),
                );
            }
        }
    }
    found
}
