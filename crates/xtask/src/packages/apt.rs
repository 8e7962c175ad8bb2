//! Debian's mirrors, through an apt state of our own.
//!
//! Which mirror, by which protocol and proxy, is the system's business: the places are read from the
//! targets that apt has configured, and only suite and architecture are ours. The state lives below
//! `target`, so nothing of the system's apt changes and no rights are needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use super::{Candidate, Unavailable};

/// How long a list of packages is taken for fresh.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys of Debian's archive, from the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One suite for one architecture.
#[derive(Debug)]
pub struct Mirror {
    arch: &'static str,
    config: PathBuf,
    downloads: PathBuf,
}

/// Places of the archive in the system's configuration.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    main: Option<String>,
    security: Option<String>,
}

impl Places {
    /// Reads lines `REPOSITORY|COMPONENT`.
    fn parse(text: &str) -> Self {
        let mut places = Self::default();
        for line in text.lines() {
            let Some((uri, "main")) = line.split_once('|') else { continue };
            let last = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let place = match last {
                "debian" => &mut places.main,
                _ if last.ends_with("-security") => &mut places.security,
                _ => continue,
            };
            place.get_or_insert_with(|| uri.to_owned());
        }
        places
    }

    /// Lines of a `sources.list`.
    fn sources(&self, suite: &str, security: bool) -> String {
        let key =
            if Path::new(KEYRING).is_file() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        let mut lines = String::new();
        if let Some(uri) = &self.main {
            lines += &format!("deb {key}{uri} {suite} main\n");
        }
        if let Some(uri) = self.security.as_ref().filter(|_| security && suite != "sid") {
            lines += &format!("deb {key}{uri} {suite}-security main\n");
        }
        lines
    }
}

impl Mirror {
    /// Reads the lists of a suite and its security updates, from the network where the ones at hand are not fresh.
    pub fn open(suite: &str, arch: &'static str, cache: &Path) -> Result<Self, Unavailable> {
        Self::open_as(suite, true, arch, cache)
    }

    /// As [`Mirror::open`], without security updates: the versions of a release are the same for all architectures.
    pub fn open_release(suite: &str, arch: &'static str, cache: &Path) -> Result<Self, Unavailable> {
        Self::open_as(suite, false, arch, cache)
    }

    fn open_as(suite: &str, security: bool, arch: &'static str, cache: &Path) -> Result<Self, Unavailable> {
        let targets = Command::new("apt-get")
            .args(["indextargets", "--format", "$(REPO_URI)|$(COMPONENT)", "Identifier: Packages"])
            .output()
            .map_err(|_| Unavailable::Here("this system has no apt".into()))?;
        let places = Places::parse(&String::from_utf8_lossy(&targets.stdout));
        if places.main.is_none() {
            return Err(Unavailable::Here("the system's apt knows no Debian mirror".into()));
        }
        let part = if security { "" } else { "-release" };
        let state = cache.join("apt").join(format!("{suite}{part}-{arch}"));
        let mirror = Self { arch, config: state.join("apt.conf"), downloads: cache.into() };
        mirror.write_config(&state, &places.sources(suite, security))?;
        mirror.update(&state, suite)?;
        Ok(mirror)
    }

    fn write_config(&self, state: &Path, sources: &str) -> Result<()> {
        for dir in ["state/lists/partial", "cache/archives/partial"] {
            let dir = state.join(dir);
            fs::create_dir_all(&dir).with_context(|| format!("cannot create `{}`", dir.display()))?;
        }
        let path = |name: &str| state.join(name).display().to_string();
        // An empty status file: what is installed here says nothing about other suites.
        let text = format!(
            "Dir::State \"{}\";\nDir::State::status \"{}\";\nDir::Cache \"{}\";\n\
             Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"-\";\n\
             APT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\n\
             APT::Sandbox::User \"\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
             #clear APT::Update;\n#clear DPkg::Post-Invoke;\n",
            path("state"),
            path("status"),
            path("cache"),
            path("sources.list"),
            arch = self.arch
        );
        let sources_path = state.join("sources.list");
        if fs::read_to_string(&sources_path).is_ok_and(|old| old != sources) {
            let _ = fs::remove_file(state.join("updated"));
        }
        for (path, text) in
            [(&self.config, text.as_str()), (&sources_path, sources), (&state.join("status"), "")]
        {
            fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        Ok(())
    }

    fn update(&self, state: &Path, suite: &str) -> Result<()> {
        let stamp = state.join("updated");
        let age = fs::metadata(&stamp).and_then(|meta| meta.modified()).map(|time| time.elapsed());
        if age.is_ok_and(|age| age.is_ok_and(|age| age < FRESH)) {
            return Ok(());
        }
        eprintln!("reading the lists of {suite} for {}", self.arch);
        self.apt("apt-get", &["update", "-q"]).with_context(|| format!("apt-get update for {suite}"))?;
        fs::write(&stamp, format!("{:?}\n", SystemTime::now()))
            .with_context(|| format!("cannot write `{}`", stamp.display()))
    }

    /// Packages that fit, in all their versions.
    pub fn packages(&self, fits: &dyn Fn(&str) -> bool) -> Result<Vec<Candidate>> {
        let names = self.apt("apt-cache", &["pkgnames"])?;
        let mut names: Vec<&str> = names.lines().filter(|name| fits(name)).collect();
        names.sort_unstable();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut args = vec!["madison"];
        args.extend(&names);
        Ok(madison(&self.apt("apt-cache", &args)?))
    }

    /// Fetches a package and gives its file.
    pub fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        eprintln!("fetching {package} {version}");
        // Into a directory of its own first: a file in the cache is complete.
        let partial = self.downloads.join("partial");
        fs::create_dir_all(&partial).with_context(|| format!("cannot create `{}`", partial.display()))?;
        let output = self
            .command("apt-get")
            .args(["download", "-q", &format!("{package}={version}")])
            .current_dir(&partial)
            .output()
            .context("cannot run apt-get")?;
        ensure!(output.status.success(), "apt-get download: {}", String::from_utf8_lossy(&output.stderr));
        let name = format!("{package}_{}_{}.deb", version.replace(':', "%3a"), self.arch);
        for suffix in [name, format!("{package}_{}_all.deb", version.replace(':', "%3a"))] {
            let (from, to) = (partial.join(&suffix), self.downloads.join(&suffix));
            if from.is_file() {
                fs::rename(&from, &to).with_context(|| format!("cannot write `{}`", to.display()))?;
                return Ok(to);
            }
        }
        bail!("apt-get download left no file of {package} {version}")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).env("LC_ALL", "C");
        command
    }

    fn apt(&self, program: &str, args: &[&str]) -> Result<String> {
        let output =
            self.command(program).args(args).output().with_context(|| format!("cannot run {program}"))?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
        String::from_utf8(output.stdout).with_context(|| format!("{program} prints no UTF-8"))
    }
}

/// Reads lines `PACKAGE | VERSION | SOURCE` of `apt-cache madison`.
fn madison(text: &str) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = text
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('|').map(str::trim);
            let (package, version) = (columns.next()?, columns.next()?);
            columns.next()?.ends_with(" Packages").then(|| Candidate {
                package: package.into(),
                version: version.into(),
                path: None,
            })
        })
        .collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_by_their_paths() {
        let text = "tor+http://mirror.example/pub/debian/|main\nhttp://mirror.example/pub/debian/|contrib\n\
                    http://mirror.example/debian-security/|main\nhttps://other.example/node|main\n";
        let places = Places::parse(text);
        assert_eq!(places.main.as_deref(), Some("tor+http://mirror.example/pub/debian/"));
        assert_eq!(places.security.as_deref(), Some("http://mirror.example/debian-security/"));
        assert_eq!(places.sources("trixie", true).lines().count(), 2);
        assert!(places.sources("trixie", true).contains("debian-security/ trixie-security main\n"));
        assert_eq!(places.sources("sid", true).lines().count(), 1);
        assert_eq!(places.sources("trixie", false).lines().count(), 1);
        assert_eq!(Places::parse("https://other.example/node|main\n"), Places::default());
    }

    #[test]
    fn madison_tells_versions() {
        let text = " linux-image-6.1.0-50-cloud-amd64-dbg |  6.1.176-1 | http://x/debian-security bookworm-security/main amd64 Packages\n\
                    linux-image-6.1.0-50-cloud-amd64-dbg |  6.1.176-1 | http://x/debian bookworm/main amd64 Packages\n\
                    linux | 6.1.176-1 | http://x/debian bookworm/main Sources\n";
        let found = madison(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].package.as_str(), found[0].version.as_str()),
            ("linux-image-6.1.0-50-cloud-amd64-dbg", "6.1.176-1")
        );
    }
}
