//! What a booted kernel made of each attempt, as the machine's program told it on the console.

use std::collections::HashMap;

use anyhow::{Result, ensure};

/// How far an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// It did not load.
    Load,
    /// It loaded and did not attach.
    Attach,
    /// It loaded and attached.
    Works,
}

impl Stage {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Load => "does not load",
            Self::Attach => "does not attach",
            Self::Works => "attaches",
        }
    }
}

/// An attempt's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub stage: Stage,
    /// Positive, 0 where it works.
    pub errno: i32,
    /// What libbpf and the kernel said.
    pub message: String,
    /// The program at which an object failed.
    pub program: String,
}

/// What a boot told.
#[derive(Debug, Default)]
pub struct Told {
    /// `uname -r`, and the version of libbpf.
    pub release: String,
    pub libbpf: String,
    /// By what was tried, on what; for programs `OBJECT/PROGRAM`.
    pub outcomes: HashMap<(String, String), Outcome>,
    /// What the kernel lists of itself, by the word of the list.
    pub lists: HashMap<String, Vec<String>>,
    /// Objects that were opened but whose programs are not known one by one.
    pub troubles: Vec<String>,
}

impl Told {
    /// Reads a console.
    ///
    /// # Errors
    /// When the kernel did not get to the end of the program.
    pub fn read(console: &str) -> Result<Self> {
        let mut told = Self::default();
        let mut is_complete = false;
        let mut last = "";
        for line in console.lines() {
            // The firmware's own output may stand before the first line of ours.
            let Some((_, line)) = line.split_once("truth\t") else { continue };
            last = line;
            let fields: Vec<&str> = line.trim_end_matches('\r').split('\t').collect();
            let [what, subject, program, stage, errno, message] = fields[..] else {
                told.troubles.push(line.to_owned());
                continue;
            };
            let Ok(errno) = errno.parse::<i32>() else {
                told.troubles.push(line.to_owned());
                continue;
            };
            match what {
                "kernel" => (told.release, told.libbpf) = (subject.to_owned(), message.to_owned()),
                "end" => is_complete = true,
                "listed" if errno == 0 => {
                    told.lists.entry(program.to_owned()).or_default().push(subject.to_owned());
                }
                "listed" => told.troubles.push(line.to_owned()),
                "trouble" => told.troubles.push(line.to_owned()),
                _ => {
                    let stage = match (errno, stage) {
                        (0, _) => Stage::Works,
                        (_, "attach") => Stage::Attach,
                        _ => Stage::Load,
                    };
                    let outcome =
                        Outcome { stage, errno, message: message.to_owned(), program: program.to_owned() };
                    let key = match what {
                        "program" => format!("{subject}/{program}"),
                        _ => subject.to_owned(),
                    };
                    told.outcomes.insert((what.to_owned(), key), outcome);
                }
            }
        }
        ensure!(is_complete, "the kernel did not get to the end; the last line is `{last}`");
        Ok(told)
    }

    /// The outcome of an attempt.
    pub fn outcome(&self, what: &str, subject: &str) -> Option<&Outcome> {
        self.outcomes.get(&(what.to_owned(), subject.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_outcomes() {
        let console = "\x1b[2JBooting truth\tkernel\t6.1.0\tx86_64\tboot\t0\tlibbpf v1.1\r\n\
                       truth\tkprobe\tvfs_read\t-\tattach\t0\t\r\n\
                       truth\tprogram\ta#1\tp\tload\t22\tno such\\nthing\r\n\
                       truth\twhole\ta#1\tp\tattach\t2\t\r\n\
                       truth\tlisted\tvfs_read\tftrace\tlist\t0\t\r\n\
                       truth\ttrouble\ta#1\tobject\tended\t9\tstatus\r\n";
        assert!(Told::read(console).is_err());
        let told = Told::read(&format!("{console}truth\tend\t-\t-\tend\t0\t\r\n")).unwrap();
        assert_eq!((told.release.as_str(), told.libbpf.as_str()), ("6.1.0", "libbpf v1.1"));
        let stage = |what, subject| told.outcome(what, subject).map(|it| (it.stage, it.errno));
        assert_eq!(stage("kprobe", "vfs_read"), Some((Stage::Works, 0)));
        assert_eq!(stage("program", "a#1/p"), Some((Stage::Load, 22)));
        assert_eq!(stage("whole", "a#1"), Some((Stage::Attach, 2)));
        assert_eq!(stage("kprobe", "vfs_write"), None);
        assert_eq!(told.troubles.len(), 1);
        assert_eq!(told.lists.get("ftrace").map(Vec::as_slice), Some(&["vfs_read".to_owned()][..]));
    }
}
