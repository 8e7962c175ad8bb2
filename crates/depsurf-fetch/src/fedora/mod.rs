//! Repositories of RPM packages, as Fedora, its relatives and SUSE have them.
//!
//! ```text
//! repodata/repomd.xml -> repodata/...-primary.xml.zst -> checksum -> Packages/k/kernel-debuginfo-....rpm
//!         | signature (SUSE)                                                  | signature (Fedora, SUSE)
//! ```
//!
//! Debug packages are in a repository of their own, so the user names two: one for the debug information, one for the
//! configuration. `{suite}` and `{arch}` in an address stand for what the specification says.

mod name;
mod packages;

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::http::Client;
use crate::index::{self, Cache};
use crate::keyring::{Keyring, Keys, Trust};
use crate::place::{Found, Kernel, Place, Remote, Signatures};
use crate::signature;
use crate::spec::Wanted;
use packages::Package;

/// Larger `repomd.xml` files are refused, and signatures of them; they have some KB.
const LARGEST_REPOMD: u64 = 4 << 20;

/// Where systems with RPM have the keys that they take: Fedora and its relatives, and SUSE.
const KEYS: [&str; 2] = ["/etc/pki/rpm-gpg", "/usr/lib/rpm/gnupg/keys"];

/// Some repositories.
pub struct Fedora {
    urls: Vec<String>,
    trust: Trust,
    client: Client,
    cache: Cache,
}

/// A repository that was read.
struct Repository {
    base: String,
    packages: Vec<Package>,
    /// Whether the signature of its index is good.
    signed: bool,
}

impl Fedora {
    /// Repositories at some addresses.
    #[must_use]
    pub fn new(urls: &[String], trust: Trust, client: &Client, cache: &Cache) -> Self {
        let urls = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Self { urls, trust, client: client.clone(), cache: cache.clone() }
    }

    /// A repository with its kernel packages.
    fn repository(&self, base: String, keys: Option<&Keyring>) -> Result<Repository> {
        let url = format!("{base}/repodata/repomd.xml");
        let bytes = self.client.bytes(&url, LARGEST_REPOMD)?;
        let signed = keys.map_or(Ok(false), |keys| self.is_signed(&url, &bytes, keys))?;
        let (path, sum) = packages::primary(&bytes).ok_or_else(|| Error::Malformed {
            format: "repomd.xml",
            url: url.clone(),
            what: "it names no list of packages with its SHA-256".into(),
        })?;
        let url = format!("{base}/{path}");
        let bytes = self.cache.index(&self.client, std::slice::from_ref(&url), sum)?;
        let packages = packages::read(index::expand(&url, bytes)?);
        let malformed = |what| Error::Malformed { format: "list of packages", url, what };
        Ok(Repository { base, packages: packages.map_err(malformed)?, signed })
    }

    /// Whether an index is signed: SUSE signs them, Fedora its packages alone.
    fn is_signed(&self, url: &str, index: &[u8], keys: &Keyring) -> Result<bool> {
        match self.client.bytes(&format!("{url}.asc"), LARGEST_REPOMD) {
            Ok(signature) => signature::detached(url, index, &[signature], keys).map(|()| true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The addresses, of what is asked for.
    fn bases(&self, suite: &str, wanted: &str) -> Result<Vec<String>> {
        let arch = name::arch(wanted);
        if arch.is_none() && self.urls.iter().any(|url| url.contains("{arch}")) {
            return Err(Error::usage(
                format!("`{wanted}` does not tell the architecture that `{{arch}}` in an address stands for"),
                "let it end in the architecture, or write that into the address",
            ));
        }
        Ok(self
            .urls
            .iter()
            .map(|url| url.replace("{suite}", suite).replace("{arch}", arch.unwrap_or_default()))
            .collect())
    }
}

impl Place for Fedora {
    fn find(&self, wanted: &Wanted) -> Result<Found> {
        if self.urls.is_empty() {
            return Err(Error::usage(
                "no repository is known",
                "name that of the debug packages with --mirror, and a second one for configurations; {suite} and {arch} \
                 stand for what the specification says",
            ));
        }
        let (suite, flavour) = match wanted {
            Wanted::Suite { suite, flavour } => (suite.text(), flavour),
            Wanted::Release(release) => ("", release),
        };
        let (keys, warnings) = match self.trust.keys(&KEYS.map(PathBuf::from))? {
            Keys::There(keys) => (Some(Arc::new(keys)), Vec::new()),
            Keys::Unchecked(why) if why.is_empty() => (None, Vec::new()),
            Keys::Unchecked(why) => {
                (None, vec![format!("signatures of RPM packages are not checked: {why}")])
            }
        };
        let mut repositories: Vec<Repository> = Vec::new();
        for base in self.bases(suite, flavour.text())? {
            repositories.push(self.repository(base, keys.as_deref())?);
        }
        let all = || {
            repositories
                .iter()
                .flat_map(|repository| repository.packages.iter().map(move |package| (repository, package)))
        };
        let remote = |(repository, package): (&Repository, &Package)| Remote {
            url: format!("{}/{}", repository.base, package.path),
            file: package.path.rsplit('/').next().unwrap_or_default().to_owned(),
            name: package.name.clone(),
            version: package.version(),
            size: package.size,
            sha256: package.sha256,
            signatures: Signatures { index: repository.signed, keys: keys.clone() },
        };
        let mut kernels: Vec<(u64, String, Kernel)> = Vec::new();
        for (repository, package) in all() {
            let Some(kernel) = name::of_debug_package(&package.name) else { continue };
            let release = name::release(kernel, package);
            let name = name::flavour(kernel, &package.arch);
            let meant = match wanted {
                Wanted::Suite { .. } => flavour.matches(&name),
                Wanted::Release(pattern) => pattern.matches(&release),
            };
            if !meant {
                continue;
            }
            let mut beside: Vec<(&Repository, &Package)> = all()
                .filter(|(_, other)| other.version() == package.version() && other.arch == package.arch)
                .collect();
            beside.sort_by(|a, b| a.1.name.cmp(&b.1.name));
            beside.dedup_by(|b, a| a.1.name == b.1.name);
            let named = |wanted: &str| beside.iter().find(|(_, other)| other.name == wanted).copied();
            let config = named(&format!("{kernel}-core")).or_else(|| named(kernel));
            let modules = beside.iter().filter(|(_, other)| name::may_have_modules(kernel, &other.name));
            let kernel = Kernel {
                release,
                arch: package.arch.clone(),
                suite: suite.to_owned(),
                image: remote((repository, package)),
                config: config.map(remote),
                modules: modules.map(|found| remote(*found)).collect(),
            };
            kernels.push((package.built, name, kernel));
        }
        if matches!(wanted, Wanted::Suite { .. }) {
            kernels.sort_by(|a, b| (&a.1, b.0).cmp(&(&b.1, a.0)));
            kernels.dedup_by(|b, a| a.1 == b.1);
        }
        let kernels: Vec<Kernel> = kernels.into_iter().map(|(_, _, kernel)| kernel).collect();
        if kernels.is_empty() {
            return Err(Error::usage(
                format!("no kernel `{}` with debug information", flavour.text()),
                "one of the repositories must be that of the debug packages",
            ));
        }
        Ok(Found { kernels, warnings })
    }
}
