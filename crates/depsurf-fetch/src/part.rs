//! What is remembered about a download between two runs: `FILE.part` has the bytes, `FILE.part.json` tells which of
//! them are there and of which state of the file they are.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::http::Validator;
use crate::place::Remote;

/// The memory of a download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    url: String,
    size: u64,
    sha256: Option<String>,
    /// Bytes of a chunk.
    chunk: u64,
    /// What the server said to tell this state of the file from others.
    validator: Validator,
    /// Runs of chunks that are there: first, and first behind.
    here: Vec<(usize, usize)>,
}

/// Where the bytes go while they are not all there.
pub fn place(file: &Path) -> PathBuf {
    with_suffix(file, ".part")
}

fn memory(file: &Path) -> PathBuf {
    with_suffix(file, ".part.json")
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Part {
    /// Of a download of which these chunks are there.
    pub fn new(remote: &Remote, chunk: u64, validator: Validator, here: &[bool]) -> Self {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for at in (0..here.len()).filter(|at| here[*at]) {
            match runs.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => runs.push((at, at + 1)),
            }
        }
        let sha256 = remote.sha256.map(|sum| sum.to_string());
        Self { url: remote.url.clone(), size: remote.size, sha256, chunk, validator, here: runs }
    }

    /// What is remembered of a file, if it is about the same one: the chunks that are there, and the validator.
    /// Without a validator nobody could tell that it still is the same, unless its checksum is known.
    pub fn read(file: &Path, remote: &Remote, chunk: u64, chunks: usize) -> Option<(Vec<bool>, Validator)> {
        let part: Self = serde_json::from_slice(&fs::read(memory(file)).ok()?).ok()?;
        let now = Self::new(remote, chunk, Validator::default(), &[]);
        let same = Self { validator: Validator::default(), here: Vec::new(), ..part.clone() } == now;
        if !same || (part.validator == Validator::default() && part.sha256.is_none()) {
            return None;
        }
        let mut here = vec![false; chunks];
        for (first, end) in part.here {
            here.get_mut(first..end)?.fill(true);
        }
        Some((here, part.validator))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let path = memory(file);
        let new = with_suffix(&path, ".new");
        let text = serde_json::to_vec(self).expect("strings and numbers");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| Error::io("cannot write", &path, error))
    }
}

/// Forgets a download.
pub fn remove(file: &Path) {
    for path in [place(file), memory(file)] {
        // What is not there is as good as removed.
        let _ = fs::remove_file(path);
    }
}

/// Forgets what is remembered of a file that is complete.
pub fn complete(file: &Path) -> Result<()> {
    fs::rename(place(file), file).map_err(|error| Error::io("cannot write", file, error))?;
    let _ = fs::remove_file(memory(file));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sha256;

    fn remote() -> Remote {
        Remote {
            url: "http://x/a.deb".into(),
            file: "a.deb".into(),
            name: "a".into(),
            version: "1".into(),
            size: 1000,
            sha256: Some(Sha256::of(b"a")),
            signatures: Default::default(),
        }
    }

    #[test]
    fn what_is_remembered_is_of_the_same_file_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.deb");
        let here = [true, true, false, true];
        let validator: Validator = serde_json::from_str(r#"{"tag": "1"}"#).unwrap();
        Part::new(&remote(), 250, validator.clone(), &here).write(&file).unwrap();
        let read = |remote: &Remote| Part::read(&file, remote, 250, 4);
        assert_eq!(read(&remote()), Some((here.to_vec(), validator)));
        assert_eq!(read(&Remote { size: 1001, ..remote() }), None);
        assert_eq!(read(&Remote { sha256: Some(Sha256::of(b"b")), ..remote() }), None);
        assert_eq!(Part::read(&file, &remote(), 251, 4), None);
        assert_eq!(Part::read(&file, &remote(), 250, 3), None);
        // Neither validator nor checksum: it could be anything by now.
        let unknown = Remote { sha256: None, ..remote() };
        Part::new(&unknown, 250, Validator::default(), &here).write(&file).unwrap();
        assert_eq!(read(&unknown), None);
    }
}
