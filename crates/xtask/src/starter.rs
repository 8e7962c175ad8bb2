//! `starter`: builds the starter dataset, the packed surfaces that travel with the source.
//!
//! Reads the debug packages of [`packages::STARTER`] with the packages that hold their configuration, and writes
//! `starter/KERNEL.packed` for each and the table by which the program embeds them.

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use depsurf::store::{PACKED_EXTENSION, pack};

use crate::kernels;
use crate::packages::{self, Line};

/// Bytes that all packed surfaces together may have.
const BUDGET: usize = 24_000_000;

/// Where the table of embedded files is.
const TABLE: &str = "crates/depsurf-cli/src/starter/table.rs";

/// Builds the dataset.
pub fn run() -> Result<()> {
    let directory = crate::root().join("starter");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let mut packed = Vec::new();
    for line in &packages::STARTER {
        let start = Instant::now();
        let (kernel, bytes) = build(line)?;
        println!("{kernel}: {:.2} MB, {:.1} s", bytes.len() as f64 / 1e6, start.elapsed().as_secs_f64());
        packed.push((kernel, bytes));
    }
    let total: usize = packed.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("in all: {:.2} MB", total as f64 / 1e6);
    ensure!(total <= BUDGET, "the starter dataset has {total} bytes, more than {BUDGET}");
    for file in fs::read_dir(&directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == PACKED_EXTENSION) {
            fs::remove_file(&path)?;
        }
    }
    for (kernel, bytes) in &packed {
        fs::write(directory.join(format!("{kernel}.{PACKED_EXTENSION}")), bytes)?;
    }
    let kernels: Vec<&str> = packed.iter().map(|(kernel, _)| kernel.as_str()).collect();
    fs::write(crate::root().join(TABLE), table(&kernels)).context("cannot write the table")
}

/// Name and packed surface of a line's kernel.
fn build(line: &Line) -> Result<(String, Vec<u8>)> {
    let surface = kernels::surface(line)?;
    Ok((surface.kernel().to_string(), pack::pack(&surface)?))
}

/// The source of the table.
fn table(kernels: &[&str]) -> String {
    let mut text = String::from(
        "//! The packed surfaces in `starter/`. Written by `cargo xtask starter`: do not edit.\n\n\
         use depsurf::store::Embedded;\n\n\
         /// The kernels of the starter dataset.\npub const KERNELS: &[Embedded] = &[\n",
    );
    for kernel in kernels {
        // The form is rustfmt's, so that the lint has nothing to say about a generated file.
        let _ = writeln!(
            text,
            "    Embedded {{\n        kernel: \"{kernel}\",\n        \
             bytes: include_bytes!(\"../../../../starter/{kernel}.{PACKED_EXTENSION}\"),\n    }},"
        );
    }
    text.push_str("];\n");
    text
}
