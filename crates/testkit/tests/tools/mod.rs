//! Second opinions from programs that may be installed. Without them the tests still check with the
//! `object` and `gimli` readers.

use std::io::Write;
use std::process::Command;

/// Runs a program on a file with these contents, whose path replaces the argument `FILE`. `None` when
/// the program is not installed.
pub fn run(program: &str, arguments: &[&str], file: &[u8]) -> Option<Output> {
    let mut image = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    image.write_all(file).expect("a temporary file can be written");
    let mut command = Command::new(program);
    for argument in arguments {
        match *argument {
            "FILE" => command.arg(image.path()),
            argument => command.arg(argument),
        };
    }
    let output = command.output().ok()?;
    let mut stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        stderr += &format!("{program} failed: {}\n", output.status);
    }
    Some(Output { stdout: String::from_utf8_lossy(&output.stdout).into_owned(), stderr })
}

/// What a program said; failing counts as saying so.
#[derive(Debug)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
}
