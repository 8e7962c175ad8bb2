//! `depsurf check FILE...`.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use depsurf::Error;
use depsurf::bpf::{self, Object};
use depsurf::check::{Consequence, Options, Prepared, check};
use depsurf::surface::Surface;
use depsurf_render::Look;
use depsurf_render::check::{Checked, json, markdown, terminal};

use crate::args::{Check, Format, Global};
use crate::dataset::{self, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Columns where the result does not go to a terminal.
const WIDTH: usize = 100;

/// Prints what becomes of programs on the chosen kernels; the status tells whether something is as bad as asked.
pub fn run(verb: &Check, global: &Global, told: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let mut damaged = false;
    let files: Vec<Input> = verb.files.iter().map(|path| Input::open(path)).collect::<Result<_, _>>()?;
    let images: Vec<(String, &[u8])> = files.iter().flat_map(Input::images).collect();
    let mut objects = Vec::new();
    for (name, bytes) in images {
        match Object::parse(bytes) {
            Ok(object) => objects.push((name, object)),
            Err(error) => {
                damaged = true;
                told.warning(format_args!("{name}: {error}"));
            }
        }
    }
    let mut prepared = Vec::new();
    for (name, object) in &objects {
        match Prepared::new(name.clone(), object) {
            Ok(object) => prepared.push(object),
            Err(error) => {
                damaged = true;
                told.warning(format_args!("{name}: {error}"));
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
    let report = check(&prepared, &surfaces, options);
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

/// A file, and where objects are in it.
struct Input {
    name: String,
    bytes: Vec<u8>,
    images: Vec<Range<usize>>,
}

impl Input {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let images: Vec<Range<usize>> = bpf::scan(&bytes).collect();
        if images.is_empty() {
            return Err(Error::Usage {
                what: format!("`{}` has no eBPF object", path.display()),
                help: Some("objects are ELF files of machine 247, alone or inside another file".into()),
            }
            .into());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, bytes, images })
    }

    /// The objects in it; where there are several they are numbered.
    fn images(&self) -> impl Iterator<Item = (String, &[u8])> {
        let several = self.images.len() > 1;
        self.images.iter().enumerate().map(move |(number, image)| {
            let name = if several { format!("{}#{}", self.name, number + 1) } else { self.name.clone() };
            (name, &self.bytes[image.clone()])
        })
    }
}
