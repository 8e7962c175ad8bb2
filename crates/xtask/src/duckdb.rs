//! DuckDB for the tests that query tables: a Python environment below `target`, made once.

use std::path::PathBuf;
use std::process::Command;

/// What pip installs. A version of its own kind of SQL each, so it is pinned.
const PACKAGE: &str = "duckdb==2.0.1";

/// A Python that has DuckDB.
///
/// # Errors
/// Why there is none.
pub fn python() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DEPSURF_DUCKDB") {
        return Ok(path.into());
    }
    let directory = crate::target().join("duckdb");
    let python = directory.join("bin/python");
    if has_duckdb(&python) {
        return Ok(python);
    }
    if std::env::var_os("DEPSURF_OFFLINE").is_some() {
        return Err("DuckDB is not there yet, and DEPSURF_OFFLINE keeps pip from fetching it".into());
    }
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    quietly(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
    if has_duckdb(&python) { Ok(python) } else { Err(format!("{PACKAGE} is installed and cannot be loaded")) }
}

fn has_duckdb(python: &PathBuf) -> bool {
    Command::new(python).args(["-c", "import duckdb"]).output().is_ok_and(|output| output.status.success())
}

/// Runs a command; where it fails, gives the last line of what it said.
fn quietly(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Err(format!("{name} failed: {}", told.trim().lines().last().unwrap_or("it said nothing")))
}
