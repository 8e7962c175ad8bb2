//! `depsurf pull`, against a mirror on loopback.

mod common;
#[path = "pull/rpm.rs"]
mod rpm;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Home, Ran};
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::mirror::{self, Package, Suite};
use testkit::package::member;
use testkit::server::{File, Server};

/// What the sample's banner says.
const RELEASE: &str = "6.1.0-50-test";
const NAME: &str = "6.1.0-50-test-generic-amd64";
const SPEC: &str = "debian:bookworm/test-amd64";
const CONFIG: &str = "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\n";

fn vmlinux() -> Vec<u8> {
    Kernel::sample(Machine::X86_64, Target::LE64).build().bytes()
}

fn debug(modules: usize) -> Package {
    Package::debug(RELEASE, "6.1.176-1", "amd64", &vmlinux(), modules)
}

fn serve(packages: Vec<Package>) -> Server {
    let suite = Suite { codename: "bookworm".into(), suite: "oldstable".into(), packages };
    let security = Suite {
        codename: "bookworm-security".into(),
        suite: "oldstable-security".into(),
        packages: Vec::new(),
    };
    let mut files = mirror::archive("/debian", &[suite]);
    files.extend(mirror::archive("/debian-security", &[security]));
    // What has no packages has no architectures either, and so no index.
    files.retain(|path, _| !path.starts_with("/debian-security"));
    files.insert("/debian-security/x".into(), File::default());
    Server::start(files)
}

/// A mirror with the sample kernel, and 8 MB of modules behind it.
fn server() -> Server {
    serve(vec![debug(8 << 20), Package::image(RELEASE, "6.1.176-1", "amd64", CONFIG)])
}

fn pull(home: &Home, server: &Server, arguments: &[&str]) -> Ran {
    let mirrors = ["debian", "debian-security"].map(|name| format!("{}/{name}", server.url()));
    let mut command = home.command();
    command.args(["pull", "--unsigned", "--timeout", "5", "--mirror", &mirrors[0], "--mirror", &mirrors[1]]);
    command.args(arguments).output().unwrap().into()
}

fn debug_path() -> String {
    format!("/debian/{}", debug(0).path())
}

fn in_cache(home: &Home) -> Vec<String> {
    let Ok(files) = fs::read_dir(home.path().join(".cache/depsurf/packages")) else { return Vec::new() };
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn fetched(home: &Home) -> serde_json::Value {
    let info = home.run(&["info", NAME, "--format", "json"]).fine();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    info["kernels"][0]["fetched"].clone()
}

/// The release of the sample must look like one of Debian's, with the flavour behind an ABI number.
#[test]
fn a_kernel_is_fetched_with_its_configuration_and_without_its_modules() {
    let (home, server) = (Home::new(), server());
    assert_eq!(pull(&home, &server, &[SPEC]).fine(), format!("{NAME}\n"));
    let config = home.run(&["show", "config", "CONFIG_BPF_SYSCALL"]).fine();
    assert!(config.contains('y'), "{config}");
    let sent: usize =
        server.asked().iter().filter(|asked| asked.path == debug_path()).map(|asked| asked.sent).sum();
    assert!(sent < 5 << 20, "{sent}");
    let provenance = fetched(&home);
    assert_eq!(provenance, serde_json::json!({"place": "debian", "suite": "bookworm", "checked": "index"}));
    assert_eq!(in_cache(&home), [""; 0]);

    // It is there now, so nothing is fetched; but what was not compared is, when that is asked for.
    let ran = pull(&home, &server, &["-v", SPEC]);
    assert_eq!(ran.stdout, format!("{NAME}\n"));
    assert!(ran.stderr.contains("is there already, from the same package"), "{ran:?}");
    assert!(server.asked().iter().all(|asked| !asked.path.contains("/pool/")));
    pull(&home, &server, &["--verify", "--keep", SPEC]).fine();
    assert_eq!(fetched(&home)["checked"], "whole");
    assert_eq!(in_cache(&home).len(), 2);
    // The same kernel from the files that were kept differs in nothing but what tells where it is from.
    let from_files: Vec<PathBuf> =
        in_cache(&home).iter().map(|name| home.path().join(".cache/depsurf/packages").join(name)).collect();
    let listed = |home: &Home| -> serde_json::Value {
        serde_json::from_str(&home.run(&["list", "--format", "json"]).fine()).unwrap()
    };
    let before = listed(&home);
    let mut add = home.command();
    add.args(["add", "--force"]).args(&from_files);
    assert_eq!(Ran::from(add.output().unwrap()).fine(), format!("{NAME}\n"));
    let mut after = listed(&home);
    after["kernels"][0]["size"] = before["kernels"][0]["size"].clone();
    let blocks = |list: &serde_json::Value| list["kernels"][0]["counts"].clone();
    assert_eq!(blocks(&before), blocks(&after));
    assert_eq!(fetched(&home), serde_json::Value::Null);
}

/// The module of the library's own tests, whole, and without and with nothing but its debug information; `None` where a tool is
/// missing, which is said.
#[allow(clippy::print_stdout, reason = "a skipped test has to be seen")]
fn module() -> Option<[Vec<u8>; 3]> {
    let place = tempfile::tempdir().unwrap();
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../depsurf/tests/objects/module.c");
    let (whole, half) = (place.path().join("whole"), place.path().join("half"));
    let run = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let mut clang = Command::new("clang");
    clang.args(["-target", "x86_64-linux-gnu", "-O2", "-g", "-ffreestanding", "-fno-pic", "-c"]);
    let mut files = Vec::new();
    if run(clang.arg(source).arg("-o").arg(&whole)) {
        files.push(fs::read(&whole).unwrap());
        for option in ["--strip-debug", "--only-keep-debug"] {
            if run(Command::new("objcopy").arg(option).args([&whole, &half])) {
                files.push(fs::read(&half).unwrap());
            }
        }
    }
    let files = files.try_into().ok();
    if files.is_none() {
        println!("SKIPPED: modules: no clang or objcopy that knows x86-64");
    }
    files
}

/// The sample's code, and its debug information.
fn halves() -> [Vec<u8>; 2] {
    let whole = Kernel::sample(Machine::X86_64, Target::LE64).build().elf;
    [whole.without_debug().build(), whole.only_debug().build()]
}

/// Pages that need both halves: symbols and sites from one, inlining and types from the other.
fn pages(home: &Home) -> String {
    [["function", "vfs_read"], ["function", "access_ok"], ["struct", "file"], ["config", "CONFIG_BPF"]]
        .map(|[kind, name]| home.run(&["show", "-v", kind, name]).fine())
        .concat()
}

/// The same of the sample, added as a file.
fn pages_of_whole() -> String {
    let home = Home::new();
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    fs::write(home.path().join("config"), CONFIG).unwrap();
    home.run(&["add", "vmlinux", "--config", "config"]).fine();
    pages(&home)
}

/// A mirror with a module in the debug package, 2 MB of another that is none, and perhaps one in the other package.
fn with_modules(debug: &[u8], code: Option<&[u8]>) -> Server {
    let tiny = |place: &str, bytes: &[u8]| {
        member(&format!("./{place}lib/modules/{RELEASE}/kernel/fs/tiny-one.ko"), b'0', bytes)
    };
    let noise = vec![7; 2 << 20];
    let members = [
        member(&format!("./usr/lib/debug/boot/vmlinux-{RELEASE}"), b'0', &vmlinux()),
        tiny("usr/lib/debug/", debug),
        member(&format!("./usr/lib/debug/lib/modules/{RELEASE}/kernel/x.ko"), b'0', &noise),
    ];
    let debug = format!("linux-image-{RELEASE}-dbg");
    let mut image = vec![member(&format!("./boot/config-{RELEASE}"), b'0', CONFIG.as_bytes())];
    image.extend(code.map(|code| tiny("", code)));
    serve(vec![
        Package::new(&debug, "6.1.176-1", "amd64", &members, 256 << 10),
        Package::new(&format!("linux-image-{RELEASE}"), "6.1.176-1", "amd64", &image, usize::MAX),
    ])
}

#[test]
fn modules_are_read_while_the_package_arrives() {
    let Some([whole, code, debug]) = module() else { return };
    let page = |home: &Home| home.run(&["show", "function", "tiny_read"]).fine();
    let (home, server) = (Home::new(), with_modules(&whole, None));
    assert_eq!(pull(&home, &server, &["--modules", "tiny*", SPEC]).fine(), format!("{NAME}\n"));
    // All of the package arrived, so that it was compared.
    assert_eq!(fetched(&home)["checked"], "whole");
    assert_eq!(in_cache(&home), [""; 0]);
    let expected = page(&home);
    assert!(expected.contains("while loaded       module tiny_one"), "{expected}");
    // What is there has modules, which a pull without them does not take away.
    assert!(pull(&home, &server, &["-v", SPEC]).stderr.contains("is there already"));
    assert_eq!(page(&home), expected);
    // One that asks for all of them reads again, and tells what is no module.
    let ran = pull(&home, &server, &["-v", "--modules", "all", SPEC]);
    assert!(ran.stderr.contains("a module was left out"), "{ran:?}");
    assert!(pull(&home, &server, &["-v", "--modules", "all", SPEC]).stderr.contains("is there already"));

    // Where modules are stripped, their code is in the package of the configuration.
    let (home, server) = (Home::new(), with_modules(&debug, Some(&code)));
    pull(&home, &server, &["--modules", "tiny*", SPEC]).fine();
    assert_eq!(page(&home), expected);
    assert_eq!(in_cache(&home), [""; 0]);
    let (home, server) = (Home::new(), with_modules(&debug, None));
    pull(&home, &server, &["--modules", "tiny*", SPEC]).fine();
    assert_ne!(page(&home), expected);
    let ran = pull(&Home::new(), &server, &["--modules", "[", SPEC]);
    assert!(ran.stderr.contains("is no pattern of modules"), "{ran:?}");
}

#[test]
fn ubuntu_has_the_code_of_modules_in_two_packages() {
    let Some([whole, code, debug]) = module() else { return };
    let module = |place: &str, bytes: &[u8]| {
        member(&format!("./{place}lib/modules/{RELEASE}/kernel/fs/tiny-one.ko"), b'0', bytes)
    };
    let package = |name: &str, members: &[Vec<u8>]| {
        Package::new(&format!("{name}{RELEASE}"), "6.1.0-50.1", "amd64", members, usize::MAX)
    };
    let packages = |debug: &[u8]| {
        let debug = [
            member(&format!("./usr/lib/debug/boot/vmlinux-{RELEASE}"), b'0', &vmlinux()),
            module("usr/lib/debug/", debug),
        ];
        let config = member(&format!("./boot/config-{RELEASE}"), b'0', CONFIG.as_bytes());
        let name = format!("linux-image-unsigned-{RELEASE}-dbgsym");
        vec![
            Package::new(&name, "6.1.0-50.1", "amd64", &debug, usize::MAX),
            package("linux-modules-", &[config]),
            package("linux-modules-extra-", &[module("", &code)]),
        ]
    };
    let serve = |debug: &[u8]| {
        let suite = Suite { codename: "noble".into(), suite: "noble".into(), packages: packages(debug) };
        Server::start(mirror::archive("/ubuntu", &[suite]))
    };
    let pull = |home: &Home, server: &Server, arguments: &[&str]| -> Ran {
        let mut command = home.command();
        command.args(["pull", "--unsigned", "--mirror", &format!("{}/ubuntu", server.url())]);
        command.args(arguments).arg("ubuntu:noble/test-amd64").output().unwrap().into()
    };
    let page = |home: &Home| home.run(&["show", "function", "tiny_read"]).fine();
    let (home, server) = (Home::new(), serve(&whole));
    pull(&home, &server, &["--modules", "all"]).fine();
    let expected = page(&home);
    let (home, server) = (Home::new(), serve(&debug));
    let ran = pull(&home, &server, &["--modules", "all"]);
    assert_eq!((ran.status, page(&home)), (Some(0), expected), "{ran:?}");
    assert_eq!(in_cache(&home), [""; 0]);
    // Without modules it is not fetched.
    let (home, server) = (Home::new(), serve(&debug));
    pull(&home, &server, &[]).fine();
    let asked = server.asked();
    assert!(asked.iter().any(|asked| asked.path.contains("/linux-modules-6")));
    assert!(!asked.iter().any(|asked| asked.path.contains("/linux-modules-extra-")), "{asked:?}");
}

#[test]
fn what_would_be_fetched_can_be_seen_before() {
    let (home, server) = (Home::new(), server());
    let listed = pull(&home, &server, &["--list", "debian:*/*"]).fine();
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["release", "version", "arch", "suite", "MB", "dataset"]
    );
    assert!(
        lines[1].starts_with(&format!("{RELEASE}  6.1.176-1  amd64  bookworm")) && lines[1].ends_with('-'),
        "{listed}"
    );
    assert!(lines[2].starts_with("1 kernels, at most 8."), "{listed}");
    assert!(!home.dataset().exists());
    pull(&home, &server, &[SPEC]).fine();
    assert!(pull(&home, &server, &["--list", SPEC]).fine().contains(NAME));
    assert_eq!(pull(&home, &server, &["--dry-run", SPEC]).fine().lines().count(), 2);
}

#[test]
fn one_failure_does_not_stop_the_others() {
    let cut = {
        let mut package = Package::debug("6.1.0-50-cut-amd64", "6.1.176-1", "amd64", &vmlinux(), 100);
        let middle = package.bytes.len() / 2;
        package.bytes[middle..].fill(0);
        package
    };
    let gone = Package::debug("6.1.0-50-gone-amd64", "6.1.176-1", "amd64", b"no ELF file", 100);
    let server = serve(vec![cut, gone, debug(1000), Package::image(RELEASE, "6.1.176-1", "amd64", CONFIG)]);
    let home = Home::new();
    let ran = pull(&home, &server, &["debian:bookworm/*", "debian:sarge/amd64"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), format!("{NAME}\n").as_str()), "{ran:?}");
    for told in ["no suite `sarge`", "6.1.0-50-cut-amd64: failed", "1 added, 2 failed", "not an ELF file"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert_eq!(home.run(&["list", "--format", "json"]).fine().matches("\"uname\"").count(), 1);
    // What cannot be read is not kept for the next try.
    assert_eq!(in_cache(&home), [""; 0]);
}

#[test]
fn what_arrived_before_a_failure_is_not_fetched_again() {
    let (home, server) = (Home::new(), server());
    server.change(&debug_path(), |file| {
        file.becomes = Some((1, Box::new(File { refusals: (usize::MAX, 500), ..file.clone() })))
    });
    let told = pull(&home, &server, &["--verify", "--connections", "1", SPEC]).failed();
    assert!(told.contains("the server says 500") && told.contains(&debug(0).path()), "{told}");
    assert!(
        in_cache(&home).iter().any(|name| name.ends_with("-dbg_6.1.176-1_amd64.deb.part.json")),
        "{:?}",
        in_cache(&home)
    );
    let first: usize =
        server.asked().iter().filter(|asked| asked.path == debug_path()).map(|asked| asked.sent).sum();
    server.change(&debug_path(), |file| file.refusals = (0, 0));
    pull(&home, &server, &["--verify", SPEC]).fine();
    let second: usize =
        server.asked().iter().filter(|asked| asked.path == debug_path()).map(|asked| asked.sent).sum();
    let size = debug(8 << 20).bytes.len();
    assert!(first > 0 && second > 0 && first + second < size + (1 << 20), "{first} {second} {size}");
}

#[test]
fn a_wrong_checksum_leaves_the_dataset_as_it_was() {
    let (home, server) = (Home::new(), server());
    // Behind the vmlinux, where nothing but the checksum of the whole can tell.
    server.change(&debug_path(), |file| {
        let at = file.bytes.len() - 3_000_000;
        file.bytes[at] ^= 1;
    });
    let told = pull(&home, &server, &["--verify", SPEC]).failed();
    assert!(told.contains("is not what the index says: its SHA-256 is"), "{told}");
    assert!(!home.dataset().exists());
    assert!(!in_cache(&home).iter().any(|name| name.contains("-dbg")));
}

#[test]
fn mistakes_in_what_is_asked_for_are_told() {
    let home = Home::new();
    let told = home.run(&["pull", "trixie"]).failed();
    assert!(
        told.contains("names no place to get a kernel from: write it like debian:trixie/cloud-amd64"),
        "{told}"
    );
    let told = home.run(&["pull", "ubuntu:noble/generic-amd64"]).failed();
    assert!(told.contains("ubuntu:noble/generic-amd64: no mirror of Ubuntu is known"), "{told}");
    assert!(told.contains("DEPSURF_MIRROR_UBUNTU"), "{told}");
    let told = home.run(&["pull", "debian:trixie/amd64", "--mirror", "ftp://x.example/debian"]).failed();
    assert!(told.contains("is no mirror that can be used"), "{told}");
    let told = home.run(&["pull", "debuginfod:0123456789abcdef"]).failed();
    assert!(told.contains("no debuginfod server is known"), "{told}");
}

/// Debian's own server, over a directory with the sample kernel.
struct Debuginfod {
    child: Child,
    url: String,
}

impl Debuginfod {
    fn start(home: &Home) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let files = home.path().join("files");
        fs::create_dir(&files).unwrap();
        fs::write(files.join("vmlinux"), vmlinux()).unwrap();
        let child = Command::new("debuginfod")
            .args(["-F", "-p", &port.to_string(), "-d", ":memory:"])
            .arg(&files)
            .env_remove("DEBUGINFOD_URLS")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, url: format!("http://localhost:{port}") }),
            Err(_) => {
                #[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
                {
                    eprintln!("SKIPPED: the program `debuginfod` is not installed");
                }
                None
            }
        }
    }
}

impl Drop for Debuginfod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_kernel_comes_from_debuginfod_by_its_build_id() {
    let home = Home::new();
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    home.run(&["add", "vmlinux"]).fine();
    let list: serde_json::Value =
        serde_json::from_str(&home.run(&["list", "--format", "json"]).fine()).unwrap();
    let id = list["kernels"][0]["build_id"].as_str().unwrap().to_owned();
    home.run(&["remove", NAME]).fine();
    let Some(server) = Debuginfod::start(&home) else { return };
    let pull = || {
        let mut command = home.command();
        command.env("DEBUGINFOD_URLS", &server.url).args(["pull", &format!("debuginfod:{id}")]);
        Ran::from(command.output().unwrap())
    };
    // It looks at the files first, for some seconds.
    let mut ran = pull();
    for _ in 0..100 {
        if ran.status == Some(0) {
            break;
        }
        thread::sleep(Duration::from_millis(300));
        ran = pull();
    }
    assert_eq!(ran.fine(), format!("{NAME}\n"));
    assert_eq!(fetched(&home)["checked"], "build-id");
}

#[test]
fn debuginfod_gives_code_and_debug_information_as_two_files() {
    let ([code, debug], home) = (halves(), Home::new());
    fs::write(home.path().join("vmlinux"), vmlinux()).unwrap();
    home.run(&["add", "vmlinux"]).fine();
    let list = home.run(&["list", "--format", "json"]).fine();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let id = list["kernels"][0]["build_id"].as_str().unwrap();
    let whole = pages(&home);
    let path = |what: &str| format!("/buildid/{id}/{what}");
    let debug = (path("debuginfo"), File::new(debug));
    let server = Server::start(BTreeMap::from([debug.clone(), (path("executable"), File::new(code))]));
    let pull = |home: &Home, server: &Server| {
        home.run(&["pull", "--mirror", &server.url(), &format!("debuginfod:{id}")])
    };
    let home = Home::new();
    assert_eq!(pull(&home, &server).fine(), format!("{NAME}\n"));
    assert_eq!((pages(&home), in_cache(&home)), (whole, vec![]));
    assert_eq!(fetched(&home)["checked"], "build-id");

    let (home, server) = (Home::new(), Server::start(BTreeMap::from([debug])));
    let told = pull(&home, &server).failed();
    assert!(told.contains("/executable`: the server says 404"), "{told}");
    assert!(!home.dataset().exists());
}

#[test]
fn what_debuginfod_gives_must_have_the_build_id() {
    let (home, id) = (Home::new(), "0123456789abcdef0123456789abcdef01234567");
    let files = BTreeMap::from([(format!("/buildid/{id}/debuginfo"), File::new(vmlinux()))]);
    let server = Server::start(files);
    let told = home.run(&["pull", "--mirror", &server.url(), &format!("debuginfod:{id}")]).failed();
    assert!(told.contains("is not what was asked for: its build id is"), "{told}");
    assert!(!home.dataset().exists());
}
