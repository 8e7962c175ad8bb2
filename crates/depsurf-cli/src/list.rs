//! `depsurf list`.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use depsurf::group::{self, Group, Member, Title};
use depsurf::kernel::KernelId;
use depsurf::note::Note;
use depsurf::surface::meta::Package;
use depsurf::surface::{Evidence, Fact, Surface, TypeKind};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::args::{Format, Global, List};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::groups;
use crate::output::Output;
use crate::terminal::Terminal;

/// Number of the JSON's shape; raised when a reader of the old one would go wrong.
const SCHEMA: u32 = 1;

/// The JSON Schema of what `--format json` prints.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Listing<'_>>()
}

/// The kernels of a dataset.
#[derive(Serialize, JsonSchema)]
struct Listing<'a> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The kernel that groups are around.
    default: &'a str,
    /// The groups that were asked for, or all.
    groups: Vec<ListedGroup<'a>>,
    /// The kernels, each once, in their order.
    kernels: Vec<&'a Row<'a>>,
}

/// A group. LTS and Revision groups have kernels that are in others, too.
#[derive(Serialize, JsonSchema)]
struct ListedGroup<'a> {
    /// `Regular`, `LTS`, `Revision`, `Arch` or `Flavor`.
    title: &'static str,
    /// The title, and what tells it from others of the title.
    heading: String,
    /// The kernel that each is compared with; `None` where neighbours are compared.
    base: Option<&'a str>,
    /// Its kernels, in their order.
    members: Vec<ListedMember<'a>>,
}

/// A kernel of a group.
#[derive(Serialize, JsonSchema)]
struct ListedMember<'a> {
    /// What it is called in the group.
    label: String,
    /// Its name in the dataset.
    kernel: &'a str,
}

/// A kernel of a dataset.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListedKernel")]
pub struct Row<'a> {
    /// Its name in the dataset: `6.1.176-50-cloud-amd64`.
    pub kernel: String,
    /// Upstream version: `6.1.176`.
    pub version: String,
    /// ABI number or release suffix; empty where there is none.
    pub release: &'a str,
    /// `generic`, `cloud`, `rt` ...
    pub flavour: &'a str,
    /// Architecture, by the distribution's word for it.
    pub arch: &'a str,
    /// `uname -r`; `None` where the image does not tell.
    pub uname: Option<&'a str>,
    /// `debian`, `ubuntu` ...; `None` where neither banner nor package tell.
    pub distribution: Option<&'a str>,
    /// The package the image came from; `None` where it came from none.
    pub package: Option<&'a Package>,
    /// First line of `.comment`; `None` where it has none.
    pub compiler: Option<&'a str>,
    /// `linux_banner` of the image; `None` where it has none.
    pub banner: Option<&'a str>,
    /// GNU build id of the image, in hex; `None` where it has none.
    pub build_id: Option<&'a str>,
    /// Bytes of the surface file.
    pub size: u64,
    /// How many things there are of each kind.
    pub counts: Counts,
    /// For each kind of fact whether it was read, and from where.
    pub evidence: &'a BTreeMap<Fact, Evidence>,
    /// What was skipped when the image was read.
    pub notes: Vec<Note>,
}

/// How many there are of each kind; `None` where the image does not tell.
#[derive(Serialize, JsonSchema)]
pub struct Counts {
    /// Names of functions.
    pub functions: Option<usize>,
    /// Names of structs.
    pub structs: Option<usize>,
    /// Trace events, those of system calls included, and raw tracepoints.
    pub tracepoints: Option<usize>,
    /// LSM hooks.
    pub lsm_hooks: Option<usize>,
    /// Functions that eBPF programs may call.
    pub kfuncs: Option<usize>,
    /// System calls of the native table that are implemented.
    pub syscalls: Option<usize>,
    /// Kconfig options that the configuration names.
    pub configs: Option<usize>,
}

/// Prints the kernels of the dataset.
pub fn run(verb: &List, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::new(&verb.chosen.kernel, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, default, damaged } = dataset::open(&dataset, &wanted, terminal)?;
    let rows: Vec<Row<'_>> = surfaces.iter().map(row).collect::<depsurf::Result<_>>()?;
    let ids: Vec<&KernelId> = surfaces.iter().map(Surface::kernel).collect();
    let titles = match verb.format {
        // The superset of all forms has every group.
        Format::Json if verb.chosen.group.is_empty() => &Title::ALL[..],
        _ => &verb.chosen.group,
    };
    let groups = groups::of_titles(&ids, default, titles)?;
    let listing = Arranged { rows, groups, default, ids };
    match verb.format {
        Format::Json => output.line(serde_json::to_string_pretty(&listing.json())?)?,
        Format::Md => listing.markdown(terminal.verbose(), output)?,
        Format::Table => listing.table(terminal.verbose(), output)?,
    }
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}

/// Kernels and their groups.
struct Arranged<'a> {
    rows: Vec<Row<'a>>,
    groups: Vec<Group>,
    /// Place of the default kernel.
    default: usize,
    ids: Vec<&'a KernelId>,
}

/// A kernel as it is listed.
pub fn row(surface: &Surface) -> depsurf::Result<Row<'_>> {
    let meta = surface.meta();
    let kernel = surface.kernel();
    Ok(Row {
        kernel: kernel.to_string(),
        version: kernel.version.to_string(),
        release: &kernel.release,
        flavour: &kernel.flavour,
        arch: kernel.arch.name(),
        uname: meta.uname.as_deref(),
        distribution: meta.distribution.as_deref(),
        package: meta.package.as_ref(),
        compiler: meta.compiler.as_deref(),
        banner: meta.banner.as_deref(),
        build_id: meta.build_id.as_deref(),
        size: surface.bytes().len() as u64,
        counts: counts(surface),
        evidence: &meta.evidence,
        notes: surface.notes().map_err(|error| error.at(kernel.to_string()))?,
    })
}

fn counts(surface: &Surface) -> Counts {
    let known = |fact, count: usize| surface.meta().knows(fact).then_some(count);
    let mut structs = 0;
    let mut before = "";
    for found in surface.types().named().filter(|found| found.kind() == TypeKind::Struct) {
        structs += usize::from(found.name() != before);
        before = found.name();
    }
    // Compat tables are told apart by their evidence; the native one is the first that was read.
    let native = surface.syscalls().next().map_or("", |syscall| syscall.abi());
    let syscalls = surface.syscalls().filter(|syscall| syscall.abi() == native && syscall.is_implemented());
    Counts {
        functions: known(Fact::Functions, surface.functions().len()),
        structs: known(Fact::Types, structs),
        tracepoints: known(Fact::Tracepoints, surface.tracepoints().len() + surface.syscall_events().len()),
        lsm_hooks: known(Fact::LsmHooks, surface.lsm_hooks().len()),
        kfuncs: known(Fact::Kfuncs, surface.kfuncs().len()),
        syscalls: known(Fact::Syscalls, syscalls.count()),
        configs: known(Fact::Config, surface.configs().len()),
    }
}

/// Short, so that a row fits into 100 columns; JSON has the long names.
const COLUMNS: [&str; 12] = [
    "kernel", "package", "compiler", "func", "struct", "event", "lsm", "kfunc", "call", "conf", "MB", "note",
];

/// Columns from this one on are numbers.
const FIRST_NUMBER: usize = 3;

fn cells(row: &Row<'_>) -> [String; COLUMNS.len()] {
    let number = |count: Option<usize>| count.map_or("?".into(), |count| count.to_string());
    [
        row.kernel.clone(),
        row.package.map_or("-".into(), |package| package.version.clone()),
        row.compiler.map_or("-".into(), short_compiler),
        number(row.counts.functions),
        number(row.counts.structs),
        number(row.counts.tracepoints),
        number(row.counts.lsm_hooks),
        number(row.counts.kfuncs),
        number(row.counts.syscalls),
        number(row.counts.configs),
        format!("{:.1}", row.size as f64 / 1e6),
        format!("{}{}", row.notes.len(), if row.notes.iter().any(|note| note.lossy) { "!" } else { "" }),
    ]
}

/// `GCC: (Debian 12.2.0-14+deb12u1) 12.2.0` as `gcc 12.2`; what looks different is kept as it is.
fn short_compiler(comment: &str) -> String {
    let gcc = comment.strip_prefix("GCC: ").and_then(|rest| Some(("gcc", rest.rsplit_once(") ")?.1)));
    let clang = comment.split_once("clang version ").map(|(_, rest)| ("clang", rest));
    let Some((name, version)) = gcc.or(clang) else { return comment.to_owned() };
    let mut parts = version.split([' ', '.']);
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => format!("{name} {major}.{minor}"),
        _ => comment.to_owned(),
    }
}

impl<'a> Arranged<'a> {
    /// The kernels that are in a group, each once, in their order.
    fn rows(&self) -> Vec<&Row<'a>> {
        let members: BTreeSet<usize> =
            self.groups.iter().flat_map(|group| &group.members).map(|member| member.index).collect();
        members.into_iter().map(|index| &self.rows[index]).collect()
    }

    fn json(&self) -> Listing<'_> {
        let name = |index: usize| self.rows[index].kernel.as_str();
        let group = |group: &'_ Group| ListedGroup {
            title: group.title.word(),
            heading: group.heading(),
            base: group.base.as_ref().map(|base| name(base.index)),
            members: group
                .members
                .iter()
                .map(|member| ListedMember { label: member.label.clone(), kernel: name(member.index) })
                .collect(),
        };
        let groups = self.groups.iter().map(group).collect();
        Listing { schema: SCHEMA, default: name(self.default), groups, kernels: self.rows() }
    }

    /// What is said beside the heading of a group.
    fn remark(&self, group: &Group) -> String {
        let default = self.ids[self.default];
        match group.title {
            Title::Regular => {
                format!("every version of {} {}, around {default}", default.flavour, default.arch)
            }
            Title::Lts => format!("long-term versions of {} {}", default.flavour, default.arch),
            Title::Arch => format!("other architectures, compared with {default}"),
            Title::Flavor => format!("other flavours, compared with {default}"),
            Title::Revision => "each compared with the one before".into(),
            Title::Other => "compared with none".into(),
        }
    }

    /// Which versions of a group are long-term, for a group that does not say so itself.
    fn long_term(&self, group: &Group) -> Option<String> {
        let is_long_term = |member: &&Member| group::is_long_term(self.ids[member.index]);
        let labels = group.members.iter().filter(is_long_term).map(|member| member.label.as_str());
        let labels = labels.collect::<Vec<_>>().join(", ");
        (group.title == Title::Regular && !labels.is_empty()).then(|| format!("long-term: {labels}"))
    }

    fn table(&self, verbose: bool, output: &mut Output) -> anyhow::Result<()> {
        let rows = self.rows();
        let every: Vec<_> = rows.iter().map(|row| cells(row)).collect();
        let width = |column: usize| {
            let widths = every.iter().map(|row| row[column].chars().count());
            widths.chain([COLUMNS[column].len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        let heading = output.styled(Style::new().bold(), line(COLUMNS, &widths));
        output.line(heading)?;
        for (at, group) in self.groups.iter().enumerate() {
            if at > 0 {
                output.line("")?;
            }
            let heading = output.styled(Style::new().bold(), group.heading());
            output.line(format!("{heading}: {}", self.remark(group)))?;
            if let Some(long_term) = self.long_term(group) {
                output.line(long_term)?;
            }
            for member in &group.members {
                let cells = cells(&self.rows[member.index]);
                output.line(line(cells.each_ref().map(String::as_str), &widths))?;
            }
        }
        for row in rows.into_iter().filter(|_| verbose) {
            let heading = output.styled(Style::new().bold(), &row.kernel);
            output.line(format!("\n{heading}"))?;
            for (name, value) in details(row) {
                output.line(format!("  {name:12}  {value}"))?;
            }
        }
        Ok(())
    }

    fn markdown(&self, verbose: bool, output: &mut Output) -> anyhow::Result<()> {
        let line = |cells: &[&str]| format!("| {} |", cells.join(" | "));
        for (at, group) in self.groups.iter().enumerate() {
            let space = if at > 0 { "\n" } else { "" };
            output.line(format!("{space}## {}\n\n{}\n", group.heading(), self.remark(group)))?;
            if let Some(long_term) = self.long_term(group) {
                output.line(format!("{long_term}\n"))?;
            }
            output.line(line(&COLUMNS))?;
            let rule = (0..COLUMNS.len()).map(|at| if at < FIRST_NUMBER { "---" } else { "---:" });
            output.line(line(&rule.collect::<Vec<_>>()))?;
            for member in &group.members {
                output.line(line(&cells(&self.rows[member.index]).each_ref().map(String::as_str)))?;
            }
        }
        for row in self.rows().into_iter().filter(|_| verbose) {
            output.line(format!("\n## {}\n", row.kernel))?;
            for (name, value) in details(row) {
                output.line(format!("- {name}: {value}"))?;
            }
        }
        Ok(())
    }
}

/// A row of the table.
fn line(row: [&str; COLUMNS.len()], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((column, cell), width) in row.into_iter().enumerate().zip(widths.iter().copied()) {
        line += &match column {
            0 => format!("{cell:width$}"),
            1..FIRST_NUMBER => format!("  {cell:width$}"),
            _ => format!(" {cell:>width$}"),
        };
    }
    line
}

/// A kind of fact as JSON and messages have it.
pub fn fact_name(fact: Fact) -> String {
    let name = serde_json::to_value(fact).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

/// What `-v` adds: identity, where each kind of fact was read, and what was skipped.
fn details(row: &Row<'_>) -> Vec<(&'static str, String)> {
    let package = row.package.map(|package| format!("{} {}", package.name, package.version));
    let mut lines: Vec<(&str, String)> = [
        ("uname -r", row.uname.map(str::to_owned)),
        ("distribution", row.distribution.map(str::to_owned)),
        ("package", package),
        ("compiler", row.compiler.map(str::to_owned)),
        ("banner", row.banner.map(str::to_owned)),
        ("build id", row.build_id.map(str::to_owned)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    for (fact, evidence) in row.evidence {
        let fact = fact_name(*fact);
        lines.push(match evidence {
            Evidence::Known { source } => ("known", format!("{fact}, from {source}")),
            Evidence::Unknown { reason } => ("unknown", format!("{fact}: {reason}")),
        });
    }
    for note in &row.notes {
        let first = note.first.as_ref().map(|first| format!(", first at {first}")).unwrap_or_default();
        let kind = if note.lossy { "lost" } else { "skipped" };
        lines.push((kind, format!("{} ({} times{first}) [{}]", note.message, note.count, note.id)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_short() {
        assert_eq!(short_compiler("GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"), "gcc 12.2");
        assert_eq!(short_compiler("GCC: (Debian 10.2.1-6) 10.2.1 20210110"), "gcc 10.2");
        assert_eq!(short_compiler("Ubuntu clang version 18.1.3 (1ubuntu1)"), "clang 18.1");
        assert_eq!(short_compiler("tcc 0.9"), "tcc 0.9");
    }
}
