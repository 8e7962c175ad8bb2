//! `depsurf doctor [FILE...]`.

use depsurf::check::{Options, check};
use depsurf::extract;
use depsurf::progress::Silent;
use depsurf::surface::Surface;
use depsurf::system::System;
use depsurf_render::Look;
use depsurf_render::doctor::{Doctor, json, terminal};

use crate::args::{self, DoctorFormat, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::objects::{Files, prepare};
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what the running system is like, and what of programs is there.
pub fn run(verb: &args::Doctor, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let system = System::read(&verb.root)?;
    let files = Files::read(&verb.files, told)?;
    let (objects, mut damaged) = files.objects(told);
    let decided = verb.decided.of(&objects, told)?;
    let prepared = prepare(&objects, &decided, told, &mut damaged);
    let kernel =
        if prepared.is_empty() { Err("no object was given".into()) } else { running(&system, global, told) };
    let surfaces: Vec<&Surface> = kernel.as_ref().map(|(surface, _)| surface).into_iter().collect();
    // Without a kernel the report has no verdicts, and is what is asked about.
    let report = check(&prepared, &surfaces, Options { ways: true, ..Options::default() });
    let from = kernel.as_ref().map(|(_, from)| from.clone()).map_err(Clone::clone);
    let doctor = Doctor::new(&system, from, &report);
    match verb.format {
        DoctorFormat::Table => {
            let width = output.width().unwrap_or(WIDTH);
            let look = Look { colour: output.color(), width, verbose: told.verbose() };
            output.write(terminal(&doctor, &look))?;
        }
        DoctorFormat::Json => output.write(json(&doctor))?,
    }
    Ok(match (damaged, doctor.is_well()) {
        (true, _) => exit::FAILED,
        (false, true) => exit::FINE,
        (false, false) => exit::FOUND,
    })
}

/// The surface of the kernel that runs, and where it is from: the one of the dataset that `uname -r` names, made from the image,
/// which tells more; else the one that the kernel tells of itself. Where there is none, why.
fn running(system: &System, global: &Global, told: &Terminal) -> Result<(Surface, String), String> {
    let open = || -> depsurf::Result<dataset::Opened> {
        let dataset = dataset::to_read(global, told)?;
        dataset::open(&dataset, &Wanted::new(&[], global)?, told)
    };
    let release = system.live.release();
    let is_it = |surface: &Surface| release.is_some() && surface.meta().uname.as_deref() == release;
    match open().map(|opened| opened.surfaces.into_iter().find(is_it)) {
        Ok(Some(surface)) => {
            let from = format!("`{}` of the dataset", surface.kernel());
            return Ok((surface, from));
        }
        Ok(None) => {}
        Err(error) => told.warning(error),
    }
    let live = extract::live::surface(&system.live, &extract::Options::default(), &Silent)
        .and_then(|extracted| Surface::from_bytes(extracted.bytes))
        .map_err(|error| error.to_string())?;
    let from = format!("what the kernel tells of itself; the dataset does not have `{}`", live.kernel());
    Ok((live, from))
}
