//! Indexes of packages: fetched once, compared with their checksums, expanded.

use std::fs;
use std::io::{BufRead, BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checksum::Sha256;
use crate::error::{Error, Result};
use crate::http::Client;

/// Larger indexes are refused, packed or not. The largest of Debian's have 10 MB and 70 MB.
pub const LARGEST: u64 = 1 << 30;

/// Where indexes and packages are kept between runs.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// A cache in a directory, which is made when it is needed.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where packages go.
    #[must_use]
    pub fn packages(&self) -> PathBuf {
        self.directory.join("packages")
    }

    /// Where indexes go.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn indexes(&self) -> Result<PathBuf> {
        let directory = self.directory.join("indexes");
        fs::create_dir_all(&directory)
            .map_err(|error| Error::io("cannot make the directory", &directory, error))?;
        Ok(directory)
    }

    /// Removes what nobody has used for a month: indexes of the past, and downloads that were given up.
    pub fn tidy(&self) {
        const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
        for directory in [self.packages(), self.directory.join("indexes")] {
            for file in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = file.file_name();
                let is_package = !name.as_encoded_bytes().ends_with(b".part")
                    && !name.as_encoded_bytes().ends_with(b".json")
                    && Sha256::parse(&name.to_string_lossy()).is_none();
                let age = file.metadata().and_then(|meta| meta.modified()).map(|time| time.elapsed());
                if !is_package && age.is_ok_and(|age| age.is_ok_and(|age| age > MONTH)) {
                    // It can be had again, and another process may have been faster.
                    let _ = fs::remove_file(file.path());
                }
            }
        }
    }

    /// A file that is known by its checksum: from the cache, else from the first of `urls` that has it.
    ///
    /// # Errors
    /// When it cannot be had, or has another checksum.
    pub fn index(&self, client: &Client, urls: &[String], sum: Sha256) -> Result<Vec<u8>> {
        let path = self.indexes()?.join(sum.to_string());
        if let Some(bytes) = fs::read(&path).ok().filter(|bytes| Sha256::of(bytes) == sum) {
            return Ok(bytes);
        }
        let mut missing = None;
        for url in urls {
            let bytes = match client.bytes(url, LARGEST) {
                Err(error) if error.is_missing() => {
                    missing.get_or_insert(error);
                    continue;
                }
                bytes => bytes?,
            };
            let found = Sha256::of(&bytes);
            if found != sum {
                return Err(Error::Differs {
                    what: url.clone(),
                    why: format!("its SHA-256 is {found}, not {sum}"),
                });
            }
            replace(&path, &bytes)?;
            return Ok(bytes);
        }
        Err(missing.unwrap_or_else(|| Error::Status { url: sum.to_string(), status: 404 }))
    }
}

/// Writes a file that nobody sees half-written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|error| Error::io("cannot write", path, error))
}

/// Expands what is compressed by xz, gzip or zstd, by its first bytes.
///
/// # Errors
/// When a decompressor cannot be made.
pub fn expand(url: &str, bytes: Vec<u8>) -> Result<Box<dyn BufRead>> {
    /// As for packages; indexes need far less.
    const MEMORY: u64 = 256 << 20;
    let failed = |what: String| Error::Malformed { format: "index", url: url.into(), what };
    let compressed = Cursor::new(bytes);
    let first = compressed.get_ref().as_slice();
    Ok(if first.starts_with(b"\xfd7zXZ\0") {
        let stream = liblzma::stream::Stream::new_stream_decoder(MEMORY, liblzma::stream::CONCATENATED);
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        Box::new(BufReader::new(liblzma::bufread::XzDecoder::new_stream(compressed, stream)))
    } else if first.starts_with(b"\x1f\x8b") {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(compressed)))
    } else if first.starts_with(b"\x28\xb5\x2f\xfd") {
        let decoder = zstd::stream::read::Decoder::with_buffer(compressed);
        Box::new(BufReader::new(decoder.map_err(|error| failed(error.to_string()))?))
    } else {
        Box::new(compressed)
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_old_and_can_be_had_again_goes() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        fs::create_dir_all(cache.packages()).unwrap();
        let sum = Sha256::of(b"x").to_string();
        let old = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
        let indexes = cache.indexes().unwrap();
        for (place, name, is_old) in [
            (cache.packages(), "kept.deb", true),
            (cache.packages(), "old.deb.part", true),
            (cache.packages(), "old.deb.part.json", true),
            (cache.packages(), "new.deb.part", false),
            (indexes.clone(), sum.as_str(), true),
        ] {
            let file = fs::File::create(place.join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        cache.tidy();
        let mut names: Vec<_> =
            fs::read_dir(cache.packages()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["kept.deb", "new.deb.part"]);
        assert_eq!(fs::read_dir(indexes).unwrap().count(), 0);
    }
}
