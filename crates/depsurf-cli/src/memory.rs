//! How much memory reading a kernel takes, and how much there is.

use std::fs;
use std::path::Path;

/// What a package takes for each of its bytes: sections that are needed are decoded into memory.
const OF_PACKAGE: u64 = 2;

/// No package takes more without its modules: the larger ones have more of these, which are not decoded then.
const MOST_OF_PACKAGE: u64 = 700 << 20;

/// What modules take besides, for each five bytes of the package: nearly all of it are modules, and what they tell is kept.
const OF_FIVE_WITH_MODULES: u64 = 8;

/// No plain file takes more: it is mapped, so that most of it is the system's memory, which takes it back when it must.
const MOST_OF_FILE: u64 = 400 << 20;

/// What reading the running kernel takes: its BTF and symbols, and the tables made of them.
pub const OF_LIVE: u64 = 150 << 20;

/// What reading the kernel in a file of this size may take, in bytes; docs/pull.md has the measurements behind it.
pub fn need(size: u64, is_package: bool, with_modules: bool) -> u64 {
    let of_modules = if with_modules { size / 5 * OF_FIVE_WITH_MODULES } else { 0 };
    match is_package {
        true => size.saturating_mul(OF_PACKAGE).min(MOST_OF_PACKAGE).saturating_add(of_modules),
        false => size.min(MOST_OF_FILE),
    }
}

/// What reading the kernel in a file may take.
pub fn need_of(path: &Path, with_modules: bool) -> u64 {
    let size = fs::metadata(path).map_or(0, |meta| meta.len());
    let elf = fs::File::open(path).is_ok_and(|mut file| {
        let mut magic = [0; 4];
        std::io::Read::read_exact(&mut file, &mut magic).is_ok() && magic == *b"\x7fELF"
    });
    need(size, !elf, with_modules)
}

/// Three quarters of the memory that is free for new work, as the kernel estimates it (proc(5)); 4 GiB where it does not.
pub fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.map_or(4 << 30, |kilobytes| kilobytes * 1024 / 4 * 3)
}

/// Reads `800M`, `2G`, `1.5GiB`: powers of 1024.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "K" | "k" => 10,
        "" | "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("`{unit}` is no unit: write it like 800M or 2G")),
    };
    let number: f64 =
        number.parse().map_err(|_| format!("`{number}` is no number: write it like 800M or 2G"))?;
    let bytes = number * (1u64 << shift) as f64;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err("it is out of bounds".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("800M", 800 << 20),
            ("2G", 2 << 30),
            ("1.5GiB", 3 << 29),
            ("512", 512 << 20),
            ("64kB", 64 << 10),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "2X", "-1G", "0", "1e3", "9999999T"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modules_of_a_package_take_memory_where_they_are_read() {
        assert!(need(300 << 20, true, false) < need(500 << 20, true, false));
        assert_eq!(need(900 << 20, true, false), need(5 << 30, true, false));
        assert!(need(900 << 20, true, true) < need(5 << 30, true, true));
        assert!(need(600 << 20, false, false) < need(600 << 20, true, false));
        // As measured: 1.08 GB and 2.0 GB.
        assert!((1080 << 20..1100 << 20).contains(&need(300 << 20, true, true)));
        assert!((2000 << 20..2100 << 20).contains(&need(855 << 20, true, true)));
    }
}
