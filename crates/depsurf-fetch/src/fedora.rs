//! Repositories of RPM packages, as Fedora, its relatives and SUSE have them.
//!
//! ```text
//! repodata/repomd.xml -> repodata/...-primary.xml.zst -> checksum -> Packages/k/kernel-debuginfo-....rpm
//! ```
//!
//! Debug packages are in a repository of their own, so the user names two: one for the debug information, one for the
//! configuration. `{suite}` and `{arch}` in an address stand for what the specification says.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::checksum::Sha256;
use crate::error::{Error, Result};
use crate::http::Client;
use crate::index::{self, Cache};
use crate::place::{Found, Kernel, Place, Remote};
use crate::spec::Wanted;

/// Larger `repomd.xml` files are refused; they have some KB.
const LARGEST_REPOMD: u64 = 4 << 20;

/// Some repositories.
pub struct Fedora {
    urls: Vec<String>,
    client: Client,
    cache: Cache,
}

/// A package that a repository lists.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Package {
    name: String,
    arch: String,
    version: String,
    release: String,
    path: String,
    size: u64,
    sha256: Option<Sha256>,
    /// Seconds since 1970: which of two is newer, without the order of versions.
    built: u64,
}

impl Package {
    /// What `uname -r` says, but for the flavour.
    fn version(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }
}

impl Fedora {
    /// Repositories at some addresses.
    #[must_use]
    pub fn new(urls: &[String], client: &Client, cache: &Cache) -> Self {
        let urls = urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Self { urls, client: client.clone(), cache: cache.clone() }
    }

    /// Kernel packages of a repository.
    fn packages(&self, base: &str) -> Result<Vec<Package>> {
        let url = format!("{base}/repodata/repomd.xml");
        let bytes = self.client.bytes(&url, LARGEST_REPOMD)?;
        let (path, sum) = primary(&bytes).ok_or_else(|| Error::Malformed {
            format: "repomd.xml",
            url: url.clone(),
            what: "it names no list of packages with its SHA-256".into(),
        })?;
        let url = format!("{base}/{path}");
        let bytes = self.cache.index(&self.client, std::slice::from_ref(&url), sum)?;
        read(index::expand(&url, bytes)?).map_err(|what| Error::Malformed {
            format: "list of packages",
            url,
            what,
        })
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
        let arch = flavour.text().rsplit(['-', '.']).next().unwrap_or_default();
        let mut found: Vec<(String, Package)> = Vec::new();
        for url in &self.urls {
            let base = url.replace("{suite}", suite).replace("{arch}", arch);
            found.extend(self.packages(&base)?.into_iter().map(|package| (base.clone(), package)));
        }
        let mut kernels: Vec<(u64, String, Kernel)> = Vec::new();
        for (base, package) in &found {
            let Some(kind) =
                package.name.strip_prefix("kernel-").and_then(|rest| rest.strip_suffix("debuginfo"))
            else {
                continue;
            };
            let kind = kind.trim_end_matches('-');
            let suffix = if kind.is_empty() { String::new() } else { format!("+{kind}") };
            let release = format!("{}.{}{suffix}", package.version(), package.arch);
            let name =
                if kind.is_empty() { package.arch.clone() } else { format!("{kind}-{}", package.arch) };
            let meant = match wanted {
                Wanted::Suite { .. } => flavour.matches(&name),
                Wanted::Release(pattern) => pattern.matches(&release),
            };
            // `kernel-debuginfo-common-x86_64` has sources only.
            if !meant || kind.contains("common") {
                continue;
            }
            let core = if kind.is_empty() { "kernel-core".into() } else { format!("kernel-{kind}-core") };
            let config = found.iter().find(|(_, other)| {
                other.name == core && other.version() == package.version() && other.arch == package.arch
            });
            let kernel = Kernel {
                release,
                arch: package.arch.clone(),
                suite: suite.to_owned(),
                image: remote(base, package),
                config: config.map(|(base, package)| remote(base, package)),
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
        let warnings = vec!["signatures of RPM repositories are not checked".into()];
        Ok(Found { kernels, warnings })
    }
}

fn remote(base: &str, package: &Package) -> Remote {
    Remote {
        url: format!("{base}/{}", package.path),
        file: package.path.rsplit('/').next().unwrap_or_default().to_owned(),
        name: package.name.clone(),
        version: package.version(),
        size: package.size,
        sha256: package.sha256,
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(attribute.unescape_value().ok()?.into_owned())
}

/// A path below the repository, which leads nowhere else.
fn below(path: String) -> Option<String> {
    (!path.split('/').any(|part| matches!(part, "" | "." | ".."))).then_some(path)
}

/// Path and checksum of the list of packages.
fn primary(repomd: &[u8]) -> Option<(String, Sha256)> {
    let mut reader = Reader::from_reader(repomd);
    let (mut path, mut sum, mut primary, mut text) = (None, None, false, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                b"data" => primary = attribute(&element, "type").as_deref() == Some("primary"),
                b"checksum" if primary => text = attribute(&element, "type").as_deref() == Some("sha256"),
                b"location" if primary => path = below(attribute(&element, "href")?),
                _ => {}
            },
            Event::Text(digits) if text => {
                sum = Sha256::parse(std::str::from_utf8(&digits).ok()?.trim());
                text = false;
            }
            Event::End(element) if element.local_name().as_ref() == b"data" && primary => {
                return Some((path?, sum?));
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The kernel packages of a list.
fn read(list: Box<dyn std::io::BufRead>) -> std::result::Result<Vec<Package>, String> {
    /// More than this of a list is not read.
    const LARGEST: u64 = index::LARGEST;
    let mut reader = Reader::from_reader(std::io::BufReader::new(std::io::Read::take(list, LARGEST)));
    let (mut buffer, mut packages, mut package) = (Vec::new(), Vec::new(), Package::default());
    let mut field: &[u8] = b"";
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                b"package" => package = Package::default(),
                b"name" => field = b"name",
                b"arch" => field = b"arch",
                b"checksum" if attribute(&element, "type").as_deref() == Some("sha256") => {
                    field = b"checksum"
                }
                b"version" => {
                    package.version = attribute(&element, "ver").unwrap_or_default();
                    package.release = attribute(&element, "rel").unwrap_or_default();
                }
                b"size" => package.size = number(&element, "package"),
                b"time" => package.built = number(&element, "build"),
                b"location" => package.path = attribute(&element, "href").and_then(below).unwrap_or_default(),
                _ => field = b"",
            },
            Event::Text(text) => {
                let text = std::str::from_utf8(&text).unwrap_or_default().trim().to_owned();
                match std::mem::take(&mut field) {
                    b"name" if package.name.is_empty() => package.name = text,
                    b"arch" => package.arch = text,
                    b"checksum" => package.sha256 = Sha256::parse(&text),
                    _ => {}
                }
            }
            Event::End(element) if element.local_name().as_ref() == b"package" => {
                let package = std::mem::take(&mut package);
                if package.name.starts_with("kernel") && !package.path.is_empty() && package.sha256.is_some()
                {
                    packages.push(package);
                }
            }
            Event::Eof => return Ok(packages),
            _ => {}
        }
    }
}

fn number(element: &BytesStart<'_>, name: &str) -> u64 {
    attribute(element, name).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_tell_kernel_packages() {
        let sum = Sha256::of(b"");
        let entry = |name: &str, path: &str| {
            format!(
                "<package type='rpm'><name>{name}</name><arch>x86_64</arch><version epoch='0' ver='6.11.4' rel='301.fc41'/>\
                 <checksum type='sha256' pkgid='YES'>{sum}</checksum><time file='1' build='7'/><size package='12'/>\
                 <location href='{path}'/><format><rpm:entry name='kernel'/></format></package>"
            )
        };
        let text = format!(
            "<metadata>{}{}{}</metadata>",
            entry("bash", "a.rpm"),
            entry("kernel-debuginfo", "k/a.rpm"),
            entry("kernel-core", "../a")
        );
        let packages = read(Box::new(std::io::Cursor::new(text.into_bytes()))).unwrap();
        let [package] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!(
            (package.name.as_str(), package.version().as_str()),
            ("kernel-debuginfo", "6.11.4-301.fc41")
        );
        assert_eq!((package.size, package.built, package.path.as_str()), (12, 7, "k/a.rpm"));
    }

    #[test]
    fn the_list_is_named_with_its_checksum() {
        let sum = Sha256::of(b"x");
        let text = format!(
            "<repomd><data type='filelists'><checksum type='sha256'>{}</checksum><location href='f'/></data>\
             <data type='primary'><checksum type='sha256'>{sum}</checksum><open-checksum type='sha256'>00</open-checksum>\
             <location href='repodata/p.xml.zst'/></data></repomd>",
            Sha256::of(b"")
        );
        assert_eq!(primary(text.as_bytes()), Some(("repodata/p.xml.zst".into(), sum)));
        assert_eq!(primary(b"<repomd/>"), None);
        assert_eq!(primary(text.replace("repodata/", "../").as_bytes()), None);
    }
}
