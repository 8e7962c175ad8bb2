//! Downloads from a server with the faults that servers have.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use depsurf::source::Ranges;
use depsurf_fetch::{Amount, Client, Download, Error, Finished, Options, Remote, Sha256, Signatures};
use testkit::mirror::noise;
use testkit::server::{Asked, File, Server};

const PATH: &str = "/pool/a.deb";
const MB: u64 = 1 << 20;

fn client() -> Client {
    Client::new(Options {
        connect: Duration::from_secs(2),
        idle: Duration::from_secs(2),
        retries: 3,
        pause: Duration::from_millis(5),
        connections: 3,
    })
}

fn served(size: usize) -> (Server, Remote) {
    let bytes = noise(size);
    let remote = |server: &Server| Remote {
        url: format!("{}{PATH}", server.url()),
        file: "a.deb".into(),
        name: "a".into(),
        version: "1".into(),
        size: size as u64,
        sha256: Some(Sha256::of(&bytes)),
        signatures: Signatures::default(),
    };
    let file = File { tag: Some("\"1\"".into()), ..File::new(bytes.clone()) };
    let server = Server::start(BTreeMap::from([(PATH.to_owned(), file)]));
    let remote = remote(&server);
    (server, remote)
}

fn begin(remote: &Remote, directory: &Path, amount: Amount) -> Download {
    Download::begin(&client(), remote, directory, amount).unwrap()
}

fn expect(download: &Download, range: Range<u64>) {
    download.expect(std::slice::from_ref(&range));
}

fn whole(remote: &Remote, directory: &Path) -> Result<Finished, Error> {
    begin(remote, directory, Amount::Whole).finish(true)
}

fn sent(asked: &[Asked]) -> u64 {
    asked.iter().map(|asked| asked.sent as u64).sum()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_that_arrives_is_the_one_that_was_served() {
    let (server, remote) = served(5_000_001);
    let directory = tempfile::tempdir().unwrap();
    let finished = whole(&remote, directory.path()).unwrap();
    assert!(finished.verified);
    assert_eq!(finished.fetched, 5_000_001);
    assert_eq!(fs::read(finished.path.unwrap()).unwrap(), noise(5_000_001));
    assert_eq!(files(directory.path()), ["a.deb"]);
    assert_eq!(sent(&server.asked()), 5_000_001);
    // It is there now, and is not asked for again.
    let again = whole(&remote, directory.path()).unwrap();
    assert_eq!((again.verified, again.fetched), (true, 0));
    assert!(server.asked().is_empty());
}

#[test]
fn only_what_is_read_is_fetched() {
    let (server, remote) = served(40 << 20);
    let directory = tempfile::tempdir().unwrap();
    let download = begin(&remote, directory.path(), Amount::Needed);
    let expected = noise(40 << 20);
    for range in [39 * MB + 5..40 * MB, 0..100, 20 * MB..22 * MB] {
        download.ensure(range.clone()).unwrap();
        let (start, end) = (range.start as usize, range.end as usize);
        assert!(download.bytes()[start..end] == expected[start..end], "{range:?}");
    }
    expect(&download, 5 * MB..6 * MB);
    download.ensure(5 * MB..6 * MB).unwrap();
    let finished = download.finish(false).unwrap();
    assert!(!finished.verified);
    assert_eq!(finished.path, None);
    let sent = sent(&server.asked());
    assert!((4 * MB..16 * MB).contains(&sent), "{sent}");
    assert_eq!(files(directory.path()), [""; 0]);
}

#[test]
fn where_most_is_needed_all_is_fetched_and_compared() {
    let (_server, remote) = served(10 << 20);
    let directory = tempfile::tempdir().unwrap();
    let download = begin(&remote, directory.path(), Amount::Needed);
    expect(&download, 0..8 * MB);
    assert!(download.is_whole());
    assert!(download.finish(false).unwrap().verified);
    let download = begin(&remote, directory.path(), Amount::Needed);
    expect(&download, 0..6 * MB);
    assert!(!download.is_whole());
}

#[test]
fn a_connection_that_breaks_is_made_again_where_it_broke() {
    let (server, remote) = served(6 << 20);
    server.change(PATH, |file| {
        file.cuts = (4, 700_000);
        file.refusals = (1, 503);
    });
    let directory = tempfile::tempdir().unwrap();
    assert!(whole(&remote, directory.path()).unwrap().verified);
    // What had arrived was not sent again, but for the chunks that were cut.
    let sent = sent(&server.asked());
    assert!(sent < 6 * MB + 4 * 256 * 1024 + 4 * 65536, "{sent}");
}

#[test]
fn a_connection_that_always_breaks_is_an_error_and_what_arrived_is_kept() {
    let (server, remote) = served(6 << 20);
    server.change(PATH, |file| file.cuts = (1000, 300_000));
    let directory = tempfile::tempdir().unwrap();
    let download = Download::begin(&client(), &remote, directory.path(), Amount::Whole).unwrap();
    // Every attempt brings a chunk, so it goes on. Then nothing comes any more.
    download.ensure(0..512 * 1024).unwrap();
    server.change(PATH, |file| file.cuts = (1000, 10));
    let error = download.ensure(0..6 * MB).unwrap_err();
    assert!(error.to_string().contains("connection broke"), "{error}");
    assert!(error.help().unwrap().contains("run it again"), "{error}");
    drop(download);
    assert_eq!(files(directory.path()), ["a.deb.part", "a.deb.part.json"]);
    server.asked();
    server.change(PATH, |file| file.cuts = (0, 0));
    let finished = whole(&remote, directory.path()).unwrap();
    assert!(finished.verified && finished.fetched < 6 * MB - 256 * 1024, "{finished:?}");
    // A connection of the first download may have asked once more before it saw that nobody waits.
    assert!(sent(&server.asked()) >= finished.fetched);
}

#[test]
fn wrong_bytes_are_refused_and_thrown_away() {
    let (server, remote) = served(1 << 20);
    server.change(PATH, |file| file.bytes[77] ^= 1);
    let directory = tempfile::tempdir().unwrap();
    let error = whole(&remote, directory.path()).unwrap_err();
    assert!(matches!(error, Error::Differs { .. }) && error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(files(directory.path()), [""; 0]);
    server.change(PATH, |file| file.bytes.truncate((1 << 20) - 1));
    let error = whole(&remote, directory.path()).unwrap_err();
    assert!(error.to_string().contains("it has 1048575 bytes, not 1048576"), "{error}");
}

#[test]
fn a_server_without_parts_sends_the_file_once() {
    let (server, remote) = served(6 << 20);
    server.change(PATH, |file| file.ranges = false);
    let directory = tempfile::tempdir().unwrap();
    let download = begin(&remote, directory.path(), Amount::Needed);
    // The end is asked for first, as readers of xz do.
    download.ensure(6 * MB - 12..6 * MB).unwrap();
    download.ensure(0..10).unwrap();
    assert!(download.bytes() == noise(6 << 20));
    // All of it is there anyhow, so it is compared.
    assert!(download.finish(false).unwrap().verified);
    let asked = server.asked();
    assert_eq!((asked.len(), sent(&asked)), (1, 6 * MB));
    server.change(PATH, |file| file.cuts = (1, 2_000_000));
    assert!(whole(&remote, directory.path()).unwrap().verified);
}

#[test]
fn redirections_are_followed() {
    let (server, remote) = served(1 << 20);
    let file = File { redirect: Some(PATH.into()), ..File::default() };
    server.put("/here", file);
    server.put("/round", File { redirect: Some("/round".into()), ..File::default() });
    let directory = tempfile::tempdir().unwrap();
    let remote = |path: &str| Remote { url: format!("{}{path}", server.url()), ..remote.clone() };
    assert!(whole(&remote("/here"), directory.path()).unwrap().verified);
    fs::remove_file(directory.path().join("a.deb")).unwrap();
    let error = whole(&remote("/round"), directory.path()).unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
    let error = whole(&remote("/missing"), directory.path()).unwrap_err();
    assert!(error.is_missing(), "{error}");
}

#[test]
fn a_file_that_changes_between_two_runs_is_fetched_anew() {
    let (server, remote) = served(6 << 20);
    let unknown = Remote { sha256: None, ..remote };
    let directory = tempfile::tempdir().unwrap();
    let download = begin(&unknown, directory.path(), Amount::Needed);
    download.ensure(0..2 * MB).unwrap();
    drop(download);
    let changed: Vec<u8> = noise(6 << 20).into_iter().map(|byte| byte ^ 0x55).collect();
    server.change(PATH, |file| {
        file.bytes.clone_from(&changed);
        file.tag = Some("\"2\"".into());
    });
    let path = whole(&unknown, directory.path()).unwrap().path.unwrap();
    assert!(fs::read(path).unwrap() == changed);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let (server, remote) = served(6 << 20);
    let directory = tempfile::tempdir().unwrap();
    let download = begin(&remote, directory.path(), Amount::Needed);
    download.ensure(0..100).unwrap();
    server.change(PATH, |file| file.tag = Some("\"2\"".into()));
    let error = download.ensure(5 * MB..6 * MB).unwrap_err();
    assert!(error.to_string().contains("changed while it was fetched"), "{error}");
    // The next run does not begin with a mixture.
    drop(download);
    assert!(whole(&remote, directory.path()).unwrap().verified);
}

#[test]
fn a_server_that_falls_silent_is_not_waited_for() {
    let (server, remote) = served(1 << 20);
    server.change(PATH, |file| {
        file.ranges = false;
        file.pause = Duration::from_secs(20);
    });
    let options = Options {
        connect: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        retries: 0,
        pause: Duration::from_millis(1),
        connections: 1,
    };
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let download = Download::begin(&Client::new(options), &remote, directory.path(), Amount::Whole).unwrap();
    let error = download.finish(true).unwrap_err();
    assert!(error.to_string().contains("nothing arrived for"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn nobody_is_at_a_file_that_another_is_at() {
    let (_server, remote) = served(1 << 20);
    let directory = tempfile::tempdir().unwrap();
    let first = begin(&remote, directory.path(), Amount::Needed);
    let error = Download::begin(&client(), &remote, directory.path(), Amount::Needed).err().unwrap();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(first);
}
