//! The index of a suite: which indexes of packages it has, and their checksums (`Release`, `InRelease`).

use std::collections::HashMap;

use crate::checksum::Sha256;

/// What a `Release` file says.
#[derive(Debug, Default)]
pub struct Release {
    /// `bookworm`, or `bookworm-security`.
    pub codename: String,
    /// `oldstable`, or `oldstable-security`.
    pub suite: String,
    /// Architectures, with `all` where that has an index of its own.
    pub architectures: Vec<String>,
    /// `main`, `contrib` ...
    pub components: Vec<String>,
    /// Whether indexes can be had by their checksums, so that an update of the mirror at the same time does no harm.
    pub by_hash: bool,
    sums: HashMap<String, Sha256>,
}

/// Compressed forms of an index, the smallest first; the last is the index itself.
const FORMS: [&str; 3] = [".xz", ".gz", ""];

impl Release {
    /// Reads a file whose signature was removed; `None` when it is no such file.
    pub fn parse(text: &str) -> Option<Self> {
        let mut release = Self::default();
        let mut sums = false;
        for line in text.lines() {
            if let Some(entry) = line.strip_prefix(' ') {
                let mut words = entry.split_ascii_whitespace();
                if let (true, Some(sum), Some(_), Some(path)) =
                    (sums, words.next(), words.next(), words.next())
                {
                    release.sums.insert(path.to_owned(), Sha256::parse(sum)?);
                }
                continue;
            }
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            let words = || value.split_ascii_whitespace().map(str::to_owned).collect();
            sums = field == "SHA256";
            match field {
                "Codename" => release.codename = value.to_owned(),
                "Suite" => release.suite = value.to_owned(),
                "Architectures" => release.architectures = words(),
                "Components" => release.components = words(),
                "Acquire-By-Hash" => release.by_hash = value == "yes",
                _ => {}
            }
        }
        (!release.sums.is_empty() && !release.architectures.is_empty()).then_some(release)
    }

    /// The forms of the index of a component's packages: paths to try below the suite, and the checksum. The component
    /// may have a directory in front, which older security archives have.
    pub fn packages(&self, component: &str, arch: &str) -> Vec<(Vec<String>, Sha256)> {
        let component = component.rsplit('/').next().unwrap_or(component);
        let directory = format!("{component}/binary-{arch}");
        let form = |suffix: &str| {
            let path = format!("{directory}/Packages{suffix}");
            let sum = *self.sums.get(&path)?;
            let by_hash = self.by_hash.then(|| format!("{directory}/by-hash/SHA256/{sum}"));
            Some((by_hash.into_iter().chain([path]).collect(), sum))
        };
        FORMS.into_iter().filter_map(form).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_an_index_are_those_that_are_listed() {
        let sum = |text: &str| Sha256::of(text.as_bytes());
        let text = format!(
            "Suite: oldstable\nCodename: bookworm\nArchitectures: all amd64 arm64\nComponents: main contrib\n\
             Acquire-By-Hash: yes\nMD5Sum:\n 00 1 main/binary-amd64/Packages\nSHA256:\n \
             {}  10 main/binary-amd64/Packages\n {}   5 main/binary-amd64/Packages.xz\n",
            sum("a"),
            sum("b")
        );
        let release = Release::parse(&text).unwrap();
        assert_eq!((release.codename.as_str(), release.suite.as_str()), ("bookworm", "oldstable"));
        assert_eq!(release.architectures, ["all", "amd64", "arm64"]);
        let by_hash = format!("main/binary-amd64/by-hash/SHA256/{}", sum("b"));
        let forms = release.packages("updates/main", "amd64");
        assert_eq!(forms[0], (vec![by_hash, "main/binary-amd64/Packages.xz".into()], sum("b")));
        assert_eq!(forms[1].1, sum("a"));
        assert_eq!(forms.len(), 2);
        assert!(release.packages("main", "arm64").is_empty());
        assert!(Release::parse("<html>").is_none() && Release::parse("").is_none());
        assert!(Release::parse("Architectures: x\nSHA256:\n zz 1 main/y\n").is_none());
    }
}
