//! `truth`: what real kernels make of what the library predicts.
//!
//! Boots kernels of Debian's packages with an initramfs that holds one program of ours (`truth/init.c`), the eBPF objects
//! of `libbpf-tools` and a sample of names. That program loads and attaches everything one by one and tells what came of
//! it. What it told is kept, so that the comparison can be repeated. `docs/truth.md` keeps the last run, with the reason
//! of each miss.

mod compare;
mod cpio;
mod lists;
mod machine;
pub mod objects;
mod outcome;
mod report;
mod sample;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use depsurf::source;
use depsurf::store::Dataset;
use depsurf::surface::Surface;

use self::cpio::Cpio;
use self::machine::{Boot, Machine};
use self::objects::Carried;
use self::outcome::Told;
use self::report::Booted;
use self::sample::Try;
use crate::kernels;
use crate::packages::{self, Line};

/// Which kernels, and how.
#[derive(Debug, Parser)]
pub struct Args {
    /// Kernels by part of their package's name, as in `6.1.0-50-cloud-amd64`; those of the starter dataset when none
    /// is given
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// Do not boot: compare again with what was told last time
    #[arg(long)]
    pub reuse: bool,
    /// Try nothing, and only compare what the kernels list of themselves, which takes a minute for each
    #[arg(long)]
    pub lists: bool,
    /// Let the host's processor run the machine, which is faster and can hang
    #[arg(long)]
    pub kvm: bool,
    /// Seconds after which a machine is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub patience: u64,
    /// A dataset, as `cargo xtask dataset` makes it, with surfaces that need not be made again
    #[arg(long, value_name = "DIR")]
    pub dataset: Option<PathBuf>,
}

/// Boots, compares, prints the tables and keeps them in `target/truth/report.md`.
pub fn run(args: &Args) -> Result<()> {
    let directory = crate::target().join("truth");
    let mut booted = Vec::new();
    for line in chosen(&args.kernels)? {
        booted.push(one(&line, args, &directory).with_context(|| line.package())?);
    }
    let text = if args.lists { report::lists(&booted) } else { report::report(&booted) };
    print!("{text}");
    let path = directory.join(if args.lists { "lists.md" } else { "report.md" });
    fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The lines whose packages have one of the names.
fn chosen(names: &[String]) -> Result<Vec<Line>> {
    if names.is_empty() {
        return Ok(packages::STARTER.to_vec());
    }
    let mut chosen = Vec::new();
    for name in names {
        let found: Vec<Line> =
            packages::DATASET.into_iter().filter(|line| line.package().contains(name.as_str())).collect();
        if found.is_empty() {
            let known: Vec<String> = packages::DATASET.iter().map(Line::package).collect();
            bail!("no kernel has `{name}` in the name of its package; known are {}", known.join(", "));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

fn one(line: &Line, args: &Args, directory: &Path) -> Result<Booted> {
    let machine = Machine::of(line.arch)?;
    machine.check(!args.reuse)?;
    let surface = surface(line, args.dataset.as_deref())?;
    let carried = if args.lists { Vec::new() } else { objects::carried(line.arch, directory)? };
    let mut tries: Vec<Try> = Vec::new();
    let names = if args.lists { Vec::new() } else { sample::names(&surface) };
    for (what, _) in sample::OF_FUNCTIONS {
        tries.extend(names.iter().map(|(class, name)| Try { what, name: name.clone(), class }));
    }
    let hooks = if args.lists { Vec::new() } else { sample::hooks(&surface) };
    // What was told of attempts stays for `--reuse`.
    let suffix = if args.lists { "-lists" } else { "" };
    let here = directory.join(format!("{}{suffix}", surface.kernel()));
    fs::create_dir_all(&here).with_context(|| format!("cannot create `{}`", here.display()))?;
    let (console, how) = (here.join("console.log"), here.join("how"));
    if !args.reuse {
        let names: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        let text = boot(line, machine, args, &here, &initramfs_files(&carried, &names, &hooks))?;
        fs::write(&how, &text).with_context(|| format!("cannot write `{}`", how.display()))?;
    }
    let bytes = fs::read(&console)
        .with_context(|| format!("cannot read `{}`: boot once without --reuse", console.display()))?;
    let told = Told::read(&String::from_utf8_lossy(&bytes))
        .with_context(|| format!("on the console, `{}`", console.display()))?;
    tries.extend(hooks);
    let compared = compare::compare(&surface, &carried, &tries, &told)?;
    let lists = lists::compare(&surface, &told);
    let mut troubles = told.troubles;
    let attempts = tries.len() + carried.len() + objects::programs(&carried)?;
    if compared.len() < attempts {
        troubles.push(format!("{} of {attempts} attempts have no outcome", attempts - compared.len()));
    }
    Ok(Booted {
        kernel: surface.kernel().to_string(),
        how: format!(
            "`uname -r` {}, {}, {}; {} objects with {} programs, {} names, {} other hooks",
            told.release,
            told.libbpf,
            fs::read_to_string(&how).unwrap_or_else(|_| "booted elsewhere".into()),
            carried.len(),
            objects::programs(&carried)?,
            names.len(),
            tries.len() - names.len() * sample::OF_FUNCTIONS.len(),
        ),
        compared,
        lists,
        troubles,
    })
}

/// The surface of the line's kernel, from a dataset where it is there.
fn surface(line: &Line, dataset: Option<&Path>) -> Result<Surface> {
    let directory = dataset.map_or_else(|| crate::target().join("dataset"), Path::to_owned);
    // What `dataset` leaves beside the files, so that the kernel of a package is known without reading the package.
    if let Ok(kernel) = fs::read_to_string(directory.join(format!(".{}.done", line.package()))) {
        let dataset = Dataset::open(&directory)?;
        let listing = dataset.list()?;
        if let Some(entry) = listing.entries.iter().find(|entry| entry.kernel.to_string() == kernel) {
            match dataset.surface(entry) {
                Ok(surface) => return Ok(surface),
                Err(error) => eprintln!("cannot use the surface at hand: {error}"),
            }
        }
    }
    kernels::surface(line)
}

/// What the machine's program reads.
fn initramfs_files(carried: &[Carried], names: &[&str], hooks: &[Try]) -> Vec<(String, Vec<u8>)> {
    let lines = hooks.iter().map(|hook| format!("{} {}\n", hook.what, hook.name));
    let mut files = vec![
        ("truth/probe.o".to_owned(), objects::probe()),
        ("truth/names".to_owned(), names.join("\n").into_bytes()),
        ("truth/hooks".to_owned(), lines.collect::<String>().into_bytes()),
        ("truth/lists".to_owned(), lists::asked().into_bytes()),
    ];
    files.extend(carried.iter().map(|it| (format!("truth/objects/{}", it.name), it.bytes.clone())));
    files
}

/// Boots the line's kernel; gives how that went.
fn boot(
    line: &Line,
    machine: Machine,
    args: &Args,
    here: &Path,
    files: &[(String, Vec<u8>)],
) -> Result<String> {
    let (release, version) = packages::release(line)?;
    let beside = |kind: &str| packages::package(line, &format!("linux-{kind}-{release}"), &version);
    let image = beside("image")?;
    // Since 7.2 kernel and configuration are in packages of their own.
    let places = ["./boot/vmlinuz-*", "./usr/lib/modules/*/vmlinuz"];
    let bytes = machine::member(&image, &places).or_else(|_| machine::member(&beside("binary")?, &places))?;
    let config = match source::read_config(&image) {
        Ok(config) => config,
        Err(_) => source::read_config(&beside("base")?)?,
    };
    let kernel = here.join("vmlinuz");
    fs::write(&kernel, bytes).with_context(|| format!("cannot write `{}`", kernel.display()))?;

    let program = machine.build(here.parent().unwrap_or(here))?;
    let mut archive = Cpio::default();
    for path in ["dev", "boot", "truth", "truth/objects"] {
        archive.directory(path);
    }
    archive.console("dev/console");
    archive.file("init", &fs::read(&program)?);
    archive.file(&format!("boot/config-{release}"), config.text.as_bytes());
    for (path, contents) in files {
        archive.file(path, contents);
    }
    let initramfs = here.join("initramfs.cpio");
    fs::write(&initramfs, archive.build())
        .with_context(|| format!("cannot write `{}`", initramfs.display()))?;
    let console = here.join("console.log");
    eprintln!("booting {}", image.display());
    let time = machine.boot(&Boot {
        kernel: &kernel,
        initramfs: &initramfs,
        console: &console,
        kvm: args.kvm,
        patience: Duration::from_secs(args.patience),
    })?;
    let by = if args.kvm { "KVM" } else { "emulation" };
    Ok(format!("{}, {by}, {:.0} s", crate::oracle::today()?, time.as_secs_f64()))
}
