//! `depsurf pull SPEC...`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use depsurf::progress::Progress;
use depsurf::source::{self, Config, ModuleChoice, ModulePackage};
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use depsurf::surface::meta::{Checked, Fetched};
use depsurf::{Error, extract};
use depsurf_fetch::{
    Amount, Archive, Cache, Client, Debuginfod, Distribution, Download, Fedora, Finished, Kernel, Mirror,
    Options, Place, Remote, Spec, Trust, apt,
};

use crate::args::{Global, Pull};
use crate::batch::{self, Done, Task};
use crate::dataset;
use crate::exit;
use crate::known::{Known, Wanted};
use crate::memory;
use crate::output::Output;
use crate::progress::Bar;
use crate::terminal::Terminal;

/// First bytes of a Debian package.
const DEB: &[u8] = b"!<arch>\n";

/// A kernel that was found, and by which place.
struct Item {
    place: &'static str,
    kernel: Kernel,
}

/// What was fetched beside the package with the vmlinux.
#[derive(Default)]
struct Beside {
    config: Option<Config>,
    /// The package that the configuration was in, if it was kept, which may have modules.
    package: Option<PathBuf>,
}

/// What all kernels have in common.
struct Work<'a> {
    verb: &'a Pull,
    client: Client,
    cache: Cache,
    dataset: PathBuf,
    known: Known,
    modules: ModuleChoice,
    verbose: bool,
}

/// Fetches kernels, keeps their surfaces, and prints the kernels' names.
pub fn run(verb: &Pull, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let modules = ModuleChoice::parse(&verb.modules)?;
    let reads_modules = !modules.is_none();
    let client = Client::new(options(verb));
    let directory = verb.cache.clone().or_else(dataset::cache);
    let cache = Cache::new(directory.context("no place for what is fetched: name one with --cache")?);
    cache.tidy();
    let dataset = dataset::place_to_write(global)?;
    let known = match dataset.exists() {
        true => Known::of(&Dataset::open(&dataset)?),
        false => Known::default(),
    };
    let (items, failed) = find(verb, &client, &cache, terminal)?;
    let work = Work { verb, client, cache, dataset, known, modules, verbose: terminal.verbose() };
    if verb.list || verb.dry_run {
        list(&items, &work, output)?;
        return Ok(if failed { exit::FAILED } else { exit::FINE });
    }
    let tasks = items.iter().map(|item| Task {
        name: item.kernel.release.clone(),
        need: memory::need(item.kernel.image.size, true, reads_modules),
        work: Box::new(|progress| work.one(item, progress)),
    });
    let status = batch::run(tasks.collect(), verb.limits.limits(), terminal, output)?;
    Ok(if failed { exit::FAILED } else { status })
}

fn options(verb: &Pull) -> Options {
    let mut options = Options::default();
    if let Some(timeout) = verb.timeout {
        options.connect = timeout;
        options.idle = timeout;
    }
    if let Some(connections) = verb.connections {
        options.connections = connections.get();
    }
    options
}

/// What the specifications stand for, and whether one of them stands for nothing, which has been told.
fn find(
    verb: &Pull,
    client: &Client,
    cache: &Cache,
    terminal: &Terminal,
) -> anyhow::Result<(Vec<Item>, bool)> {
    let mut places: BTreeMap<&str, Box<dyn Place>> = BTreeMap::new();
    let mut items: Vec<Item> = Vec::new();
    let mut failed = false;
    let progress = Bar::new(terminal);
    for spec in &verb.specs {
        progress.step(&format!("look for {spec}"), None);
        let found = match places.get(spec.place) {
            Some(place) => place.find(&spec.wanted),
            None => place(spec, verb, client, cache)
                .and_then(|place| places.entry(spec.place).or_insert(place).find(&spec.wanted)),
        };
        match found {
            Ok(found) => {
                progress.suspend(|| found.warnings.iter().for_each(|warning| terminal.warning(warning)));
                for kernel in found.kernels {
                    if !items.iter().any(|item| item.kernel.image.url == kernel.image.url) {
                        items.push(Item { place: spec.place, kernel });
                    }
                }
            }
            Err(error) => {
                let error = Error::from(error).at(spec.to_string());
                progress.suspend(|| terminal.error(&error.into()));
                failed = true;
            }
        }
    }
    progress.finish();
    Ok((items, failed))
}

/// The place that a specification names, at the addresses that the user gives.
fn place(spec: &Spec, verb: &Pull, client: &Client, cache: &Cache) -> depsurf_fetch::Result<Box<dyn Place>> {
    let variable = match spec.place {
        "debuginfod" => "DEBUGINFOD_URLS".to_owned(),
        place => format!("DEPSURF_MIRROR_{}", place.to_ascii_uppercase()),
    };
    let mut urls = verb.mirror.clone();
    if urls.is_empty() {
        let value = env::var(&variable).unwrap_or_default();
        urls = value.split_ascii_whitespace().map(str::to_owned).collect();
    }
    let trust = match (&verb.keyring, verb.unsigned) {
        (_, true) => Trust::Unsigned,
        (Some(path), _) => Trust::Keyring(path.clone()),
        (None, false) => Trust::System,
    };
    let mirrors = || urls.iter().map(|url| Mirror::new(url)).collect::<depsurf_fetch::Result<Vec<_>>>();
    let archive = |distribution, mirrors| Box::new(Archive::new(distribution, mirrors, trust, client, cache));
    Ok(match spec.place {
        "debian" if urls.is_empty() => archive(Distribution::Debian, apt::debian()?),
        "debian" => archive(Distribution::Debian, mirrors()?),
        "ubuntu" if urls.is_empty() => {
            return Err(depsurf_fetch::Error::Usage {
                what: "no mirror of Ubuntu is known".into(),
                help: Some(format!(
                    "name the archive and that of its debug packages with --mirror (twice), or in {variable}"
                )),
            });
        }
        "ubuntu" => archive(Distribution::Ubuntu, mirrors()?),
        "fedora" => Box::new(Fedora::new(&urls, client, cache)),
        _ => Box::new(Debuginfod::new(&urls.join(" "), client)),
    })
}

/// A table of what was found, with what is there already.
fn list(items: &[Item], work: &Work<'_>, output: &mut Output) -> anyhow::Result<()> {
    let mut rows = vec![["release", "version", "arch", "suite", "MB", "dataset"].map(str::to_owned)];
    let mut total = 0;
    for Item { kernel, .. } in items {
        let there = work.known.find(&work.wanted(kernel));
        if work.verb.dry_run && !work.verb.force && there.is_some() {
            continue;
        }
        let size = kernel.image.size + kernel.config.as_ref().map_or(0, |config| config.size);
        total += size;
        rows.push([
            kernel.release.clone(),
            kernel.image.version.clone(),
            kernel.arch.clone(),
            kernel.suite.clone(),
            format!("{:.1}", size as f64 / 1e6),
            there.map_or("-".into(), ToString::to_string),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cell = |(column, text): (usize, &String)| match (column, widths[column]) {
            (4, width) => format!("{text:>width$}"),
            (_, width) => format!("{text:width$}"),
        };
        let line: Vec<String> = row.iter().enumerate().map(cell).collect();
        output.line(line.join("  ").trim_end())?;
    }
    output.line(format!("{} kernels, at most {:.1} MB to fetch", rows.len() - 1, total as f64 / 1e6))
}

impl Work<'_> {
    /// What is known of a kernel before it is fetched.
    fn wanted<'k>(&self, kernel: &'k Kernel) -> Wanted<'k> {
        let image = &kernel.image;
        let by_id = image.version.is_empty();
        Wanted {
            package: (!by_id).then_some((&image.name, &image.version)),
            build_id: by_id.then_some(&image.name),
            config: kernel.config.is_some(),
            verify: self.verb.verify,
            modules: self.reads_modules(),
            name: None,
        }
    }

    fn one(&self, item: &Item, progress: &dyn Progress) -> depsurf::Result<Done> {
        let kernel = &item.kernel;
        // What was kept may have losses that are not accepted now.
        if !self.verb.force
            && !self.verb.strict
            && let Some(there) = self.known.find(&self.wanted(kernel))
        {
            let notes =
                vec![format!("`{there}` is there already, from the same package; --force reads it again")];
            return Ok(Done {
                kernel: there.clone(),
                unchanged: true,
                detail: None,
                notes,
                warnings: Vec::new(),
            });
        }
        let mut fetched = 0;
        let mut beside = Beside::default();
        if let Some(remote) = &kernel.config {
            progress.step("fetch the configuration", None);
            let (config, finished) = self.config(remote)?;
            fetched += finished.fetched;
            beside = Beside { config: Some(config), package: finished.path };
        }
        progress.step("fetch the package", None);
        let download = self.begin(&kernel.image, self.amount())?;
        let is_deb = {
            let first = DEB.len().min(download.bytes().len());
            source::Ranges::ensure(&download, 0..first as u64)?;
            download.bytes().starts_with(DEB)
        };
        let read = if is_deb {
            self.while_it_arrives(item, download, &beside, progress)
        } else {
            self.when_it_is_there(item, download, &beside, progress)
        };
        if let Some(path) = &beside.package {
            self.forget(path);
        }
        let (surface, notes, finished) = read?;
        fetched += finished.fetched;
        progress.step("keep the surface", None);
        Dataset::create(&self.dataset)?.add(&surface)?;
        let size = kernel.image.size + kernel.config.as_ref().map_or(0, |config| config.size);
        let checked = match surface.meta().fetched.as_ref().map(|fetched| fetched.checked) {
            Some(Checked::Whole) => "checksum compared",
            Some(Checked::BuildId) => "build id compared",
            _ => "not all of it, so its checksum is not compared",
        };
        let detail = format!("fetched {:.1} of {:.1} MB, {checked}", fetched as f64 / 1e6, size as f64 / 1e6);
        Ok(Done {
            kernel: surface.kernel().clone(),
            unchanged: false,
            detail: Some(detail),
            notes,
            warnings: Vec::new(),
        })
    }

    fn reads_modules(&self) -> bool {
        !self.modules.is_none()
    }

    /// Modules are nearly all of a package, so that nothing is saved where some are read.
    fn amount(&self) -> Amount {
        if self.verb.verify || self.verb.keep || self.reads_modules() {
            Amount::Whole
        } else {
            Amount::Needed
        }
    }

    fn begin(&self, remote: &Remote, amount: Amount) -> depsurf::Result<Download> {
        Ok(Download::begin(&self.client, remote, &self.cache.packages(), amount)?)
    }

    fn config(&self, remote: &Remote) -> depsurf::Result<(Config, Finished)> {
        let download = self.begin(remote, self.amount())?;
        source::Ranges::ensure(&download, 0..(DEB.len() as u64).min(remote.size))?;
        if download.bytes().starts_with(DEB) {
            let config = source::fetched_config(&remote.file, download.bytes(), &download);
            let (config, download) = settled(config, download)?;
            // Where modules are stripped, their code is in this package.
            return Ok((config, download.finish(self.verb.keep || self.reads_modules())?));
        }
        let finished = download.finish(true)?;
        let path = finished.path.as_deref().unwrap_or(Path::new(&remote.file));
        let config = source::read_config(path);
        if !self.reads_modules() || config.is_err() {
            self.forget(path);
        }
        Ok((config?, finished))
    }

    /// Reads a package while its parts arrive.
    fn while_it_arrives(
        &self,
        item: &Item,
        download: Download,
        beside: &Beside,
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>, Finished)> {
        let file = &item.kernel.image.file;
        let kernel = source::fetched(file, download.bytes(), &download, progress);
        let (mut kernel, download) = settled(kernel, download)?;
        if self.reads_modules() {
            kernel.modules.push(ModulePackage::arriving(download.arriving()));
        }
        self.add_beside(&mut kernel, beside)?;
        let checked = if download.is_whole() { Checked::Whole } else { Checked::Index };
        // What is left of the package arrives meanwhile. Nothing is kept before it was compared.
        let extracted = self.extract(item, &kernel, checked, progress);
        drop(kernel);
        let (surface, notes) = match extracted {
            Ok(extracted) => extracted,
            Err(error) => {
                download.discard();
                return Err(error);
            }
        };
        progress.step("fetch the rest", None);
        Ok((surface, notes, download.finish(self.verb.keep)?))
    }

    /// Reads what has to be there as a whole.
    fn when_it_is_there(
        &self,
        item: &Item,
        download: Download,
        beside: &Beside,
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>, Finished)> {
        let finished = download.finish(true)?;
        let path = finished.path.as_deref().unwrap_or(Path::new(&item.kernel.image.file));
        let read = || {
            let mut kernel = source::open(path, &source::Options::default(), progress)?;
            self.add_beside(&mut kernel, beside)?;
            let by_id = item.place == "debuginfod";
            let checked = if by_id { Checked::BuildId } else { Checked::Whole };
            let (surface, notes) = self.extract(item, &kernel, checked, progress)?;
            if by_id && surface.meta().build_id.as_deref() != Some(&item.kernel.image.name) {
                let found = surface.meta().build_id.as_deref().unwrap_or("none");
                return Err(Error::Fetch {
                    what: format!(
                        "`{}` is not what was asked for: its build id is {found}",
                        item.kernel.image.url
                    ),
                    help: Some("ask another server with --mirror".into()),
                });
            }
            Ok((surface, notes))
        };
        let result = read();
        self.forget(path);
        let (surface, notes) = result?;
        Ok((surface, notes, finished))
    }

    /// Gives a kernel what was fetched beside its package.
    fn add_beside(&self, kernel: &mut source::Kernel, beside: &Beside) -> depsurf::Result<()> {
        if let Some(config) = &beside.config {
            kernel.config = Some(config.clone());
        }
        if let Some(path) = beside.package.as_ref().filter(|_| self.reads_modules()) {
            kernel.modules.push(ModulePackage::open(path)?);
        }
        Ok(())
    }

    fn extract(
        &self,
        item: &Item,
        kernel: &source::Kernel,
        checked: Checked,
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>)> {
        let fetched = Fetched { place: item.place.into(), suite: item.kernel.suite.clone(), checked };
        let options = extract::Options {
            strict: self.verb.strict,
            fetched: Some(fetched),
            modules: self.modules.clone(),
            ..Default::default()
        };
        let extracted = extract::surface(kernel, &options, progress)
            .map_err(|error| error.at(item.kernel.image.file.clone()))?;
        let mut notes = Vec::new();
        if kernel.config.is_none() {
            notes.push("the configuration is unknown: no package with it was found".into());
        }
        notes.extend(crate::add::tell(&extracted.notes, self.verbose));
        Ok((Surface::from_bytes(extracted.bytes)?, notes))
    }

    /// Removes a file that is not to be kept.
    fn forget(&self, path: &Path) {
        if !self.verb.keep {
            // It is in the cache, where what is left over does no harm.
            let _ = fs::remove_file(path);
        }
    }
}

/// What was read, or the error, after which a damaged download is thrown away, and one that broke off is kept.
fn settled<T>(read: depsurf::Result<T>, download: Download) -> depsurf::Result<(T, Download)> {
    match read {
        Ok(read) => Ok((read, download)),
        Err(error) => {
            if !is_about_fetching(&error) {
                download.discard();
            }
            Err(error)
        }
    }
}

fn is_about_fetching(error: &Error) -> bool {
    match error {
        Error::In { source, .. } => is_about_fetching(source),
        error => matches!(error, Error::Fetch { .. }),
    }
}
