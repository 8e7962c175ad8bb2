//! Archives of Debian packages: Debian's own, and Ubuntu's with its debug packages.
//!
//! ```text
//! dists/SUITE/InRelease -> signature -> dists/SUITE/COMPONENT/binary-ARCH/Packages.xz -> checksum -> pool/....deb
//! ```
//!
//! The archive has no list of its suites. Each suite has a name that changes with time (`stable`) and one that does
//! not (`trixie`), so a pattern is compared with both names of those that the first kind leads to.

pub mod apt;
mod name;
mod packages;
mod release;
mod version;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use crate::checksum::Sha256;
use crate::error::{Error, Result};
use crate::http::Client;
use crate::index::{self, Cache};
use crate::keyring::{Keys, Trust};
use crate::place::{Found, Kernel, Place, Remote, Signatures};
use crate::signature;
use crate::spec::{Pattern, Wanted};
use apt::Mirror;
use packages::Package;
use release::Release;

/// Whose packages they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Debian, with debug packages beside the others.
    Debian,
    /// Ubuntu, with debug packages in an archive of their own.
    Ubuntu,
}

impl Distribution {
    /// Names by which suites are found that a pattern may mean.
    fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &["oldoldstable", "oldstable", "stable", "testing", "unstable", "experimental"],
            Self::Ubuntu => &["devel"],
        }
    }

    /// Components that have kernels.
    fn components(self) -> &'static [&'static str] {
        match self {
            Self::Debian => &["main"],
            Self::Ubuntu => &["main", "restricted", "universe"],
        }
    }

    /// How the names of packages begin that may have the configuration, the likeliest first.
    fn with_config(self) -> &'static [&'static str] {
        match self {
            // Since 7.2 it is in linux-base.
            Self::Debian => &["linux-base", "linux-image"],
            Self::Ubuntu => &["linux-modules"],
        }
    }

    /// How the names of further packages begin that have the code of modules.
    fn with_modules(self) -> &'static [&'static str] {
        match self {
            // Modules are whole in its debug packages.
            Self::Debian => &[],
            Self::Ubuntu => &["linux-modules-extra"],
        }
    }

    fn keyrings(self) -> Vec<PathBuf> {
        let names: &[&str] = match self {
            // `.pgp` since trixie.
            Self::Debian => &["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"],
            Self::Ubuntu => &["ubuntu-archive-keyring.gpg", "ubuntu-dbgsym-keyring.gpg"],
        };
        names.iter().map(|name| PathBuf::from("/usr/share/keyrings").join(name)).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
        }
    }
}

/// Larger `Release` files are refused; Debian's have 200 KB.
const LARGEST_RELEASE: u64 = 16 << 20;

/// The mirrors of a distribution.
pub struct Archive {
    distribution: Distribution,
    mirrors: Vec<Mirror>,
    trust: Trust,
    client: Client,
    cache: Cache,
    /// What was read already, by the address of its suite.
    suites: RefCell<HashMap<String, Option<Rc<Suite>>>>,
    indexes: RefCell<HashMap<String, Rc<Vec<Package>>>>,
    warnings: RefCell<Vec<String>>,
    /// Indexes that are listed and not there: architectures of a suite.
    missing: RefCell<BTreeMap<String, Vec<String>>>,
    /// Why the first of the indexes that are there was not taken.
    differs: RefCell<Option<Error>>,
}

/// A suite of one mirror.
struct Suite {
    mirror: Mirror,
    /// By what it was asked for.
    name: String,
    release: Release,
    /// Whether a signature of its index is good.
    signed: bool,
}

/// What is found of a kernel, before its packages are put together.
struct Candidate {
    suite: Rc<Suite>,
    release: String,
    flavour: String,
    package: Package,
}

impl Archive {
    /// An archive behind some mirrors.
    #[must_use]
    pub fn new(
        distribution: Distribution,
        mirrors: Vec<Mirror>,
        trust: Trust,
        client: &Client,
        cache: &Cache,
    ) -> Self {
        Self {
            distribution,
            mirrors,
            trust,
            client: client.clone(),
            cache: cache.clone(),
            suites: RefCell::default(),
            indexes: RefCell::default(),
            warnings: RefCell::default(),
            missing: RefCell::default(),
            differs: RefCell::default(),
        }
    }

    fn warn(&self, text: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !text.is_empty() && !warnings.contains(&text) {
            warnings.push(text);
        }
    }

    /// A suite of a mirror; `None` where the mirror has none of this name.
    fn suite(&self, mirror: &Mirror, name: &str) -> Result<Option<Rc<Suite>>> {
        let url = format!("{}/dists/{name}", mirror.url);
        if let Some(known) = self.suites.borrow().get(&url) {
            return Ok(known.clone());
        }
        let suite = match self.signed(mirror, &url) {
            Ok((bytes, signed)) => {
                let malformed =
                    |what: &str| Error::Malformed { format: "Release", url: url.clone(), what: what.into() };
                let text = String::from_utf8(bytes).map_err(|_| malformed("it is no text"))?;
                let release =
                    Release::parse(&text).ok_or_else(|| malformed("it lists no indexes with SHA-256"))?;
                Some(Rc::new(Suite { mirror: mirror.clone(), name: name.into(), release, signed }))
            }
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error),
        };
        self.suites.borrow_mut().insert(url, suite.clone());
        Ok(suite)
    }

    /// What is signed of the index of a suite, and whether that was checked.
    fn signed(&self, mirror: &Mirror, suite: &str) -> Result<(Vec<u8>, bool)> {
        let own = mirror.keyring.clone().filter(|path| path.is_file());
        let known = own.map_or_else(|| self.distribution.keyrings(), |path| vec![path]);
        let url = format!("{suite}/InRelease");
        let (bytes, detached) = match self.client.bytes(&url, LARGEST_RELEASE) {
            Ok(bytes) => (bytes, None),
            Err(error) if error.is_missing() => {
                let bytes = self.client.bytes(&format!("{suite}/Release"), LARGEST_RELEASE)?;
                match self.client.bytes(&format!("{suite}/Release.gpg"), LARGEST_RELEASE) {
                    Ok(signature) => (bytes, Some(signature)),
                    // No signature is as bad as one by nobody; `gpgv` says so if it is there.
                    Err(error) if error.is_missing() => (bytes, Some(Vec::new())),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        match (self.trust.keys(&known)?, detached) {
            (Keys::There(keyring), None) => Ok((signature::message(&url, &bytes, &keyring)?, true)),
            (Keys::There(keyring), Some(detached)) => {
                signature::detached(&url, &bytes, &[detached], &keyring)?;
                Ok((bytes, true))
            }
            (Keys::Unchecked(why), _) => {
                if !why.is_empty() {
                    self.warn(format!(
                        "the signatures of {}'s indexes are not checked: {why}",
                        self.distribution.name()
                    ));
                }
                Ok((unsigned(bytes), false))
            }
        }
    }

    /// A suite and those that update it. Backports are suites of their own.
    fn with_updates(&self, name: &str) -> Result<Vec<Rc<Suite>>> {
        let mut suites = Vec::new();
        let plain: Vec<&Mirror> = self.mirrors.iter().filter(|mirror| !mirror.is_security()).collect();
        for mirror in &plain {
            suites.extend(self.suite(mirror, name)?);
        }
        // Of `stable` it is `trixie-updates`, which does not change its meaning meanwhile.
        let codename =
            suites.first().map_or(name, |suite: &Rc<Suite>| suite.release.codename.as_str()).to_owned();
        let codename = if codename.is_empty() { name } else { codename.as_str() };
        if codename.contains('-') || matches!(codename, "sid" | "experimental" | "rc-buggy") {
            return Ok(suites);
        }
        let mut security = false;
        for mirror in &self.mirrors {
            if !mirror.is_security() {
                suites.extend(self.suite(mirror, &format!("{codename}-updates"))?);
            }
            if mirror.is_security() || self.distribution == Distribution::Ubuntu {
                let found = self.suite(mirror, &format!("{codename}-security"))?;
                security |= found.is_some();
                suites.extend(found);
            }
        }
        if !security
            && !self.mirrors.iter().any(Mirror::is_security)
            && self.distribution == Distribution::Debian
        {
            self.warn("no mirror of debian-security is known, so security updates are left out".into());
        }
        Ok(suites)
    }

    /// Suites with their updates that a pattern means, each group under the name that it is known by.
    fn groups(&self, pattern: Option<&Pattern>) -> Result<Vec<(String, Vec<Rc<Suite>>)>> {
        if let Some(pattern) = pattern.filter(|pattern| pattern.is_plain()) {
            let suites = self.with_updates(pattern.text())?;
            let name = suites.first().map_or(pattern.text(), |suite| suite.release.codename.as_str());
            return Ok(if suites.is_empty() { Vec::new() } else { vec![(name.to_owned(), suites)] });
        }
        let mut groups = BTreeMap::new();
        for base in self.distribution.suites() {
            for name in [(*base).to_owned(), format!("{base}-backports")] {
                let mirrors = self.mirrors.iter().filter(|mirror| !mirror.is_security());
                for mirror in mirrors {
                    let Some(suite) = self.suite(mirror, &name)? else { continue };
                    let codename = suite.release.codename.clone();
                    let meant =
                        pattern.is_none_or(|pattern| pattern.matches(&codename) || pattern.matches(&name));
                    if meant && !groups.contains_key(&codename) {
                        let suites = self.with_updates(&name)?;
                        groups.insert(codename, suites);
                    }
                }
            }
        }
        Ok(groups.into_iter().collect())
    }

    /// The packages of a suite that have something of a kernel.
    fn packages(&self, suite: &Suite, arch: &str) -> Result<Rc<Vec<Package>>> {
        let key = format!("{}/dists/{}/{arch}", suite.mirror.url, suite.name);
        if let Some(known) = self.indexes.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let mut all = Vec::new();
        for component in &suite.release.components {
            let plain = component.rsplit('/').next().unwrap_or(component);
            if !self.distribution.components().contains(&plain) {
                continue;
            }
            all.extend(self.component(suite, component, arch)?);
        }
        let all = Rc::new(all);
        self.indexes.borrow_mut().insert(key, Rc::clone(&all));
        Ok(all)
    }

    fn component(&self, suite: &Suite, component: &str, arch: &str) -> Result<Vec<Package>> {
        let base = format!("{}/dists/{}", suite.mirror.url, suite.name);
        let forms = suite.release.packages(component, arch);
        // The last form is the index itself. Security suites of what was just released have empty ones.
        if forms.last().is_none_or(|(_, sum)| *sum == Sha256::of(b"")) {
            return Ok(Vec::new());
        }
        for (paths, sum) in forms {
            let urls: Vec<String> = paths.iter().map(|path| format!("{base}/{path}")).collect();
            match self.cache.index(&self.client, &urls, sum) {
                Ok(bytes) => return packages::read(&urls[0], index::expand(&urls[0], bytes)?),
                Err(error) if error.is_missing() => {}
                // Mirrors may be between two states. What others tell is no worse for it.
                Err(error @ Error::Differs { .. }) => {
                    self.differs.borrow_mut().get_or_insert(error);
                    self.missing
                        .borrow_mut()
                        .entry(format!(
                            "`{base}` has another index of {component} than the one that is signed"
                        ))
                        .or_default()
                        .push(arch.into());
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            }
        }
        // Mirrors may have some architectures only, and list all.
        self.missing
            .borrow_mut()
            .entry(format!("`{base}` has no index of {component}"))
            .or_default()
            .push(arch.into());
        Ok(Vec::new())
    }

    /// All debug packages of some suites whose kernels are wanted.
    fn candidates(
        &self,
        suites: &[Rc<Suite>],
        wanted: &Pattern,
        fits: &dyn Fn(&str, &str, &str) -> bool,
    ) -> Result<Vec<Candidate>> {
        let mut found = Vec::new();
        for suite in suites {
            let all = suite.release.architectures.iter().filter(|arch| *arch != "all" && *arch != "source");
            let ending: Vec<&String> =
                all.clone().filter(|arch| ends_with_word(wanted.text(), arch)).collect();
            // Nothing is gained by looking at others when the pattern says which.
            let archs = if ending.is_empty() { all.collect() } else { ending };
            for arch in archs {
                for package in self.packages(suite, arch)?.iter() {
                    let Some(release) = name::debug_release(&package.name) else { continue };
                    let Some(flavour) = name::flavour(release) else { continue };
                    if package.arch == *arch && fits(release, flavour, arch) {
                        found.push(Candidate {
                            suite: Rc::clone(suite),
                            release: release.into(),
                            flavour: flavour.into(),
                            package: package.clone(),
                        });
                    }
                }
            }
        }
        Ok(found)
    }

    /// The first of some packages of a kernel that is there: of the same version, in the same suites.
    fn beside(&self, candidate: &Candidate, suites: &[Rc<Suite>], names: &[&str]) -> Result<Option<Remote>> {
        for name in names {
            let name = format!("{name}-{}", candidate.release);
            for suite in suites {
                let all = self.packages(suite, &candidate.package.arch)?;
                let found = all
                    .iter()
                    .find(|package| package.name == name && package.version == candidate.package.version);
                if let Some(package) = found {
                    return Ok(Some(remote(suite, package)));
                }
            }
        }
        Ok(None)
    }
}

impl Place for Archive {
    fn find(&self, wanted: &Wanted) -> Result<Found> {
        let (groups, candidates) = match wanted {
            Wanted::Suite { suite, flavour } => {
                let groups = self.groups(Some(suite))?;
                if groups.is_empty() {
                    let mirrors: Vec<&str> = self.mirrors.iter().map(|mirror| mirror.url.as_str()).collect();
                    return Err(Error::usage(
                        format!("no suite `{}` at {}", suite.text(), mirrors.join(" and ")),
                        "suites are named like trixie, stable or trixie-backports",
                    ));
                }
                let fits = |_: &str, found: &str, arch: &str| {
                    name::flavours(found, arch).iter().any(|name| flavour.matches(name))
                };
                let mut candidates = Vec::new();
                for (_, suites) in &groups {
                    candidates.push(newest(self.candidates(suites, flavour, &fits)?));
                }
                (groups, candidates)
            }
            Wanted::Release(release) => {
                let groups = self.groups(None)?;
                let fits = |found: &str, _: &str, _: &str| release.matches(found);
                let mut candidates = Vec::new();
                for (_, suites) in &groups {
                    candidates.push(self.candidates(suites, release, &fits)?);
                }
                (groups, candidates)
            }
        };
        let mut kernels: Vec<Kernel> = Vec::new();
        for ((_, suites), candidates) in groups.iter().zip(candidates) {
            for candidate in candidates {
                let image = remote(&candidate.suite, &candidate.package);
                let same = |kernel: &Kernel| {
                    kernel.image.name == image.name && kernel.image.version == image.version
                };
                if kernels.iter().any(same) {
                    continue;
                }
                let config = self.beside(&candidate, suites, self.distribution.with_config())?;
                let modules = self.beside(&candidate, suites, self.distribution.with_modules())?;
                let suite = candidate.suite.release.codename.clone();
                let suite = if suite.is_empty() { candidate.suite.name.clone() } else { suite };
                kernels.push(Kernel {
                    release: candidate.release,
                    arch: candidate.package.arch,
                    suite,
                    image,
                    config,
                    modules: modules.into_iter().collect(),
                });
            }
        }
        for (what, archs) in std::mem::take(&mut *self.missing.borrow_mut()) {
            self.warn(format!("{what} for {}, so its packages are left out", archs.join(", ")));
        }
        let warnings = std::mem::take(&mut *self.warnings.borrow_mut());
        let differs = self.differs.borrow_mut().take();
        if kernels.is_empty() {
            if let Some(error) = differs {
                return Err(error);
            }
            let (what, help) = match wanted {
                Wanted::Suite { suite, flavour } => (
                    format!("no kernel `{}` with debug information in `{}`", flavour.text(), suite.text()),
                    format!("`depsurf pull --list '{}:{}/*'` lists all", self.distribution.name(), suite.text()),
                ),
                Wanted::Release(release) => (
                    format!("no kernel `{}` with debug information in any suite", release.text()),
                    "archives keep the newest release only; `depsurf pull --list` tells what a pattern stands for".into(),
                ),
            };
            return Err(Error::usage(what, help));
        }
        Ok(Found { kernels, warnings })
    }
}

/// The newest of each flavour and architecture, of the suite's own kernel where there are others.
fn newest(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut newest: BTreeMap<(String, String), Candidate> = BTreeMap::new();
    for candidate in candidates {
        let key = (candidate.package.arch.clone(), candidate.flavour.clone());
        // Old suites have the kernels of newer ones, too, built from `linux-6.12` and the like.
        let main = |candidate: &Candidate| candidate.package.source == "linux";
        let older = newest.get(&key).is_none_or(|known| {
            let order = version::compare(&known.package.version, &candidate.package.version);
            main(known).cmp(&main(&candidate)).then(order).is_lt()
        });
        if older {
            newest.insert(key, candidate);
        }
    }
    newest.into_values().collect()
}

fn remote(suite: &Suite, package: &Package) -> Remote {
    Remote {
        url: format!("{}/{}", suite.mirror.url, package.path),
        file: package.path.rsplit('/').next().unwrap_or_default().to_owned(),
        name: package.name.clone(),
        version: package.version.clone(),
        size: package.size,
        sha256: Some(package.sha256),
        signatures: Signatures { index: suite.signed, keys: None },
    }
}

/// Whether a pattern ends in the word, so that it can mean nothing else.
fn ends_with_word(pattern: &str, word: &str) -> bool {
    pattern.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with(['-', '*']))
}

/// The text of a file in the form of a signed message (RFC 9580 §7), whose signature nobody checks.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&bytes);
    let Some(message) = text.strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----") else { return bytes };
    let body = message.split_once("\n\n").map_or("", |(_, body)| body);
    let body = body.split("\n-----BEGIN PGP SIGNATURE-----").next().unwrap_or_default();
    body.lines()
        .map(|line| format!("{}\n", line.strip_prefix("- ").unwrap_or(line)))
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_no_part_of_the_text() {
        let text = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSuite: x\n- -dash\n-----BEGIN PGP SIGNATURE-----\n\nabc\n";
        assert_eq!(unsigned(text.to_vec()), b"Suite: x\n-dash\n");
        assert_eq!(unsigned(b"Suite: x\n".to_vec()), b"Suite: x\n");
    }

    #[test]
    fn patterns_may_say_the_architecture() {
        assert!(ends_with_word("cloud-amd64", "amd64") && ends_with_word("amd64", "amd64"));
        assert!(ends_with_word("6.1.*-arm64", "arm64") && ends_with_word("*amd64", "amd64"));
        assert!(!ends_with_word("*", "amd64") && !ends_with_word("xamd64", "amd64"));
    }
}
