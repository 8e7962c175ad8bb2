//! Names as file names, on whatever file system they end up.
//!
//! | name | file |
//! |---|---|
//! | `vfs_read` | `vfs_read.md`: letters, digits, `_`, `-` and `.` stay |
//! | `task_struct::pids` | `task_struct~3a~3apids.md`: every other byte, and a dot at either end, is `~` and its number in hex |
//! | `aux` | `~61ux.md`: so is the first letter of what Windows takes for a device |
//! | `sys_read` and `SyS_read` | `sys_read.md` and `SyS_read~~5.md`: of names that differ only in case the one with the fewest capitals stays; to the others is added which letters are capitals, four in a hex digit |
//! | more than 255 bytes | its beginning, `~~h` and a hash of the name |
//!
//! All but the last can be read back: cut `~~` and what follows, then undo the escapes. The characters are those
//! that a URL has unescaped (RFC 3986 §2.3), so a path is its own link.

use std::collections::HashMap;

/// What pages end in.
pub const EXTENSION: &str = ".md";

/// Bytes of a file name on the file systems in use (`NAME_MAX`).
const LONGEST: usize = 255;

/// Device names of Windows, with any extension; `com` and `lpt` are followed by a digit.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// The file name of every name's page. They differ, also where case does not count.
///
/// `names` are different and in order. Which of them there are matters only for those that differ only in case.
#[must_use]
pub fn file_names<T: AsRef<str>>(names: &[T]) -> Vec<String> {
    let mut files: Vec<String> = names.iter().map(|name| file_name(name.as_ref(), false)).collect();
    for index in rivals(names) {
        files[index] = file_name(names[index].as_ref(), true);
    }
    files
}

/// The names whose capitals have to be told.
fn rivals<T: AsRef<str>>(names: &[T]) -> Vec<usize> {
    let mut folded: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let name = name.as_ref();
        if capitals(name) > 0 {
            folded.entry(name.to_ascii_lowercase()).or_default().push(index);
        }
    }
    let mut rivals = Vec::new();
    for (lower, mut group) in folded {
        let has_lower = names.binary_search_by(|name| name.as_ref().cmp(&lower)).is_ok();
        group.sort_by_key(|index| (capitals(names[*index].as_ref()), *index));
        rivals.extend(&group[usize::from(!has_lower)..]);
    }
    rivals
}

fn capitals(name: &str) -> usize {
    name.bytes().filter(u8::is_ascii_uppercase).count()
}

fn file_name(name: &str, is_rival: bool) -> String {
    let mut file = escaped(name);
    if is_rival {
        file.push_str("~~");
        file.push_str(&case(name));
    }
    if file.len() + EXTENSION.len() > LONGEST {
        let hash = format!("~~h{:016x}", hash(name.as_bytes()));
        file.truncate(LONGEST - EXTENSION.len() - hash.len());
        file.push_str(&hash);
    }
    file.push_str(EXTENSION);
    file
}

fn escaped(name: &str) -> String {
    let last = name.len().saturating_sub(1);
    let is_device = is_device(name);
    let mut file = String::with_capacity(name.len() + EXTENSION.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = match byte {
            b'.' => index != 0 && index != last,
            b'_' | b'-' => true,
            _ => byte.is_ascii_alphanumeric() && !(index == 0 && is_device),
        };
        if plain {
            file.push(byte.into());
        } else {
            file.push_str(&format!("~{byte:02x}"));
        }
    }
    file
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = |rest: &str| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit();
    let numbered = |device: &&str| stem.strip_prefix(*device).is_some_and(is_number);
    DEVICES.contains(&stem.as_str()) || NUMBERED_DEVICES.iter().any(numbered)
}

/// Which bytes are capitals: a bit for each, the first one lowest, without the zeros at the end.
fn case(name: &str) -> String {
    let digit = |four: &[u8]| {
        let bits = four.iter().rev().fold(0, |bits, byte| bits << 1 | u32::from(byte.is_ascii_uppercase()));
        char::from_digit(bits, 16).unwrap_or('0')
    };
    let digits: String = name.as_bytes().chunks(4).map(digit).collect();
    digits.trim_end_matches('0').to_owned()
}

/// FNV-1a with 64 bits: file names must not change with a library's version.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn file(name: &str) -> String {
        file_name(name, false)
    }

    #[test]
    fn ordinary_names_stay() {
        for name in ["vfs_read", "SetPageDirty", "__x64_sys_read", "a.b", "foo-bar", "CONFIG_BPF", "console"]
        {
            assert_eq!(file(name), format!("{name}.md"));
        }
    }

    #[test]
    fn awkward_names_are_escaped() {
        for (name, expected) in [
            ("task_struct::pids", "task_struct~3a~3apids.md"),
            ("(anon)", "~28anon~29.md"),
            ("a/b\\c", "a~2fb~5cc.md"),
            ("../x", "~2e.~2fx.md"),
            (".", "~2e.md"),
            ("..", "~2e~2e.md"),
            ("tail. ", "tail.~20.md"),
            ("tail.", "tail~2e.md"),
            ("line\nfeed\u{7f}", "line~0afeed~7f.md"),
            ("é", "~c3~a9.md"),
            ("a~b", "a~7eb.md"),
            ("aux", "~61ux.md"),
            ("Nul.x", "~4eul.x.md"),
            ("com1", "~63om1.md"),
            ("com10", "com10.md"),
            ("", ".md"),
        ] {
            assert_eq!(file(name), expected, "{name:?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_all_have_a_file() {
        assert_eq!(file_names(&["SyS_read", "sys_read"]), ["SyS_read~~5.md", "sys_read.md"]);
        assert_eq!(file_names(&["FOO", "Foo", "fOO"]), ["FOO~~7.md", "Foo.md", "fOO~~6.md"]);
        assert_eq!(file_names(&["SyS_read"]), ["SyS_read.md"]);
    }

    #[test]
    fn long_names_are_cut() {
        let long = "x".repeat(253);
        assert_eq!(file(&long[..252]), format!("{}.md", &long[..252]));
        assert_eq!(file(&long), format!("{}~~h6b54a28339912cb7.md", "x".repeat(233)));
    }

    /// What a name was; nothing for one that was cut.
    fn read_back(file: &str) -> Option<String> {
        let stem = file.strip_suffix(EXTENSION)?;
        let stem = match stem.split_once("~~") {
            Some((_, rest)) if rest.starts_with('h') => return None,
            Some((stem, _)) => stem,
            None => stem,
        };
        let mut pieces = stem.split('~');
        let mut bytes = pieces.next()?.as_bytes().to_vec();
        for piece in pieces {
            bytes.push(u8::from_str_radix(&piece[..2], 16).ok()?);
            bytes.extend(&piece.as_bytes()[2..]);
        }
        String::from_utf8(bytes).ok()
    }

    /// Names with few letters, so that many differ only in case; short and long ones; any characters.
    fn names() -> impl Strategy<Value = BTreeSet<String>> {
        let name = prop_oneof![
            "[aAbB_]{1,4}",
            "[aA]{1,2}[.~/:3a]{1,3}[aA]{0,2}",
            "(?i)(con|aux|com[0-9])(\\.[a-z])?",
            "[xX]{230,300}",
            any::<String>(),
        ];
        prop::collection::btree_set(name, 0..60)
    }

    proptest! {
        #[test]
        fn different_names_have_different_files(names in names()) {
            let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
            let files = file_names(&names);
            let mut folded = HashSet::new();
            for (name, file) in names.iter().zip(&files) {
                prop_assert!(folded.insert(file.to_lowercase()), "{name:?} shares {file}");
                prop_assert!(file.len() <= LONGEST && !file.starts_with('.'), "{file}");
                prop_assert!(file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~".contains(&byte)));
                prop_assert!(!is_device(file), "{file}");
                if let Some(before) = read_back(file) {
                    prop_assert_eq!(&before, name);
                } else {
                    prop_assert!(file.len() == LONGEST);
                }
            }
        }
    }
}
