//! Disks that are full, too small or read-only, and writers that are killed: nothing is lost and nothing is half there.
//!
//! The disks are real: each is a tmpfs of a few pages in a mount namespace that a child of the test holds and that goes
//! with it. That takes root or user namespaces; where there are neither the tests say `SKIPPED:`.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{A, B, Home, Ran, surface};
use depsurf::interop;
use depsurf::store::{Dataset, pack};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

const NAME: &str = "6.1.0-50-test-generic-amd64";
const OTHER: &str = "6.1.0-51-test-generic-amd64";

/// What tmpfs gives to files at a time.
const PAGE: u64 = 4096;

/// A small file system of its own.
struct Disk {
    holder: Child,
    /// Its root, as the namespace of the holder has it.
    root: PathBuf,
}

/// Mounts a tmpfs at `$1`, then remounts it with each line of options; says so by an empty line.
const HOLD: &str = "mount -t tmpfs -o size=64m depsurf \"$1\" && echo || exit; \
    while read options; do mount -o \"remount,$options\" \"$1\" && echo || exit; done";

impl Disk {
    /// A disk with room; `None` where none can be made, which is said.
    #[allow(clippy::print_stdout, reason = "a skipped test has to be seen")]
    fn new(home: &Home) -> Option<Self> {
        let place = home.path().join("disk");
        fs::create_dir_all(&place).unwrap();
        for user in [&[][..], &["--user", "--map-root-user"]] {
            let mut command = Command::new("unshare");
            command
                .args(user)
                .args(["--mount", "--propagation", "private", "sh", "-c", HOLD, "sh"])
                .arg(&place);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            let Ok(mut holder) = command.spawn() else { continue };
            if answers(&mut holder) {
                // `/proc/PID/root` is the tree as that process sees it.
                let root = Path::new("/proc").join(holder.id().to_string()).join("root");
                let root = root.join(place.strip_prefix("/").unwrap());
                // A size of zero would mean no limit.
                fs::write(root.join("ballast"), "1").unwrap();
                return Some(Self { holder, root });
            }
            let _ = holder.wait();
        }
        println!("SKIPPED: what happens on a full disk: it takes root or user namespaces to make one");
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn remount(&mut self, options: &str) {
        writeln!(self.holder.stdin.as_ref().unwrap(), "{options}").unwrap();
        assert!(answers(&mut self.holder), "cannot remount with {options}");
    }

    /// Leaves this much room besides what is there.
    fn leave(&mut self, pages: u64) {
        self.remount(&format!("size={}", pages_below(&self.root) * PAGE + pages * PAGE));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn answers(holder: &mut Child) -> bool {
    let mut line = String::new();
    // One byte at a time: nothing of a later answer is taken.
    BufReader::with_capacity(1, holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap() == 1
}

fn pages_below(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    let pages = files.map(|file| match file.file_type().unwrap() {
        kind if kind.is_dir() => pages_below(&file.path()),
        _ => file.metadata().unwrap().len().div_ceil(PAGE),
    });
    pages.sum()
}

fn vmlinux() -> Vec<u8> {
    Kernel::sample(Machine::X86_64, Target::LE64).build().bytes()
}

/// A home with the sample kernel as `vmlinux`.
fn home() -> Home {
    let home = Home::new();
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    home
}

/// All files below a directory, hidden ones too, with their contents; by path, sorted.
fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(inner) = open.pop() {
        for file in fs::read_dir(inner).into_iter().flatten().map(|file| file.unwrap()) {
            if file.file_type().unwrap().is_dir() {
                open.push(file.path());
            } else {
                let name = file.path().strip_prefix(directory).unwrap().display().to_string();
                files.push((name, fs::read(file.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn hidden(directory: &Path) -> Vec<String> {
    let is_hidden = |name: &String| Path::new(name).file_name().unwrap().as_encoded_bytes().starts_with(b".");
    tree(directory).into_iter().map(|(name, _)| name).filter(is_hidden).collect()
}

/// The kernels of a dataset, all of them whole.
#[track_caller]
fn kernels(directory: &Path) -> Vec<String> {
    let dataset = Dataset::open(directory).unwrap();
    let opened = dataset.surfaces(|_| true, &depsurf::progress::Silent).unwrap();
    assert!(opened.problems.is_empty(), "{:?}", opened.problems);
    let check = |surface: &depsurf::surface::Surface| {
        surface.verify().unwrap();
        surface.kernel().to_string()
    };
    opened.surfaces.iter().map(check).collect()
}

/// One clear message: what, where, why, and what to do about it.
#[track_caller]
fn told_once(ran: Ran, why: &str) {
    let told = ran.failed();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines[0].starts_with("error: cannot ") && lines[0].contains(why), "{told}");
    assert!(lines[1].starts_with("  help: ") && lines[1].contains("name a directory"), "{told}");
}

const FULL: &str = "No space left on device";
const READ_ONLY: &str = "Read-only file system";

fn run_on(home: &Home, dataset: &Path, arguments: &[&str]) -> Ran {
    home.command().arg("--dataset").arg(dataset).args(arguments).output().unwrap().into()
}

#[test]
fn add_to_a_disk_that_fills_at_any_point() {
    let home = home();
    let Some(mut disk) = Disk::new(&home) else { return };
    let dataset = disk.path("dataset");
    Dataset::create(&dataset).unwrap().add(&surface(A)).unwrap();
    let before = tree(&dataset);
    let mut failures = 0;
    for pages in 0.. {
        disk.leave(pages);
        let ran = run_on(&home, &dataset, &["add", "--force", "vmlinux"]);
        if ran.status == Some(0) {
            assert_eq!(ran.fine().trim_end(), NAME);
            break;
        }
        assert_eq!(ran.stdout, "", "{ran:?}");
        told_once(ran, FULL);
        assert_eq!(tree(&dataset), before, "with {pages} pages");
        failures += 1;
    }
    assert!(failures > 3, "{failures}");
    assert_eq!(kernels(&dataset), [A, NAME]);

    // Replacing takes as much room as adding, and what was there stays where there is none.
    let before = tree(&dataset);
    disk.leave(1);
    told_once(run_on(&home, &dataset, &["add", "--force", "vmlinux"]), FULL);
    assert_eq!(tree(&dataset), before);

    // No room for the directory, or for a file in it.
    disk.remount("size=64m,nr_inodes=5");
    let ran = run_on(&home, &disk.path("new"), &["add", "--force", "vmlinux"]);
    assert_eq!(ran.stdout, "");
    told_once(ran, FULL);
    assert!(tree(&disk.path("new")).is_empty());
    assert_eq!(tree(&dataset), before);
}

#[test]
fn a_read_only_dataset_is_read_and_not_added_to() {
    let home = home();
    let Some(mut disk) = Disk::new(&home) else { return };
    let dataset = disk.path("dataset");
    home.run(&["add", "--force", "vmlinux"]).fine();
    Dataset::create(&dataset).unwrap().add(&surface(A)).unwrap();
    fs::copy(home.dataset().join(format!("{NAME}.surface")), dataset.join(format!("{NAME}.surface")))
        .unwrap();
    let before = tree(&dataset);
    disk.remount("ro");
    told_once(run_on(&home, &dataset, &["add", "--force", "vmlinux"]), READ_ONLY);
    told_once(run_on(&home, &disk.path("new"), &["add", "--force", "vmlinux"]), READ_ONLY);
    assert_eq!(tree(&dataset), before);
    assert_eq!(kernels(&dataset), [A, NAME]);
    for arguments in [
        &["list"][..],
        &["show", "function", "vfs_read"],
        &["search", "vfs_read"],
        &["export", "depsurf", "out"],
        &["diff", A, NAME],
    ] {
        let ran = run_on(&home, &dataset, arguments);
        assert!(matches!(ran.status, Some(0 | 1)) && ran.stderr.is_empty(), "{ran:?}");
    }
    for arguments in [["export", "depsurf"], ["pages", "-o"]] {
        let out = disk.path("out");
        told_once(home.command().args(arguments).arg(out).output().unwrap().into(), READ_ONLY);
    }
}

#[test]
fn search_answers_without_room_for_its_index() {
    let home = home();
    let Some(mut disk) = Disk::new(&home) else { return };
    home.run(&["add", "--force", "vmlinux"]).fine();
    let cache = disk.path("cache");
    let search = || -> Ran {
        let mut command = home.command();
        command.env("XDG_CACHE_HOME", &cache).args(["search", "vfs", "read"]).output().unwrap().into()
    };
    let answer = home.run(&["search", "vfs", "read"]).fine();
    for pages in 0..4 {
        disk.leave(pages);
        assert_eq!(search().fine(), answer, "with {pages} pages");
        assert_eq!(hidden(&cache), [""; 0]);
    }
    disk.remount("size=64m");
    assert_eq!(search().fine(), answer);
    assert!(!tree(&cache).is_empty());
    disk.remount("ro");
    home.run(&["add", "--force", "vmlinux", "--name", OTHER]).fine();
    assert_eq!(search().fine(), home.run(&["search", "vfs", "read"]).fine());
}

#[test]
fn packed_kernels_are_read_without_room_to_expand_them() {
    let home = home();
    let Some(mut disk) = Disk::new(&home) else { return };
    home.run(&["add", "--force", "vmlinux"]).fine();
    let page = home.run(&["show", "function", "vfs_read"]).fine();
    let dataset = Dataset::open(home.dataset()).unwrap();
    let opened = dataset.surfaces(|_| true, &depsurf::progress::Silent).unwrap();
    let packed = pack::pack(&opened.surfaces[0]).unwrap();
    let place = home.path().join("packed");
    Dataset::create(&place).unwrap().add_packed(&packed).unwrap();
    let cache = disk.path("cache");
    for pages in 0..3 {
        disk.leave(pages);
        let mut command = home.command();
        command.env("XDG_CACHE_HOME", &cache).args(["show", "function", "vfs_read", "--dataset", "packed"]);
        assert_eq!(Ran::from(command.output().unwrap()).fine(), page);
        assert_eq!(hidden(&cache), [""; 0]);
    }
}

/// Runs a verb that fills a directory on a disk that fills at any point: what is there is whole, and once
/// there is room the run gives what one that was never interrupted gives.
fn fills(verb: &[&str], step: usize, keeps: impl Fn(&str) -> bool) {
    let home = home();
    let Some(mut disk) = Disk::new(&home) else { return };
    home.run(&["add", "--force", "vmlinux"]).fine();
    let run = |out: &Path| -> Ran { home.command().arg("-q").args(verb).arg(out).output().unwrap().into() };
    let wanted = home.path().join("wanted");
    run(&wanted).fine();
    let wanted = tree(&wanted);
    let out = disk.path("out");
    let mut failures = 0;
    for pages in (0..).step_by(step) {
        let _ = fs::remove_dir_all(&out);
        disk.leave(pages);
        let ran = run(&out);
        let there = tree(&out);
        if ran.status == Some(0) {
            break;
        }
        told_once(ran, FULL);
        failures += 1;
        for file in there.iter().filter(|(name, _)| !keeps(name)) {
            assert!(wanted.contains(file), "{} is not whole with {pages} pages", file.0);
        }
        if failures == 3 {
            // Begun without room, ended with it.
            disk.remount("size=64m");
            run(&out).fine();
            assert_eq!(tree(&out), wanted);
        }
    }
    assert!(failures > 2, "{failures}");
    assert_eq!(tree(&out), wanted);
}

#[test]
fn export_to_a_disk_that_fills_at_any_point() {
    fills(&["export", "depsurf"], 1, |_| false);
}

#[cfg(feature = "parquet")]
#[test]
fn export_of_tables_to_a_disk_that_fills_at_any_point() {
    fills(&["export", "parquet"], 3, |_| false);
}

#[test]
fn pages_to_a_disk_that_fills_at_any_point() {
    // The manifest names files before they are there.
    fills(&["pages", "-o"], 15, |name| name == ".depsurf-pages");
}

#[test]
fn import_to_a_disk_that_fills_at_any_point() {
    let home = Home::new();
    let Some(mut disk) = Disk::new(&home) else { return };
    for name in [A, B] {
        interop::depsurf::export(&surface(name), &home.path().join("theirs")).unwrap();
    }
    let dataset = disk.path("dataset");
    let mut failures = 0;
    for pages in 0.. {
        let _ = fs::remove_dir_all(&dataset);
        disk.leave(pages);
        let ran = run_on(&home, &dataset, &["import", "depsurf", "theirs"]);
        let kept = kernels(&dataset);
        let printed: Vec<&str> = ran.stdout.lines().collect();
        assert_eq!(kept, printed);
        assert_eq!(hidden(&dataset), [""; 0]);
        if ran.status == Some(0) {
            assert_eq!(kept, [A, B]);
            break;
        }
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert_eq!(ran.stderr.matches(FULL).count(), 2 - kept.len(), "{ran:?}");
        failures += 1;
    }
    assert!(failures > 1, "{failures}");
}

#[test]
fn an_add_that_is_killed_at_any_byte_leaves_the_dataset_as_it_was() {
    let home = home();
    let place = home.dataset();
    Dataset::create(&place).unwrap().add(&surface(A)).unwrap();
    let length = {
        let ran = home.run(&["add", "--force", "vmlinux", "--dataset", "elsewhere"]);
        ran.fine();
        fs::metadata(home.path().join("elsewhere").join(format!("{NAME}.surface"))).unwrap().len()
    };
    // The system kills a program that writes beyond the limit (SIGXFSZ); the limit is in blocks of 512 bytes.
    let killed_at = |blocks: u64| {
        let mut shell = home.command();
        let program = shell.get_program().to_owned();
        shell = Command::new("sh");
        shell.args(["-c", "ulimit -c 0; ulimit -f \"$0\"; exec \"$@\""]).arg(blocks.to_string()).arg(program);
        shell
            .args(["add", "--force", "vmlinux"])
            .env_clear()
            .env("HOME", home.path())
            .current_dir(home.path());
        let output = shell.output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (None, &b""[..]), "{output:?}");
    };
    let blocks = length.div_ceil(512);
    for limit in (0..blocks).step_by((blocks as usize / 12).max(1)).chain([blocks - 1]) {
        killed_at(limit);
        assert_eq!(kernels(&place), [A]);
        let left = hidden(&place);
        assert_eq!(left.len(), 1, "only the last one: each add removes what the one before left");
        assert_eq!(fs::metadata(place.join(&left[0])).unwrap().len(), limit * 512);
        home.run(&["list"]).fine();
    }
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert_eq!(kernels(&place), [A, NAME]);
    assert_eq!(hidden(&place), [""; 0]);
}

#[test]
fn an_add_that_is_killed_while_it_writes_leaves_the_dataset_as_it_was() {
    let home = home();
    let place = home.dataset();
    Dataset::create(&place).unwrap().add(&surface(A)).unwrap();
    for round in 0..20 {
        let mut child =
            home.command().args(["add", "--force", "vmlinux"]).stdout(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while hidden_names(&place).is_empty() && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
        std::thread::sleep(Duration::from_micros(round * 50));
        let _ = child.kill();
        child.wait().unwrap();
        let now = kernels(&place);
        assert!(now == [A] || now == [A, NAME], "{now:?}");
    }
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert_eq!(kernels(&place), [A, NAME]);
    assert_eq!(hidden(&place), [""; 0]);
}

/// Hidden files by name alone: they may be gone in the next moment.
fn hidden_names(directory: &Path) -> Vec<std::ffi::OsString> {
    let names = fs::read_dir(directory).unwrap().flatten().map(|file| file.file_name());
    names.filter(|name| name.as_encoded_bytes().starts_with(b".")).collect()
}

#[test]
fn adds_at_once_do_no_harm() {
    let home = home();
    home.run(&["add", "--force", "vmlinux", "--dataset", "alone"]).fine();
    home.run(&["add", "--force", "vmlinux", "--dataset", "alone", "--name", OTHER]).fine();
    let wanted = tree(&home.path().join("alone"));
    for round in 0..4 {
        let spawn = |number: u64| {
            let mut command = home.command();
            command.args(["add", "--force", "vmlinux"]).stdout(Stdio::null());
            if number % 2 == 1 {
                command.args(["--name", OTHER]);
            }
            command.spawn().unwrap()
        };
        let mut children: Vec<Child> = (0..6).map(spawn).collect();
        // Two of them die on the way.
        std::thread::sleep(Duration::from_millis(round * 9));
        for child in &mut children[..2] {
            let _ = child.kill();
        }
        for (number, mut child) in children.into_iter().enumerate() {
            let status = child.wait().unwrap();
            assert!(status.success() || number < 2, "{status:?}");
        }
        assert_eq!(kernels(&home.dataset()), [NAME, OTHER]);
    }
    home.run(&["add", "--force", "vmlinux"]).fine();
    assert_eq!(tree(&home.dataset()), wanted);
}
