//! HTTP as far as it is needed: whole files and parts of them, tried again where that may help.

use std::io::{self, Read};
use std::ops::Range;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::HeaderMap;

use crate::error::{Error, Result};

/// How patient to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// For a connection and for the first byte of an answer.
    pub connect: Duration,
    /// Without any byte of an answer that has begun.
    pub idle: Duration,
    /// How often in a row to try again.
    pub retries: u32,
    /// Before the first retry; doubles with each.
    pub pause: Duration,
    /// How many parts of a file to ask for at once.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            retries: 5,
            pause: Duration::from_millis(500),
            connections: 4,
        }
    }
}

/// The slowest speed at which a part of a file may arrive, in bytes per second.
const SLOWEST: u64 = 16 << 10;

/// Asks servers.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    /// How patient it is.
    pub(crate) options: Options,
}

/// An answer, whose body is read by its reader.
pub struct Answer {
    /// 200 or 206.
    pub status: u16,
    /// `Content-Length`.
    pub length: Option<u64>,
    /// First byte and total size, from `Content-Range`.
    pub range: Option<(u64, u64)>,
    /// What tells this state of the file from others.
    pub validator: Validator,
    /// What follows.
    pub body: Box<dyn Read + Send>,
}

impl Client {
    /// A client that goes through the proxy that `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` name, except to hosts in
    /// `NO_PROXY`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(options.connect))
            .timeout_recv_response(Some(options.connect))
            .http_status_as_error(false)
            .user_agent(concat!("depsurf/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), options }
    }

    /// Asks once for a file or a part of it.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub fn get(&self, url: &str, range: Option<Range<u64>>) -> Result<Answer> {
        let mut request = self.agent.get(url);
        let mut patience = None;
        if let Some(range) = &range {
            request = request.header("Range", format!("bytes={}-{}", range.start, range.end - 1));
            let slowest = Duration::from_secs((range.end - range.start) / SLOWEST);
            patience = Some(self.options.idle + slowest);
        }
        let request = request.config().timeout_recv_body(patience).build();
        let response = request.call().map_err(|error| failed(url, &error))?;
        let status = response.status().as_u16();
        if !matches!(status, 200 | 206) {
            return Err(Error::Status { url: url.into(), status });
        }
        let (parts, body) = response.into_parts();
        Ok(Answer {
            status,
            length: text(&parts.headers, "content-length").and_then(|length| length.parse().ok()),
            range: text(&parts.headers, "content-range").and_then(content_range),
            validator: Validator::read(&parts.headers),
            body: Box::new(body.into_reader()),
        })
    }

    /// A small file as a whole.
    ///
    /// # Errors
    /// When it cannot be had, as often as it was tried, or is larger than `limit`.
    pub fn bytes(&self, url: &str, limit: u64) -> Result<Vec<u8>> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut validator = Validator::default();
        let mut attempts = 0;
        loop {
            // Only where it can be told that it is still the same file.
            let have = if validator == Validator::default() { 0 } else { bytes.len() as u64 };
            let range = (have > 0).then(|| have..limit.max(have + 1));
            let before = bytes.len();
            let got = self.get(url, range).and_then(|answer| {
                let continues = answer.range.is_some_and(|(first, _)| first == have);
                if !continues || answer.validator != validator {
                    bytes.clear();
                }
                validator = answer.validator;
                let room = (limit + 1).saturating_sub(bytes.len() as u64);
                answer.body.take(room).read_to_end(&mut bytes).map_err(|error| cut(url, &error))
            });
            match got {
                Ok(_) if bytes.len() as u64 > limit => {
                    return Err(Error::Answer {
                        url: url.into(),
                        what: format!("it is larger than the limit of {limit} bytes"),
                    });
                }
                Ok(_) => return Ok(bytes),
                Err(error) => {
                    if bytes.len() > before {
                        attempts = 0;
                    }
                    self.pause(&mut attempts, error)?;
                }
            }
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error, when there have been enough attempts or another one would not help.
    pub fn pause(&self, attempts: &mut u32, error: Error) -> Result<()> {
        if !error.is_passing() || *attempts >= self.options.retries {
            return Err(error);
        }
        thread::sleep(self.options.pause * 2u32.pow((*attempts).min(6)));
        *attempts += 1;
        Ok(())
    }
}

fn failed(url: &str, error: &ureq::Error) -> Error {
    let what = error.to_string();
    match error {
        ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed => {
            Error::Answer { url: url.into(), what }
        }
        _ => Error::Connection { url: url.into(), what },
    }
}

/// The error of a body that ended too soon.
pub fn cut(url: &str, error: &io::Error) -> Error {
    Error::Connection { url: url.into(), what: format!("the connection broke: {error}") }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a server says to tell one state of a file from others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// `ETag`, if it is a strong one: weak ones say nothing about bytes (RFC 9110 §8.8.1).
    tag: Option<String>,
    /// `Last-Modified`.
    modified: Option<String>,
}

impl Validator {
    fn read(headers: &HeaderMap) -> Self {
        let tag = text(headers, "etag").filter(|tag| tag.starts_with('"'));
        Self { tag: tag.map(str::to_owned), modified: text(headers, "last-modified").map(str::to_owned) }
    }

    /// Whether both may be of the same state. Servers behind one name make different tags of the same file, so that one of
    /// tag and time is enough; for the same reason `If-Range` is not used, which makes them send all of it.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let pairs = [(&self.tag, &other.tag), (&self.modified, &other.modified)];
        let mut known = pairs.iter().filter(|(a, b)| a.is_some() && b.is_some()).peekable();
        known.peek().is_none() || known.any(|(a, b)| a == b)
    }
}

/// First byte and total size in `bytes 100-199/1000` (RFC 9110 §14.4).
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_contents() {
        assert_eq!(content_range("bytes 100-199/1000"), Some((100, 1000)));
        for bad in ["", "bytes 100-199/*", "bytes */1000", "items 1-2/3", "bytes -/"] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_of_tag_and_time_is_enough() {
        let read = |tag: &str, modified: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("etag", tag), ("last-modified", modified)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            Validator::read(&headers)
        };
        let old = read("\"1\"", "Thu, 01 Jan 2026 00:00:00 GMT");
        assert!(old.agrees(&old) && old.agrees(&read("", "")));
        assert!(old.agrees(&read("\"2\"", "Thu, 01 Jan 2026 00:00:00 GMT")));
        assert!(old.agrees(&read("\"1\"", "Fri, 02 Jan 2026 00:00:00 GMT")));
        assert!(!old.agrees(&read("\"2\"", "Fri, 02 Jan 2026 00:00:00 GMT")));
        assert!(!old.agrees(&read("\"2\"", "")));
        // A weak tag says nothing.
        assert!(old.agrees(&read("W/\"2\"", "")));
    }
}
