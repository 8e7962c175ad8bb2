//! A small HTTP server on loopback, with the faults that servers have.
//!
//! Every answer closes its connection, so that each request can be counted and cut by itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// A file that is served.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// `ETag`, with its quotes.
    pub tag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
    /// Where it is instead.
    pub redirect: Option<String>,
    /// Whether parts of it are given.
    pub ranges: bool,
    /// How many of the next answers break off, and after how many bytes.
    pub cuts: (usize, usize),
    /// How many of the next answers have this status instead.
    pub refusals: (usize, u16),
    /// After each 16 KiB.
    pub pause: Duration,
    /// What it is after as many further answers.
    pub becomes: Option<(usize, Box<File>)>,
}

impl File {
    /// A file without faults, in parts.
    pub fn new(bytes: Vec<u8>) -> Self {
        File { bytes, ranges: true, ..File::default() }
    }
}

/// What was asked for, and what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// With its slash.
    pub path: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// Bytes of the body that were sent.
    pub sent: usize,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    asked: Vec<Asked>,
}

/// A server, which ends with the process.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Starts to serve files by their paths, which begin with a slash.
    pub fn start(files: BTreeMap<String, File>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State { files, asked: Vec::new() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away is part of the game.
                thread::spawn(move || answer(&stream, &state));
            }
        });
        Server { address, state }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes a file, which exists.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut File)) {
        change(self.lock().files.get_mut(path).unwrap_or_else(|| panic!("no file `{path}`")));
    }

    /// Adds or replaces a file.
    pub fn put(&self, path: &str, file: File) {
        self.lock().files.insert(path.into(), file);
    }

    /// Paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    /// What was asked for since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn answer(mut stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut range = None;
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    let (file, cut, refusal) = {
        let mut state = lock(state);
        let Some(file) = state.files.get_mut(&path) else {
            state.asked.push(Asked { path, range, sent: 0 });
            return send(stream, "404 Not Found", "", b"");
        };
        let used = |left: &mut usize| std::mem::replace(left, left.saturating_sub(1)) > 0;
        let cut = used(&mut file.cuts.0).then_some(file.cuts.1);
        let refusal = used(&mut file.refusals.0).then_some(file.refusals.1);
        let now = file.clone();
        if let Some((left, next)) = &mut file.becomes {
            if *left == 0 {
                *file = (**next).clone();
            } else {
                *left -= 1;
            }
        }
        (now, cut, refusal)
    };
    if let Some(status) = refusal {
        return send(stream, &format!("{status} No"), "", b"");
    }
    if let Some(place) = &file.redirect {
        return send(stream, "302 Found", &format!("Location: {place}\r\n"), b"");
    }
    let total = file.bytes.len();
    let mut headers = String::new();
    for (name, value) in [("ETag", &file.tag), ("Last-Modified", &file.modified)] {
        headers += &value.as_ref().map(|value| format!("{name}: {value}\r\n")).unwrap_or_default();
    }
    let part = range.as_deref().filter(|_| file.ranges).and_then(|range| {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((start.parse::<usize>().ok()?, end.parse::<usize>().map_or(total, |end| end + 1).min(total)))
    });
    let (status, body) = match part {
        Some((start, end)) if start < end => {
            headers += &format!("Content-Range: bytes {start}-{}/{total}\r\n", end - 1);
            ("206 Partial Content", &file.bytes[start..end])
        }
        Some(_) => {
            lock(state).asked.push(Asked { path, range, sent: 0 });
            return send(stream, "416 Range Not Satisfiable", "", b"");
        }
        None => ("200 OK", &file.bytes[..]),
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    let body = &body[..cut.unwrap_or(body.len()).min(body.len())];
    let at = {
        let mut state = lock(state);
        state.asked.push(Asked { path, range, sent: 0 });
        state.asked.len() - 1
    };
    for chunk in body.chunks(16 << 10) {
        stream.write_all(chunk).ok()?;
        if let Some(asked) = lock(state).asked.get_mut(at) {
            asked.sent += chunk.len();
        }
        thread::sleep(file.pause);
    }
    Some(())
}

fn send(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}
