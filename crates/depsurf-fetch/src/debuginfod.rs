//! Servers that give debug information by build id (debuginfod(8)).

use crate::error::{Error, Result};
use crate::http::Client;
use crate::place::{Found, Kernel, Place, Remote, Signatures};
use crate::spec::Wanted;

/// What stands behind a build id to ask for its debug information, and for its code.
const DEBUG: &str = "/debuginfo";
const CODE: &str = "/executable";

const NO_SIZE: &str = "the server does not tell the size";

/// Some servers.
pub struct Debuginfod {
    urls: Vec<String>,
    client: Client,
}

impl Debuginfod {
    /// Servers as `DEBUGINFOD_URLS` lists them: with spaces between, asked in this order.
    #[must_use]
    pub fn new(urls: &str, client: &Client) -> Self {
        let urls = urls.split_ascii_whitespace().filter(|url| url.starts_with("http"));
        Self { urls: urls.map(|url| url.trim_end_matches('/').to_owned()).collect(), client: client.clone() }
    }

    /// The file with the code that belongs to debug information a server gave, where these are two files.
    ///
    /// # Errors
    /// When the server does not have it, or cannot be asked.
    pub fn code(client: &Client, debug: &Remote) -> Result<Remote> {
        let base = debug.url.strip_suffix(DEBUG).unwrap_or(&debug.url);
        let url = format!("{base}{CODE}");
        let size = client.get(&url, None)?.length;
        let size = size.ok_or_else(|| Error::Answer { url: url.clone(), what: NO_SIZE.into() })?;
        Ok(Remote { file: format!("{}.code", debug.name), url, size, ..debug.clone() })
    }
}

impl Place for Debuginfod {
    fn find(&self, wanted: &Wanted) -> Result<Found> {
        let Wanted::Release(id) = wanted else {
            return Err(Error::usage("debuginfod knows build ids only", "write debuginfod:BUILDID"));
        };
        let id = id.text().to_ascii_lowercase();
        if self.urls.is_empty() {
            return Err(Error::usage(
                "no debuginfod server is known",
                "name one in DEBUGINFOD_URLS, or with --mirror",
            ));
        }
        let mut warnings = Vec::new();
        for server in &self.urls {
            let url = format!("{server}/buildid/{id}{DEBUG}");
            // There is no index; what the answer begins with tells the size, and the rest is not read.
            let answer = match self.client.get(&url, None) {
                Err(error) if error.is_missing() => continue,
                Err(error) => {
                    warnings.push(error.to_string());
                    continue;
                }
                Ok(answer) => answer,
            };
            let Some(size) = answer.length else {
                warnings.push(format!("`{url}`: {NO_SIZE}"));
                continue;
            };
            let image = Remote {
                url,
                file: format!("{id}.debug"),
                name: id.clone(),
                version: String::new(),
                size,
                sha256: None,
                signatures: Signatures::default(),
            };
            let kernel = Kernel {
                release: id,
                arch: String::new(),
                suite: "debuginfod".into(),
                image,
                config: None,
                modules: Vec::new(),
            };
            return Ok(Found { kernels: vec![kernel], warnings });
        }
        match warnings.pop() {
            Some(why) => Err(Error::usage(
                format!("no server has build id `{id}`: {why}"),
                "try again later, or ask another server",
            )),
            None => Err(Error::usage(
                format!("no server has build id `{id}`"),
                "servers have the kernels of some distributions only",
            )),
        }
    }
}
