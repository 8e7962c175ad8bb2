//! `depsurf check FILE...`.

use depsurf::check::{Cover, Options, Report, check, check_scripts};
use depsurf::surface::Surface;
use depsurf_render::Look;
use depsurf_render::check::{Checked, cover, cover_json, github, json, junit, markdown, sarif, terminal};

use crate::args::{Check, CheckFormat, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::gate::Gate;
use crate::groups;
use crate::objects::{Files, Found, prepare};
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what becomes of programs on the chosen kernels; the status tells whether something is as bad as asked.
pub fn run(verb: &Check, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    if verb.matrix && !matches!(verb.format, CheckFormat::Table | CheckFormat::Json) {
        return Err(depsurf::Error::Usage {
            what: "--matrix is written as a table or as JSON".into(),
            help: Some("leave --format out, or ask for `--format json`".into()),
        }
        .into());
    }
    // What cannot be used is told before there is work.
    let gate = Gate::read(verb)?;
    let files = Files::read(&verb.files, told)?;
    let (objects, mut damaged) = files.objects(told);
    let decided = verb.decided.of(&objects, told)?;
    let prepared = prepare(&objects, &decided, told, &mut damaged);
    let dataset = dataset::to_read(global, told)?;
    let opened = dataset::open(&dataset, &Wanted::new(&verb.kernel, global)?, told)?;
    damaged |= opened.damaged;
    let surfaces: Vec<&Surface> = opened.surfaces.iter().collect();
    let options = Options {
        relocations: told.verbose() || verb.format == CheckFormat::Json || verb.lock.is_some(),
        ways: true,
        loaders: told.verbose() || verb.format == CheckFormat::Json,
        reference: surfaces.get(opened.default).copied(),
    };
    let mut report = check(&prepared, &surfaces, options);
    report.objects.extend(check_scripts(&files.scripts(), &surfaces));
    for (name, script) in files.scripts() {
        for note in &script.notes {
            let place = note.first.as_ref().map_or_else(String::new, |first| format!(": {first}"));
            told.warning(format_args!("{name}: {} ({}){place}", note.message, note.count));
        }
    }
    if verb.matrix {
        let chosen = Cover::new(&report);
        output.write(match verb.format {
            CheckFormat::Json => cover_json(&chosen, &report),
            _ => cover(&chosen, &report),
        })?;
        return Ok(if damaged { exit::FAILED } else { exit::FINE });
    }
    let left = gate.settle(&mut report, told)?;
    let ids: Vec<_> = surfaces.iter().map(|surface| surface.kernel()).collect();
    let labels = groups::short_labels(&ids);
    write(verb, &report, &left, labels, &objects, told, output)?;
    Ok(match (damaged, report.counts() >= verb.fail_on) {
        (true, _) => exit::FAILED,
        (false, true) => exit::FOUND,
        (false, false) => exit::FINE,
    })
}

/// Writes a report, or what is `left` of it, in the format that is asked for.
fn write(
    verb: &Check,
    report: &Report,
    left: &Report,
    labels: Vec<String>,
    objects: &[Found<'_>],
    told: &Terminal,
    output: &mut Output,
) -> anyhow::Result<()> {
    let directory = std::env::current_dir().ok();
    let files = depsurf_render::check::Files {
        root: directory.as_ref().and_then(|it| it.to_str()),
        objects: objects
            .iter()
            .map(|found| (found.name.as_str(), found.path.to_str().unwrap_or(&found.name)))
            .collect(),
    };
    let whole = Checked { report, labels: labels.clone() };
    let left = Checked { report: left, labels };
    match verb.format {
        CheckFormat::Table => {
            let width = output.width().unwrap_or(WIDTH);
            let look = Look { colour: output.color(), width, verbose: told.verbose() };
            output.write(terminal(&left, &look))
        }
        CheckFormat::Md => output.write(markdown(&left)),
        CheckFormat::Sarif => output.write(sarif(&left, &files, env!("CARGO_PKG_VERSION"))),
        CheckFormat::Github => output.write(github(&left, &files)),
        // These say of what is settled that it is.
        CheckFormat::Json => output.write(json(&whole)),
        CheckFormat::Junit => output.write(junit(&whole, verb.fail_on)),
    }
}
