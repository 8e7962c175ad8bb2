//! Whether something is by whom it should be, as `gpgv` says.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};
use crate::keyring::Keyring;

/// What is signed of a message that holds its signature (`InRelease`): nothing else of it may be used.
///
/// # Errors
/// When it is signed by nobody who is known, or the signature is bad.
pub fn message(url: &str, message: &[u8], keyring: &Keyring) -> Result<Vec<u8>> {
    let place = Place::new()?;
    let (file, output) = (place.file("message"), place.file("signed"));
    write(&file, message)?;
    let mut said = Said::default();
    for ring in &keyring.rings {
        // What another key let through is not what counts.
        let _ = fs::remove_file(&output);
        said.add(place.ask(ring, |command| command.arg("--output").arg(&output).arg("--").arg(&file))?);
        if said.decides() {
            break;
        }
    }
    said.verdict(url, keyring)?;
    fs::read(&output).map_err(|error| Error::io("cannot read", &output, error))
}

/// Checks signatures over some bytes that are kept elsewhere, each of which may be by another key.
///
/// # Errors
/// When none of them is by somebody who is known, or one is bad.
pub fn detached(url: &str, bytes: &[u8], signatures: &[Vec<u8>], keyring: &Keyring) -> Result<()> {
    let place = Place::new()?;
    let (file, signature) = (place.file("bytes"), place.file("signature"));
    write(&file, bytes)?;
    let mut said = Said::default();
    // One by one, because behind one of a kind that it does not know `gpgv` sees no others.
    for bytes in signatures {
        write(&signature, bytes)?;
        for ring in &keyring.rings {
            let answer = place.ask(ring, |command| command.arg("--").arg(&signature).arg(&file))?;
            let decides = answer.decides();
            said.add(answer);
            if decides {
                break;
            }
        }
    }
    said.verdict(url, keyring)
}

/// Files for `gpgv`, which takes nothing else.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Result<Self> {
        let failed = |error| Error::io("cannot make a directory in", std::env::temp_dir(), error);
        tempfile::tempdir().map(Self).map_err(failed)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// What `gpgv` says with these keys.
    fn ask(&self, ring: &[u8], arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<Said> {
        let keys = self.file("keys");
        write(&keys, ring)?;
        let mut command = Command::new("gpgv");
        command.args(["--quiet", "--status-fd", "1", "--keyring"]).arg(&keys).env("LC_ALL", "C");
        let ran = arguments(&mut command).output();
        let ran = ran.map_err(|error| Error::io("cannot run", "gpgv", error))?;
        Ok(Said(String::from_utf8_lossy(&ran.stdout).into_owned()))
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| Error::io("cannot write", path, error))
}

/// Status lines of `gpgv`, whose words are in GnuPG's doc/DETAILS.
#[derive(Default)]
struct Said(String);

impl Said {
    fn add(&mut self, other: Self) {
        self.0 += &other.0;
    }

    fn has(&self, word: &str) -> bool {
        let mut lines = self.0.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        lines.any(|line| line.split(' ').next() == Some(word))
    }

    /// Whether other keys would not change it.
    fn decides(&self) -> bool {
        self.has("GOODSIG") || self.has("BADSIG")
    }

    /// Distributions sign with old and new keys at once, of which some may be known: one good signature is enough, as it
    /// is for apt, and a bad one is always too much.
    fn verdict(&self, url: &str, keyring: &Keyring) -> Result<()> {
        let url = url.to_owned();
        if self.has("BADSIG") {
            return Err(Error::Forged { url, why: format!("the signature is bad ({})", keyring.name) });
        }
        if self.has("GOODSIG") {
            return Ok(());
        }
        let why = [
            ("EXPKEYSIG", "it is signed by a key that has expired"),
            ("EXPSIG", "its signature has expired"),
            ("REVKEYSIG", "it is signed by a key that was revoked"),
            ("NO_PUBKEY", "it is signed by a key that is not in the keyring"),
            ("ERRSIG", "it is signed in a way that `gpgv` does not know"),
        ];
        let why = why.into_iter().find(|(word, _)| self.has(word)).map_or("it is not signed", |(_, why)| why);
        Err(Error::Signature { url, why: format!("{why} ({})", keyring.name) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_signature_is_enough_and_a_bad_one_too_much() {
        let keyring = Keyring { name: "`x`".into(), rings: Vec::new(), named: true };
        let verdict = |words: &[&str]| {
            let said = Said(words.iter().map(|word| format!("[GNUPG:] {word} 0123 a\n")).collect());
            said.verdict("u", &keyring).map_err(|error| error.to_string())
        };
        assert_eq!(verdict(&["NEWSIG", "GOODSIG"]), Ok(()));
        assert_eq!(verdict(&["ERRSIG", "NO_PUBKEY", "GOODSIG"]), Ok(()));
        for (words, told) in [
            (&["GOODSIG", "BADSIG"][..], "the signature is bad (`x`)"),
            (&["ERRSIG", "NO_PUBKEY"], "a key that is not in the keyring"),
            (&["ERRSIG"], "in a way that `gpgv` does not know"),
            (&["EXPKEYSIG"], "a key that has expired"),
            (&["REVKEYSIG"], "was revoked"),
            (&["NODATA"], "it is not signed"),
            (&[], "it is not signed"),
        ] {
            let error = verdict(words).unwrap_err();
            assert!(
                error.starts_with("`u` cannot be trusted: ") && error.contains(told),
                "{words:?}: {error}"
            );
        }
    }
}
