//! What a loader decides when it runs, which no object can tell: targets of programs whose section names none, programs
//! that it goes on without, and programs of which it takes one or the other. People write it down in a *side file*:
//!
//! ```toml
//! [program.read_begins]
//! target = "kprobe/vfs_read"           # a section as libbpf reads it; of a list, the first that works
//! when = "unless --write is given"     # for people only
//!
//! [program.merge]
//! optional = true                      # the loader goes on without it
//!
//! [[any_of]]                           # the loader takes one of these; of a list all, or none
//! programs = ["begins_raw", ["begins_fentry", "ends_fexit"]]
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::{Hook, Program, Sec};
use crate::error::{Error, Result};

/// What a loader decides. The default is that it decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    programs: BTreeMap<String, Choice>,
    groups: Vec<Group>,
}

/// What is decided about one program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Sections, of which the loader takes the first that works. Empty where the object's own is right.
    pub targets: Vec<String>,
    /// Whether the loader goes on without the program.
    pub optional: bool,
    /// When it is loaded, in words; none where nobody says.
    pub when: Option<String>,
    /// Whether the targets are a guess.
    pub is_guess: bool,
    /// Line of the side file, from 1; 0 where it is from elsewhere.
    line: usize,
}

/// Programs of which the loader takes some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Programs that it takes together; of these sets it takes one.
    pub ways: Vec<Vec<String>>,
    /// Whether it goes on without any.
    pub optional: bool,
    /// How it chooses, in words; none where nobody says.
    pub when: Option<String>,
    /// Line of the side file, from 1.
    line: usize,
}

impl Choices {
    /// Reads a side file.
    ///
    /// # Errors
    /// Says in which line it is no TOML, has a key that is not known, a target that libbpf would not read, or programs
    /// that are chosen twice.
    pub fn parse(text: &str) -> Result<Self> {
        let line =
            |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|c| **c == b'\n').count();
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line(span.start));
            wrong(line, error.message().lines().collect::<Vec<_>>().join(" "))
        })?;
        let mut choices = Self::default();
        for (name, entry) in file.program {
            let at = line(name.span().start);
            let entry_target = entry.target.map(|it| (line(it.span().start), it.into_inner()));
            let (line, written) = entry_target.map_or((at, Vec::new()), |(line, target)| {
                (
                    line,
                    match target {
                        Target::One(target) => vec![target],
                        Target::Several(targets) => targets,
                    },
                )
            });
            for target in &written {
                readable(target).map_err(|why| wrong(line, why))?;
            }
            let (optional, when) = (entry.optional, entry.when);
            let choice = Choice { targets: written, optional, when, is_guess: false, line: at };
            choices.programs.insert(name.into_inner(), choice);
        }
        let mut seen = BTreeSet::new();
        for entry in file.any_of {
            let at = line(entry.programs.span().start);
            let ways: Vec<Vec<String>> = entry
                .programs
                .into_inner()
                .into_iter()
                .map(|way| match way {
                    Target::One(name) => vec![name],
                    Target::Several(names) => names,
                })
                .collect();
            if ways.len() < 2 || ways.iter().any(Vec::is_empty) {
                return Err(wrong(at, "`any_of` needs two programs or more to choose from"));
            }
            for name in ways.iter().flatten() {
                if !seen.insert(name.clone()) {
                    return Err(wrong(at, format!("program `{name}` is in `any_of` twice")));
                }
                if choices.programs.get(name).is_some_and(|choice| choice.optional) {
                    let what = format!("program `{name}` is in `any_of`: say there that it is optional");
                    return Err(wrong(at, what));
                }
            }
            choices.groups.push(Group { ways, optional: entry.optional, when: entry.when, line: at });
        }
        Ok(choices)
    }

    /// Sets what a program attaches to, over what a side file says.
    ///
    /// # Errors
    /// When libbpf would not read the section.
    pub fn set(&mut self, program: &str, section: &str) -> Result<()> {
        readable(section).map_err(|what| Error::Usage {
            what,
            help: Some(
                "give a section as libbpf reads it: `kprobe/vfs_read`, `tracepoint/sched/sched_switch`"
                    .into(),
            ),
        })?;
        let choice = self.programs.entry(program.to_owned()).or_default();
        (choice.targets, choice.is_guess, choice.line) = (vec![section.to_owned()], false, 0);
        Ok(())
    }

    /// Guesses the targets of programs whose sections name none, and of which nothing is decided, from the texts of
    /// the loader: its file without the objects in it. A text that is the program's name is taken, without what
    /// authors put around the name of a function, and with underscores in front.
    pub fn guess<'p>(&mut self, programs: impl Iterator<Item = &'p Program<'p>>, texts: &BTreeSet<&str>) {
        for program in programs {
            let decided = self.programs.get(program.name).is_some_and(|choice| !choice.targets.is_empty());
            let is_bare = matches!(
                program.sec.hook,
                Hook::Kprobe { function: None, .. }
                    | Hook::Trace { function: None, .. }
                    | Hook::TpBtf { name: None }
                    | Hook::RawTracepoint { name: None, .. }
            );
            let Some(entry) = program.sec.entry.filter(|_| is_bare && !decided) else { continue };
            let name = stem(program.name);
            let names = ["", "_", "__", "___"].map(|front| format!("{front}{name}"));
            let found = names.iter().rev().filter(|name| texts.contains(name.as_str()));
            let targets: Vec<String> = found.map(|name| format!("{}/{name}", entry.name)).collect();
            if !targets.is_empty() && name.len() > 3 {
                let choice = self.programs.entry(program.name.to_owned()).or_default();
                (choice.targets, choice.is_guess) = (targets, true);
            }
        }
    }

    /// Whether nothing is decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.groups.is_empty()
    }

    /// Programs of the side file that are not among some: name, line.
    pub fn unknown(&self, has: impl Fn(&str) -> bool) -> Vec<(&str, usize)> {
        let single = self.programs.iter().map(|(name, choice)| (name.as_str(), choice.line));
        let grouped = self
            .groups
            .iter()
            .flat_map(|group| group.ways.iter().flatten().map(move |name| (name.as_str(), group.line)));
        single.filter(|it| it.1 > 0).chain(grouped).filter(|(name, _)| !has(name)).collect()
    }

    /// What is decided about a program; none where nothing is.
    #[must_use]
    pub fn of(&self, program: &str) -> Option<&Choice> {
        self.programs.get(program)
    }

    /// Programs of which the loader takes some.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Whether a program is among some of which the loader takes one set.
    #[must_use]
    pub fn is_grouped(&self, program: &str) -> bool {
        self.groups.iter().flat_map(|group| group.ways.iter().flatten()).any(|name| name == program)
    }
}

/// A program's name without what authors put around the name of a function.
fn stem(name: &str) -> &str {
    let fronts = [
        "kprobe__",
        "kretprobe__",
        "fentry__",
        "fexit__",
        "kprobe_",
        "kretprobe_",
        "fentry_",
        "fexit_",
        "trace_",
    ];
    let backs =
        ["_entry", "_enter", "_exit", "_return", "_ret", "_kprobe", "_kretprobe", "_fentry", "_fexit"];
    let name = fronts.iter().find_map(|front| name.strip_prefix(front)).unwrap_or(name);
    let name = backs.iter().find_map(|back| name.strip_suffix(back)).unwrap_or(name);
    name.trim_start_matches('_')
}

/// A side file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    program: BTreeMap<Spanned<String>, ProgramEntry>,
    #[serde(default)]
    any_of: Vec<GroupEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramEntry {
    target: Option<Spanned<Target>>,
    #[serde(default)]
    optional: bool,
    when: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    programs: Spanned<Vec<Target>>,
    #[serde(default)]
    optional: bool,
    when: Option<String>,
}

/// One name or a list of names.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a name or a list of names")]
enum Target {
    One(String),
    Several(Vec<String>),
}

/// Whether libbpf reads a section; `Err` tells why not.
fn readable(section: &str) -> Result<(), String> {
    match Sec::parse(section).hook {
        Hook::Unknown => Err(format!("target `{section}` is no section that libbpf knows")),
        Hook::Malformed { why } => Err(format!("target `{section}`: {why}")),
        _ => Ok(()),
    }
}

fn wrong(line: usize, what: impl Into<String>) -> Error {
    Error::malformed("side file", format!("line {line}"), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_file_says_what_the_loader_decides() {
        let text = "\
[program.begins]
target = \"kprobe/vfs_read\"
when = \"unless -w\"

[program.merge]
target = [\"fentry/a\", \"fentry/b\"]
optional = true

[[any_of]]
programs = [\"raw\", [\"begins_fentry\", \"ends_fexit\"]]
";
        let choices = Choices::parse(text).unwrap();
        let begins = choices.of("begins").unwrap();
        assert_eq!(begins.targets, ["kprobe/vfs_read"]);
        assert_eq!((begins.optional, begins.when.as_deref()), (false, Some("unless -w")));
        let merge = choices.of("merge").unwrap();
        assert_eq!((merge.targets.len(), merge.optional), (2, true));
        assert_eq!(choices.groups()[0].ways, [vec!["raw"], vec!["begins_fentry", "ends_fexit"]]);
        assert!(choices.is_grouped("ends_fexit") && !choices.is_grouped("begins"));
        assert_eq!(choices.unknown(|name| name != "raw" && name != "merge"), [("merge", 5), ("raw", 10)]);
        assert!(Choices::parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, expected) in [
            ("[program.a]\noptinal = true", "line 2: unknown field `optinal`"),
            ("\n[programs.a]", "line 2: unknown field `programs`"),
            ("[program.a]\ntarget = 3", "line 2: expected a name or a list of names"),
            ("[program.a]\noptional = \"yes\"", "line 2: invalid type"),
            (
                "[program.a]\n\ntarget = \"kprobes/vfs_read\"",
                "line 3: target `kprobes/vfs_read` is no section",
            ),
            (
                "[program.a]\ntarget = \"tp/sched_switch\"",
                "line 2: target `tp/sched_switch`: it names no event",
            ),
            ("[program.a]\n[program.a]", "line 2: duplicate key"),
            ("[[any_of]]\nprograms = [\"a\"]", "line 2: `any_of` needs two programs"),
            ("[[any_of]]\nprograms = [\"a\", []]", "line 2: `any_of` needs two programs"),
            ("[[any_of]]\nprograms = [\"a\", \"a\"]", "line 2: program `a` is in `any_of` twice"),
            ("[[any_of]]\nwhen = \"x\"", "line 1: missing field `programs`"),
            (
                "[program.a]\noptional = true\n[[any_of]]\nprograms = [\"a\", \"b\"]",
                "line 4: program `a` is in `any_of`",
            ),
            ("[program", "line 1: "),
        ] {
            let told = Choices::parse(text).unwrap_err().to_string();
            assert!(told.starts_with(&format!("malformed side file at {expected}")), "{text:?}: {told}");
        }
    }

    #[test]
    fn a_guess_takes_texts_that_are_the_name_of_a_bare_program() {
        let program = |name: &'static str, section: &'static str| Program {
            name,
            section: 0,
            sec: Sec::parse(section),
            offset: 0,
            size: 8,
            is_entry: true,
            is_static: false,
            is_hidden: false,
            function: None,
        };
        let programs = [
            program("vfs_read_entry", "kretprobe"),
            program("io_start", "kprobe"),
            program("named", "kprobe/vfs_write"),
            program("nobody", "kprobe"),
            program("decided", "kprobe"),
        ];
        let texts = ["vfs_read", "io_start", "__io_start", "named", "decided"].into();
        let mut choices = Choices::parse("[program.decided]\ntarget = \"kprobe/vfs_open\"").unwrap();
        choices.guess(programs.iter(), &texts);
        let of = |name: &str| choices.of(name).map(|choice| (choice.targets.join(" "), choice.is_guess));
        assert_eq!(of("vfs_read_entry"), Some(("kretprobe/vfs_read".into(), true)));
        assert_eq!(of("io_start"), Some(("kprobe/__io_start kprobe/io_start".into(), true)));
        assert_eq!((of("named"), of("nobody")), (None, None));
        assert_eq!(of("decided"), Some(("kprobe/vfs_open".into(), false)));
    }

    #[test]
    fn the_command_line_wins() {
        let mut choices =
            Choices::parse("[program.a]\ntarget = \"kprobe/vfs_read\"\noptional = true").unwrap();
        choices.set("a", "kprobe/vfs_write").unwrap();
        let choice = choices.of("a").unwrap();
        assert_eq!(
            (choice.targets.as_slice(), choice.optional),
            (&["kprobe/vfs_write".to_owned()][..], true)
        );
        assert!(!choice.is_guess);
        assert!(
            choices.set("a", "nothing/x").unwrap_err().to_string().contains("no section that libbpf knows")
        );
    }
}
