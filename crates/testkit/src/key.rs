//! OpenPGP keys that sign what a test makes, by `gpg`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A key, and what signs with it.
pub struct Key {
    home: TempDir,
    /// A file with the public key, as `gpgv` takes it.
    pub ring: PathBuf,
}

impl Key {
    /// A new key; `None`, loudly, where the programs are not there.
    pub fn new(name: &str) -> Option<Self> {
        let there = ["gpg", "gpgv"].iter().all(|program| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
        if !there {
            #[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
            {
                eprintln!("SKIPPED: signatures are not tested, because gpg and gpgv are not installed");
            }
            return None;
        }
        let home = tempfile::tempdir().expect("there is a place for temporary files");
        let key = Self { ring: home.path().join("ring.gpg"), home };
        key.gpg(&["--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never"], None);
        let ring = key.gpg(&["--export"], None);
        fs::write(&key.ring, ring).expect("temporary files can be written");
        Some(key)
    }

    /// The public key as text.
    pub fn armored(&self) -> Vec<u8> {
        self.gpg(&["--armor", "--export"], None)
    }

    /// A signature over bytes, binary.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.gpg(&["--detach-sign"], Some(bytes))
    }

    /// A signature over bytes, as text.
    pub fn sign_armored(&self, bytes: &[u8]) -> Vec<u8> {
        self.gpg(&["--armor", "--detach-sign"], Some(bytes))
    }

    /// A text with its signature.
    pub fn clear_sign(&self, text: &[u8]) -> Vec<u8> {
        self.gpg(&["--clearsign"], Some(text))
    }

    fn gpg(&self, arguments: &[&str], input: Option<&[u8]>) -> Vec<u8> {
        let file = self.home.path().join("input");
        let mut command = Command::new("gpg");
        command.args(["--batch", "--yes", "--pinentry-mode", "loopback", "--homedir"]).arg(self.home.path());
        command.args(arguments);
        if let Some(input) = input {
            fs::write(&file, input).expect("temporary files can be written");
            command.args(["--output", "-"]).arg(&file);
        }
        let ran = command.output().expect("gpg was there before");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // What gpg starts in the background would outlive the test.
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}
