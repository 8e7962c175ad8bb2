//! Whether an index is by whom it should be, as `gpgv` says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Whose signatures are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those by the keys that the system has for the archive.
    System,
    /// Those by the keys in a file.
    Keyring(PathBuf),
    /// No signature is needed.
    Unsigned,
}

/// What came of a check.
#[derive(Debug)]
pub enum Checked {
    /// What was signed: nothing else of the file may be used.
    Good(Vec<u8>),
    /// It could not be checked; says why.
    Unchecked(String),
}

impl Trust {
    /// The keyring to use: the one that is named, else the first of `known` that is there.
    fn keyring(&self, known: &[PathBuf]) -> std::result::Result<PathBuf, String> {
        match self {
            Self::Unsigned => Err(String::new()),
            Self::Keyring(path) => Ok(path.clone()),
            Self::System => known.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
                let names: Vec<String> = known.iter().map(|path| format!("`{}`", path.display())).collect();
                format!("the keys of the archive are not installed ({})", names.join(", "))
            }),
        }
    }
}

/// Checks a file that holds what it signs (`InRelease`), or one whose signature is in another.
///
/// # Errors
/// When it is signed by nobody who is known, or the signature is bad.
pub fn check(
    url: &str,
    file: &Path,
    detached: Option<&Path>,
    trust: &Trust,
    known: &[PathBuf],
) -> Result<Checked> {
    let keyring = match trust.keyring(known) {
        Ok(keyring) => keyring,
        Err(why) => return Ok(Checked::Unchecked(why)),
    };
    if let Trust::Keyring(path) = trust
        && !path.is_file()
    {
        return Err(Error::usage(format!("no keyring `{}`", path.display()), "name a file of OpenPGP keys"));
    }
    let output = file.with_extension("signed");
    let mut command = Command::new("gpgv");
    command.args(["--quiet", "--status-fd", "1", "--keyring"]).arg(&keyring).env("LC_ALL", "C");
    match detached {
        Some(signature) => command.arg("--").arg(signature).arg(file),
        None => command.arg("--output").arg(&output).arg("--").arg(file),
    };
    let ran = match command.output() {
        Ok(ran) => ran,
        Err(_) => return Ok(Checked::Unchecked("the program `gpgv` is not installed".into())),
    };
    let status = String::from_utf8_lossy(&ran.stdout);
    // Archives sign with old and new keys at once, of which gpgv may know some: one good signature is enough, as it is
    // for apt, and a bad one is always too much. The words are in GnuPG's doc/DETAILS.
    let has = |word: &str| {
        status.lines().any(|line| line.strip_prefix("[GNUPG:] ").is_some_and(|line| line.starts_with(word)))
    };
    if !has("GOODSIG ") || has("BADSIG ") {
        let _ = fs::remove_file(&output);
        let why = [
            ("BADSIG ", "the signature is bad"),
            ("EXPKEYSIG ", "it is signed by a key that has expired"),
            ("EXPSIG ", "its signature has expired"),
            ("REVKEYSIG ", "it is signed by a key that was revoked"),
            ("NO_PUBKEY ", "it is signed by a key that is not in the keyring"),
        ];
        let why = why.into_iter().find(|(word, _)| has(word)).map_or("it is not signed", |(_, why)| why);
        return Err(Error::Signature { url: url.into(), why: format!("{why} (`{}`)", keyring.display()) });
    }
    let signed = if detached.is_some() { file } else { &output };
    let bytes = fs::read(signed).map_err(|error| Error::io("cannot read", signed, error));
    let _ = fs::remove_file(&output);
    Ok(Checked::Good(bytes?))
}
