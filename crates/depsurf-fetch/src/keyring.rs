//! The keys whose signatures are taken.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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

/// Some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    /// Where they are from, for messages.
    pub(crate) name: String,
    /// What the files have, without armour, each by itself: behind a key of a kind that it does not know `gpgv` finds no
    /// others in a file.
    pub(crate) rings: Vec<Vec<u8>>,
    /// Whether the user named them, who then wants signatures.
    pub(crate) named: bool,
}

/// Keys, or why nothing can be checked.
pub enum Keys {
    /// These.
    There(Keyring),
    /// Says why; empty where it is not wanted.
    Unchecked(String),
}

impl Trust {
    /// The keys to use: those that are named, else those in the files and directories of `known` that are there.
    ///
    /// # Errors
    /// When a file that the user names is not there, or has no keys.
    pub(crate) fn keys(&self, known: &[PathBuf]) -> Result<Keys> {
        let (name, rings, named) = match self {
            Self::Unsigned => return Ok(Keys::Unchecked(String::new())),
            Self::Keyring(path) => {
                let name = format!("`{}`", path.display());
                let bytes = fs::read(path)
                    .map_err(|_| Error::usage(format!("no keyring {name}"), "name a file of OpenPGP keys"))?;
                let rings = rings(&bytes);
                if rings.is_empty() {
                    let help = "name a file of OpenPGP keys, as `gpg --export` writes them";
                    return Err(Error::usage(format!("{name} has no OpenPGP keys"), help));
                }
                (name, rings, true)
            }
            Self::System => {
                let mut found: Vec<Vec<u8>> = Vec::new();
                let mut there = Vec::new();
                for path in known {
                    let files = files(path).into_iter().flat_map(fs::read);
                    let mut rings: Vec<Vec<u8>> = files.flat_map(|file| rings(&file)).collect();
                    if !rings.is_empty() {
                        there.push(path);
                    }
                    found.append(&mut rings);
                }
                // The same key goes by several names.
                found.sort();
                found.dedup();
                let names = |paths: Vec<&PathBuf>| {
                    let names: Vec<String> =
                        paths.iter().map(|path| format!("`{}`", path.display())).collect();
                    names.join(", ")
                };
                if found.is_empty() {
                    let places = names(known.iter().collect());
                    return Ok(Keys::Unchecked(format!(
                        "its keys are not installed ({places}): name some with --keyring"
                    )));
                }
                (names(there), found, false)
            }
        };
        let runs = Command::new("gpgv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(match runs {
            Ok(_) => Keys::There(Keyring { name, rings, named }),
            Err(_) => Keys::Unchecked("the program `gpgv` is not installed".into()),
        })
    }
}

/// A file, or those in a directory, in the order of their names; none where it is not there.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// What `gpgv` can take of a file: each armoured block of keys without its armour (RFC 9580 §6.2), else all of it where it
/// begins as keys do; none where it has no keys.
fn rings(bytes: &[u8]) -> Vec<Vec<u8>> {
    const BLOCK: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let text = String::from_utf8_lossy(bytes);
    if text.contains(BLOCK) {
        return text.split(BLOCK).skip(1).filter_map(unarmored).collect();
    }
    // A public key (RFC 9580 §4.2), or GnuPG's own format.
    let is_key = bytes.first().is_some_and(|first| {
        let tag = if first & 0x40 != 0 { first & 0x3f } else { (first & 0x3f) >> 2 };
        first & 0x80 != 0 && tag == 6
    });
    let is_box = bytes.get(8..12) == Some(b"KBXf");
    if is_key || is_box { vec![bytes.to_vec()] } else { Vec::new() }
}

/// The bytes of an armoured block, from behind its first line on; `None` where it is damaged.
fn unarmored(block: &str) -> Option<Vec<u8>> {
    let lines = block.lines().skip(1).map(str::trim);
    // Headers like `Comment: x` end with an empty line; what begins with `=` is a checksum, which nobody has to look at.
    let lines = lines.skip_while(|line| line.contains(':')).skip_while(|line| line.is_empty());
    let data: String = lines
        .take_while(|line| !line.starts_with("-----") && !line.starts_with('=') && !line.is_empty())
        .collect();
    STANDARD.decode(data).ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn armour_is_taken_off() {
        let block = |headers: &str, data: &[u8]| {
            let text = STANDARD.encode(data);
            let (first, second) = text.split_at(text.len() / 2);
            format!(
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n{headers}\r\n{first}\r\n{second}\r\n=aB3d\r\n\
                 -----END PGP PUBLIC KEY BLOCK-----\r\n"
            )
        };
        let (one, two) = (vec![0x98; 90], vec![0xc6; 91]);
        let text = format!("A key\n\n{}{}", block("Version: x\r\nComment: y\r\n", &one), block("", &two));
        assert_eq!(rings(text.as_bytes()), [one, two]);
        assert_eq!(rings(text.replace("=aB3d\r\n", "").as_bytes()).len(), 2);
        let cut = text.find("=aB3d").unwrap() - 5;
        assert_eq!(rings(&text.as_bytes()[..cut]), [[0; 0]; 0]);
        assert_eq!(rings(b"\x98\x33key"), [b"\x98\x33key"]);
        assert_eq!(rings(b"\0\0\0\x20\x01\x01\0\x02KBXf"), [b"\0\0\0\x20\x01\x01\0\x02KBXf"]);
        for other in [&b""[..], b"no keys", b"\x88\x5esignature", b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"]
        {
            assert!(rings(other).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn keys_of_the_system_are_looked_for_in_files_and_directories() {
        let place = tempfile::tempdir().unwrap();
        let keys = place.path().join("keys");
        fs::create_dir(&keys).unwrap();
        let known = [keys.clone(), place.path().join("none"), place.path().join("file")];
        let Ok(Keys::Unchecked(why)) = Trust::System.keys(&known) else { panic!("there are none") };
        assert!(why.contains("are not installed") && why.contains("/keys`, "), "{why}");
        for (file, bytes) in
            [("keys/a", &b"\x98a"[..]), ("keys/again", b"\x98a"), ("keys/no", b"x"), ("file", b"\x98b")]
        {
            fs::write(place.path().join(file), bytes).unwrap();
        }
        match Trust::System.keys(&known).unwrap() {
            Keys::There(keyring) => {
                assert_eq!(keyring.rings, [b"\x98a", b"\x98b"]);
                assert!(!keyring.named && !keyring.name.contains("none"), "{}", keyring.name);
            }
            Keys::Unchecked(why) => assert!(why.contains("gpgv"), "{why}"),
        }
        let named = |file: &str| Trust::Keyring(place.path().join(file)).keys(&known);
        assert!(named("file").is_ok());
        assert!(named("none").err().unwrap().to_string().contains("no keyring"));
        assert!(named("keys/no").err().unwrap().to_string().contains("has no OpenPGP keys"));
        assert!(matches!(Trust::Unsigned.keys(&known), Ok(Keys::Unchecked(why)) if why.is_empty()));
    }
}
