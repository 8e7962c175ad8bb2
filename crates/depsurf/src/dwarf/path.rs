//! Source paths relative to the kernel tree, whatever directory the kernel was built in.

/// Top-level directories of the kernel tree that hold compiled code.
const TOP: [&str; 24] = [
    "arch", "block", "certs", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc", "kernel",
    "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound", "tools", "usr", "virt", "ubuntu",
    "debian",
];

/// Directories that paths of an image may start with.
#[derive(Debug, Default)]
pub struct Roots {
    /// With a trailing slash; the longest first.
    prefixes: Vec<String>,
}

impl Roots {
    /// Finds the roots from the compilation directories and the source paths of all units.
    pub fn find<'a>(
        directories: impl IntoIterator<Item = &'a [u8]>,
        sources: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut prefixes: Vec<String> = directories.into_iter().map(|path| collapse(path) + "/").collect();
        // Every kernel has this file, so what stands before it is the source tree.
        prefixes.extend(sources.into_iter().filter_map(|path| {
            let path = collapse(path);
            path.strip_suffix("/init/main.c").map(|root| format!("{root}/"))
        }));
        prefixes.retain(|prefix| prefix.len() > 1);
        prefixes.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        prefixes.dedup();
        Self { prefixes }
    }

    /// The path relative to the kernel tree. Generated files keep their place below the build directory,
    /// as in `include/generated/asm-offsets.h`; a path outside of all roots is kept.
    pub fn relative(&self, path: &[u8]) -> String {
        let path = collapse(path);
        let mut rest = path.as_str();
        for prefix in &self.prefixes {
            if let Some(tail) = rest.strip_prefix(prefix.as_str()) {
                rest = tail;
                break;
            }
        }
        if rest.starts_with('/') {
            // Not below a root: the first directory of the kernel tree that has a parent named like one.
            let after = |top: &&str| {
                let needle = format!("/{top}/");
                let at = rest.find(&needle)?;
                let parent = rest[..at].rsplit('/').next().unwrap_or_default();
                parent.starts_with("linux").then_some(at + 1)
            };
            if let Some(at) = TOP.iter().filter_map(after).min() {
                rest = &rest[at..];
            }
        }
        rest.to_owned()
    }
}

/// Removes `.` and `..` where the text allows.
fn collapse(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    if !text.contains("./") && !text.contains("//") && !text.ends_with('/') {
        return text.into_owned();
    }
    let absolute = text.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> Roots {
        Roots::find(
            [
                &b"/build/linux-6.1/debian/build/build_amd64_none_cloud-amd64"[..],
                b"debian/build/build_amd64_none_cloud-amd64",
            ],
            [&b"/build/linux-6.1/init/main.c"[..]],
        )
    }

    #[test]
    fn the_build_directory_is_stripped() {
        let roots = roots();
        let relative = |path: &str| roots.relative(path.as_bytes());
        assert_eq!(relative("/build/linux-6.1/drivers/hv/connection.c"), "drivers/hv/connection.c");
        assert_eq!(relative("debian/build/build_amd64_none_cloud-amd64/fs/open.c"), "fs/open.c");
        assert_eq!(
            relative("/build/linux-6.1/debian/build/build_amd64_none_cloud-amd64/include/generated/bounds.h"),
            "include/generated/bounds.h"
        );
        assert_eq!(
            relative("/build/linux-6.1/debian/build/build_amd64_none_cloud-amd64/../../../mm/slab.c"),
            "mm/slab.c"
        );
        assert_eq!(relative("fs/../mm/./slab.c"), "mm/slab.c");
    }

    #[test]
    fn paths_outside_of_the_tree_stay_recognisable() {
        let relative = |path: &str| roots().relative(path.as_bytes());
        assert_eq!(
            relative("/usr/lib/gcc/x86_64-linux-gnu/12/include/stdarg.h"),
            "/usr/lib/gcc/x86_64-linux-gnu/12/include/stdarg.h"
        );
        assert_eq!(relative("/home/a/linux-stable/kernel/fork.c"), "kernel/fork.c");
    }
}
