//! Second opinions from programs that may be installed. Without them the tests still check with the
//! `object` and `gimli` readers.

use std::io::Write;
use std::process::Command;

/// Runs a program on a file with these contents. `None` when it is not installed.
pub fn run(program: &str, arguments: &[&str], file: &[u8]) -> Option<Output> {
    let mut image = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    image.write_all(file).expect("a temporary file can be written");
    let output = Command::new(program).args(arguments).arg(image.path()).output().ok()?;
    Some(Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}
