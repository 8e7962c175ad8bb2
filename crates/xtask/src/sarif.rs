//! The JSON Schema of SARIF 2.1.0, for the test of `check --format sarif`: a crate has it beside its source.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::cargo;

/// The crate, and where in it the schema is. Pinned, so that everybody tests against one schema.
const CRATE: &str = "serde-sarif";
const VERSION: &str = "0.8.0";
const FILE: &str = "src/schema.json";

/// The schema.
///
/// # Errors
/// Why there is none.
pub fn schema() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("DEPSURF_SARIF_SCHEMA") {
        return Ok(path.into());
    }
    // A package that depends on the crate and is never built: cargo fetches what it needs.
    let package = crate::target().join("sarif");
    let manifest = package.join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"schema\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{CRATE} = \"={VERSION}\"\n\n[workspace]\n"
    );
    let written = fs::create_dir_all(package.join("src"))
        .and_then(|()| fs::write(&manifest, text))
        .and_then(|()| fs::write(package.join("src/lib.rs"), ""));
    written.map_err(|error| format!("cannot write `{}`: {error}", package.display()))?;
    let mut command = cargo::cargo(&["metadata", "--format-version", "1", "--manifest-path"]);
    command.arg(&manifest);
    if std::env::var_os("DEPSURF_OFFLINE").is_some() {
        command.arg("--offline");
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("cargo failed: {}", told.trim().lines().last().unwrap_or("it said nothing")));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let path = packages.filter(|package| package["name"] == CRATE).find_map(|package| {
        let manifest = PathBuf::from(package["manifest_path"].as_str()?);
        Some(manifest.parent()?.join(FILE))
    });
    path.filter(|path| path.is_file()).ok_or_else(|| format!("{CRATE} {VERSION} has no `{FILE}`"))
}
