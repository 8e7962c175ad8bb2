//! `depsurf deps FILE...`.

use depsurf::bpf::Dependencies;
use depsurf_render::Look;
use depsurf_render::deps::{json, terminal};

use crate::args::{Deps, DepsFormat, Global};
use crate::exit;
use crate::objects::Files;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what the objects in files depend on.
pub fn run(verb: &Deps, _: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let files = Files::read(&verb.files, told)?;
    let (objects, mut damaged) = files.objects(told);
    let decided = verb.decided.of(&objects, told)?;
    let mut found = Vec::new();
    for (object, choices) in objects.iter().zip(&decided) {
        match Dependencies::of(&object.name, &object.object, object.place.start, object.place.len()) {
            Ok(dependencies) => found.push(dependencies.with(choices)),
            Err(error) => {
                damaged = true;
                told.warning(format_args!("{}: {error}", object.name));
            }
        }
    }
    found.extend(files.scripts().into_iter().map(|(name, script)| script.dependencies(name)));
    match verb.format {
        DepsFormat::Table => {
            let width = output.width().unwrap_or(WIDTH);
            let look = Look { colour: output.color(), width, verbose: told.verbose() };
            output.write(terminal(&found, &look))?;
        }
        DepsFormat::Json => output.write(json(&found))?,
    }
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}
