//! `depsurf check FILE...`.

use depsurf::check::{Consequence, Options, Prepared, check, check_scripts};
use depsurf::surface::Surface;
use depsurf_render::Look;
use depsurf_render::check::{Checked, json, markdown, terminal};

use crate::args::{Check, Format, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::groups;
use crate::objects::Files;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what becomes of programs on the chosen kernels; the status tells whether something is as bad as asked.
pub fn run(verb: &Check, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let files = Files::read(&verb.files, told)?;
    let (objects, mut damaged) = files.objects(told);
    let decided = verb.decided.of(&objects, told)?;
    let mut prepared = Vec::new();
    for (found, choices) in objects.iter().zip(&decided) {
        match Prepared::new(&found.name, &found.object) {
            Ok(object) => prepared.push(object.with(choices)),
            Err(error) => {
                damaged = true;
                told.warning(format_args!("{}: {error}", found.name));
            }
        }
    }
    let dataset = dataset::to_read(global, told)?;
    let opened = dataset::open(&dataset, &Wanted::new(&verb.kernel, global)?, told)?;
    let surfaces: Vec<&Surface> = opened.surfaces.iter().collect();
    let options = Options {
        relocations: told.verbose() || verb.format == Format::Json,
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
    let ids: Vec<_> = surfaces.iter().map(|surface| surface.kernel()).collect();
    let checked = Checked { report: &report, labels: groups::short_labels(&ids) };
    match verb.format {
        Format::Table => {
            let width = output.width().unwrap_or(WIDTH);
            let look = Look { colour: output.color(), width, verbose: told.verbose() };
            output.write(terminal(&checked, &look))?;
        }
        Format::Json => output.write(json(&checked))?,
        Format::Md => output.write(markdown(&checked))?,
    }
    let whole = report.objects.iter().flat_map(|object| &object.whole);
    let worst = whole.map(|whole| whole.consequence).max().unwrap_or(Consequence::Fine);
    Ok(match (damaged || opened.damaged, worst >= verb.fail_on) {
        (true, _) => exit::FAILED,
        (false, true) => exit::FOUND,
        (false, false) => exit::FINE,
    })
}
