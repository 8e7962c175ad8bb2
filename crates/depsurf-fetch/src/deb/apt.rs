//! Where the system's apt gets packages from.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};

/// A place with an archive of packages: `dists` and `pool` are below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mirror {
    /// Without a slash at the end.
    pub url: String,
    /// The keys its indexes are signed with, where it is configured to have its own.
    pub keyring: Option<PathBuf>,
}

impl Mirror {
    /// A mirror at an address.
    ///
    /// # Errors
    /// When it is not reached by HTTP.
    pub fn new(url: &str) -> Result<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Error::usage(
                format!("`{url}` is no mirror that can be used"),
                "its URL begins with http:// or https://",
            ));
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), keyring: None })
    }

    /// Whether it has the suites with security updates, which Debian keeps apart.
    #[must_use]
    pub fn is_security(&self) -> bool {
        self.url.ends_with("-security")
    }

    /// Whether its name says that it is Debian's.
    fn is_debian(&self) -> bool {
        self.is_security() || self.url.ends_with("/debian")
    }
}

/// Debian's mirrors, as the system's apt is configured.
///
/// # Errors
/// When there is no apt, or it knows none.
pub fn debian() -> Result<Vec<Mirror>> {
    const HELP: &str =
        "name one with --mirror, as https://HOST/debian; a second one may be its debian-security";
    let format = "$(REPO_URI)|$(COMPONENT)|$(SIGNED_BY)";
    let ran = Command::new("apt-get")
        .args(["indextargets", "--format", format, "Identifier: Packages"])
        .env("LC_ALL", "C")
        .output()
        .map_err(|_| Error::usage("this system has no apt that would know a Debian mirror", HELP))?;
    let mirrors = parse(&String::from_utf8_lossy(&ran.stdout));
    if !mirrors.iter().any(|mirror| !mirror.is_security()) {
        return Err(Error::usage("the system's apt knows no Debian mirror that is reached by HTTP", HELP));
    }
    Ok(mirrors)
}

/// Reads lines `REPOSITORY|COMPONENT|KEYRING`; the first of its kind counts.
fn parse(text: &str) -> Vec<Mirror> {
    let mut mirrors: Vec<Mirror> = Vec::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let mut fields = line.split('|');
        let (Some(url), Some("main")) = (fields.next(), fields.next()) else { continue };
        // Keys may also be written out in the configuration, or named by their fingerprints.
        let keyring = fields.next().filter(|path| path.starts_with('/')).map(PathBuf::from);
        let Ok(mirror) = Mirror::new(url) else { continue };
        if mirror.is_debian() && seen.insert(mirror.is_security()) {
            mirrors.push(Mirror { keyring, ..mirror });
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_told_by_their_names() {
        let text = "mirror+file:/etc/x/debian|main|\nhttp://a.example/pub/debian/|main|/usr/share/keyrings/d.gpg\n\
                    http://b.example/debian/|main|\nhttp://a.example/debian/|contrib|\n\
                    http://a.example/debian-security/|main|-----BEGIN PGP\nhttps://other.example/node|main|\n";
        let mirror = |url: &str, keyring: Option<&str>| Mirror {
            url: url.into(),
            keyring: keyring.map(PathBuf::from),
        };
        let expected = [
            mirror("http://a.example/pub/debian", Some("/usr/share/keyrings/d.gpg")),
            mirror("http://a.example/debian-security", None),
        ];
        assert_eq!(parse(text), expected);
        assert!(Mirror::new("ftp://x.example/debian").is_err());
    }
}
