//! The archive of files that a kernel starts with (`Documentation/driver-api/early-userspace/buffer-format.rst`).

/// An archive under construction, in the format `newc`.
#[derive(Debug, Default)]
pub struct Cpio {
    bytes: Vec<u8>,
    entries: u32,
}

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CONSOLE: u32 = 0o020_600;

impl Cpio {
    /// Adds a directory, whose parent must be there already.
    pub fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, (0, 0), &[]);
    }

    /// Adds a file, which may be run.
    pub fn file(&mut self, path: &str, contents: &[u8]) {
        self.entry(path, PROGRAM, (0, 0), contents);
    }

    /// Adds the device by which the first program gets the console.
    pub fn console(&mut self, path: &str) {
        self.entry(path, CONSOLE, (5, 1), &[]);
    }

    /// The archive with its end.
    pub fn build(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(contents.len()).expect("files of the machine are small");
        let name = path.len() as u32 + 1;
        let (major, minor) = device;
        // Inode, mode, owner, group, links, time, size, device, device of a node, length of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes().chain([0]));
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_follow_one_another_at_multiples_of_four() {
        let mut cpio = Cpio::default();
        cpio.directory("a");
        cpio.file("a/b", b"hello");
        let bytes = cpio.build();
        let text = String::from_utf8(bytes).unwrap();
        let at: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert_eq!(at, [0, 112, 236]);
        assert_eq!(&text[110..111], "a");
        assert_eq!(&text[112 + 54..112 + 62], "00000005");
        assert_eq!(&text[112 + 110..112 + 122], "a/b\0\0\0hello\0"[..12].to_owned());
    }
}
