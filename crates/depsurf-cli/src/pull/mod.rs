//! `depsurf pull SPEC...`.

mod list;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use depsurf::progress::Progress;
use depsurf::source::{self, Config, ModuleChoice, ModulePackage};
use depsurf::store::Dataset;
use depsurf::surface::Surface;
use depsurf::surface::meta::{Checked, Fetched, Signed};
use depsurf::{Error, extract};
use depsurf_fetch::{
    Amount, Archive, Cache, Client, Debuginfod, Distribution, Download, Fedora, Finished, Kernel, Mirror,
    Options, Own, Place, Remote, Spec, Trust, apt,
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

/// As many first bytes tell what a package is.
const FIRST: u64 = 8;

/// A kernel that was found, and by which place.
struct Item {
    place: &'static str,
    kernel: Kernel,
}

/// What was fetched beside the package with the vmlinux.
#[derive(Default)]
struct Beside {
    config: Option<Config>,
    /// Packages that may have the code of the vmlinux, or modules, for which they are there as a whole.
    packages: Vec<Download>,
    /// Bytes that came over the network, of those that are finished.
    fetched: u64,
    /// What the user should know of all that is fetched.
    warnings: Vec<String>,
}

impl Beside {
    /// Waits for what is still wanted of the packages, checks them, and keeps or removes them.
    fn finish(&mut self, keep: bool) -> depsurf::Result<()> {
        for package in self.packages.drain(..) {
            self.fetched += package.finish(keep)?.fetched;
        }
        Ok(())
    }
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
        list::list(&items, &work, output)?;
        return Ok(if failed { exit::FAILED } else { exit::FINE });
    }
    let tasks = items.iter().map(|item| Task {
        name: item.kernel.release.clone(),
        need: memory::need(item.kernel.image.size, true, reads_modules) + work.beside(&item.kernel),
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
    let archive =
        |distribution, mirrors| Box::new(Archive::new(distribution, mirrors, trust.clone(), client, cache));
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
        "fedora" => Box::new(Fedora::new(&urls, trust, client, cache)),
        _ => Box::new(Debuginfod::new(&urls.join(" "), client)),
    })
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
        let mut beside = Beside::default();
        if let Some(remote) = &kernel.config {
            progress.step("fetch the configuration", None);
            let (config, package) = self.config(remote, &mut beside)?;
            beside.config = Some(config);
            // Where the vmlinux or modules are stripped, their code is in this package.
            beside.packages.push(package);
        }
        if self.reads_modules() {
            for remote in &kernel.modules {
                progress.step(&format!("fetch {}", remote.name), None);
                self.modules(remote, &mut beside)?;
            }
        }
        progress.step("fetch the package", None);
        let download = self.begin(&kernel.image, self.amount(), &mut beside)?;
        let (surface, notes, finished) = match can_arrive(&download)? {
            true => self.while_it_arrives(item, download, &mut beside, progress),
            false => self.when_it_is_there(item, download, &mut beside, progress),
        }?;
        // Nothing is kept before all was compared.
        beside.finish(self.verb.keep)?;
        let fetched = finished.fetched + beside.fetched;
        progress.step("keep the surface", None);
        Dataset::create(&self.dataset)?.add(&surface)?;
        let size = self.size(kernel);
        let provenance = surface.meta().fetched.as_ref();
        let signed = match provenance.is_some_and(|fetched| !fetched.signed.is_empty()) {
            true => ", signed",
            false => "",
        };
        let checked = match provenance.map(|fetched| fetched.checked) {
            Some(Checked::Whole) => "checksum compared",
            Some(Checked::BuildId) => "build id compared",
            _ => "not all of it, so its checksum is not compared",
        };
        let detail =
            format!("fetched {:.1} of {:.1} MB, {checked}{signed}", fetched as f64 / 1e6, size as f64 / 1e6);
        Ok(Done {
            kernel: surface.kernel().clone(),
            unchanged: false,
            detail: Some(detail),
            notes,
            warnings: beside.warnings,
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

    /// Bytes of all that may be fetched of a kernel.
    fn size(&self, kernel: &Kernel) -> u64 {
        kernel.image.size + kernel.config.as_ref().map_or(0, |config| config.size) + self.beside(kernel)
    }

    /// Bytes of the packages that are fetched for their modules alone.
    fn beside(&self, kernel: &Kernel) -> u64 {
        if self.reads_modules() { kernel.modules.iter().map(|remote| remote.size).sum() } else { 0 }
    }

    /// Begins to fetch a package, and checks the signature that it may have itself.
    fn begin(&self, remote: &Remote, amount: Amount, beside: &mut Beside) -> depsurf_fetch::Result<Download> {
        let download = Download::begin(&self.client, remote, &self.cache.packages(), amount)?;
        let what = match download.signature()? {
            Own::Unchecked | Own::Good(_) => return Ok(download),
            Own::Missing => "it is not signed",
            Own::HeaderAlone => "its signature is over its header alone, as before RPM 4.14",
        };
        if !remote.signatures.index {
            beside.warnings.push(format!("nobody vouches for the contents of `{}`: {what}", remote.file));
        }
        Ok(download)
    }

    /// All of a package with further modules. What an index lists and its server does not have is done without.
    fn modules(&self, remote: &Remote, beside: &mut Beside) -> depsurf::Result<()> {
        let there = self.begin(remote, Amount::Whole, beside).and_then(|package| {
            package.wait()?;
            Ok(package)
        });
        match there {
            Ok(package) => beside.packages.push(package),
            Err(error) if error.is_missing() => {
                beside.warnings.push(format!("{error}: modules are read without it"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The configuration in a package, which is there as a whole where it may have modules.
    fn config(&self, remote: &Remote, beside: &mut Beside) -> depsurf::Result<(Config, Download)> {
        let download = self.begin(remote, self.amount(), beside)?;
        let config = source::fetched_config(&remote.file, download.bytes(), &download);
        let (config, download) = settled(config, download)?;
        if self.reads_modules() {
            download.wait()?;
        }
        Ok((config, download))
    }

    /// Reads a package while its parts arrive.
    fn while_it_arrives(
        &self,
        item: &Item,
        download: Download,
        beside: &mut Beside,
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>, Finished)> {
        let file = &item.kernel.image.file;
        let kernel = source::fetched(file, download.bytes(), &download, progress).and_then(|mut kernel| {
            kernel.modules.push(ModulePackage::arriving(download.arriving()));
            add_beside(&mut kernel, beside);
            let is_half = source::part(&kernel.vmlinux) == source::Part::Debug;
            Ok((source::complete(kernel, progress)?, is_half))
        });
        let (kernel, is_half) = match kernel {
            Ok(kernel) => kernel,
            Err(error) => {
                give_up(&error, download, beside);
                return Err(error);
            }
        };
        let is_whole = download.is_whole() && (!is_half || beside.packages.iter().all(Download::is_whole));
        if !self.reads_modules() {
            beside.finish(self.verb.keep)?;
        }
        let checked = if is_whole { Checked::Whole } else { Checked::Index };
        let signed = signed(&item.kernel.image, download.signature()?, checked);
        // What is left of the package arrives meanwhile. Nothing is kept before it was compared.
        let extracted = self.extract(item, &kernel, (checked, signed), progress);
        drop(kernel);
        let (surface, notes) = match extracted {
            Ok(extracted) => extracted,
            Err(error) => {
                give_up(&error, download, beside);
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
        beside: &mut Beside,
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>, Finished)> {
        let mut finished = download.finish(true)?;
        let path = finished.path.clone().unwrap_or_else(|| item.kernel.image.file.clone().into());
        let by_id = item.place == "debuginfod";
        let mut options = source::Options::default();
        if by_id && source::part(&source::Bytes::map(&path)?) == source::Part::Debug {
            progress.step("fetch the code", None);
            let remote = Debuginfod::code(&self.client, &item.kernel.image)?;
            let code = self.begin(&remote, Amount::Whole, beside)?.finish(true)?;
            finished.fetched += code.fetched;
            options.modules.extend(code.path);
        }
        let read = || {
            let mut kernel = source::open(&path, &options, progress)?;
            add_beside(&mut kernel, beside);
            let checked = if by_id { Checked::BuildId } else { Checked::Whole };
            let (surface, notes) = self.extract(item, &kernel, (checked, Vec::new()), progress)?;
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
        options.modules.iter().chain([&path]).for_each(|path| self.forget(path));
        let (surface, notes) = result?;
        Ok((surface, notes, finished))
    }

    fn extract(
        &self,
        item: &Item,
        kernel: &source::Kernel,
        (checked, signed): (Checked, Vec<Signed>),
        progress: &dyn Progress,
    ) -> depsurf::Result<(Surface, Vec<String>)> {
        let fetched = Fetched { place: item.place.into(), suite: item.kernel.suite.clone(), checked, signed };
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

/// Which signatures vouch for a package.
fn signed(remote: &Remote, own: Own, checked: Checked) -> Vec<Signed> {
    let index = remote.signatures.index.then_some(Signed::Index);
    let own = match (own, checked) {
        (Own::Good(_), Checked::Whole) => Some(Signed::Package),
        (Own::Good(_) | Own::HeaderAlone, _) => Some(Signed::Header),
        (Own::Unchecked | Own::Missing, _) => None,
    };
    index.into_iter().chain(own).collect()
}

/// Gives a kernel what was fetched beside its package.
fn add_beside(kernel: &mut source::Kernel, beside: &Beside) {
    if let Some(config) = &beside.config {
        kernel.config = Some(config.clone());
    }
    kernel.modules.extend(beside.packages.iter().map(|package| ModulePackage::arriving(package.arriving())));
}

/// Whether a file is a package that can be read while it arrives.
fn can_arrive(download: &Download) -> depsurf::Result<bool> {
    let first = FIRST.min(download.bytes().len() as u64);
    source::Ranges::ensure(download, 0..first)?;
    Ok(source::can_arrive(&download.bytes()[..first as usize]))
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

/// Throws away what has arrived, unless it was the connection that failed.
fn give_up(error: &Error, download: Download, beside: &mut Beside) {
    if !is_about_fetching(error) {
        download.discard();
        beside.packages.drain(..).for_each(Download::discard);
    }
}

fn is_about_fetching(error: &Error) -> bool {
    match error {
        Error::In { source, .. } => is_about_fetching(source),
        error => matches!(error, Error::Fetch { .. }),
    }
}
