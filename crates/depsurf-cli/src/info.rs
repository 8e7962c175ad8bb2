//! `depsurf info KERNEL...`.

use anstyle::Style;
use depsurf::surface::meta::{Checked, Fetched, Signed};
use depsurf::surface::record::Section;
use depsurf::surface::{Evidence, Fact, Surface};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::args::{Format, Global, Info};
use crate::dataset::{self, Opened, Wanted};
use crate::exit;
use crate::list::{self, Row};
use crate::output::Output;
use crate::terminal::Terminal;

/// Number of the JSON's shape; raised when a reader of the old one would go wrong.
const SCHEMA: u32 = 1;

/// The JSON Schema of what `--format json` prints.
pub fn schema(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Document<'_>>()
}

/// All that is known about where kernels come from.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Info")]
struct Document<'a> {
    /// Number of the format; changed whenever a field changes its meaning or goes.
    schema: u32,
    /// The kernels, in their order.
    kernels: Vec<Known<'a>>,
}

/// A kernel, and what is known of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KernelInfo")]
struct Known<'a> {
    /// Identity, counts, and for each kind of fact where it was read from; as `depsurf list` has it.
    identity: Row<'a>,
    /// Where depsurf fetched it from, and what vouches for it; `None` for what was a file.
    fetched: Option<&'a Fetched>,
    /// What it was imported from; `None` for a surface that was extracted from an image.
    imported: Option<&'a str>,
    /// How many kinds of facts there are.
    facts: usize,
    /// How many of them are known.
    known: usize,
    /// Whether nothing that a reader would want was lost.
    complete: bool,
    /// Whether the machine is big-endian.
    big_endian: bool,
    /// Bytes of a pointer.
    address_size: u8,
    /// How many types are the kernel's own BTF; 0 where it has none.
    btf_types: u32,
    /// The parts of the surface file, in its order; those that are empty are left out.
    sections: Vec<Part>,
}

/// A part of a surface file.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FileSection")]
struct Part {
    /// `Strings`, `Functions` ...
    name: String,
    /// Bytes.
    size: usize,
    /// How many records there are; `None` for plain bytes.
    records: Option<usize>,
}

/// Prints where the facts of kernels come from.
pub fn run(verb: &Info, global: &Global, terminal: &Terminal, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = Wanted::of("KERNEL", &verb.kernels, global)?;
    let dataset = dataset::to_read(global, terminal)?;
    let Opened { surfaces, damaged, .. } = dataset::open(&dataset, &wanted, terminal)?;
    let kernels: Vec<Known<'_>> = surfaces.iter().map(known).collect::<depsurf::Result<_>>()?;
    match verb.format {
        Format::Json => {
            let document = Document { schema: SCHEMA, kernels };
            output.line(serde_json::to_string_pretty(&document)?)?;
        }
        Format::Table => write(&kernels, "", output)?,
        Format::Md => write(&kernels, "## ", output)?,
    }
    Ok(if damaged { exit::FAILED } else { exit::FINE })
}

fn known(surface: &Surface) -> depsurf::Result<Known<'_>> {
    let meta = surface.meta();
    let identity = list::row(surface)?;
    let part = |section: Section| {
        let size = surface.section(section).len();
        let records = (!section.is_plain()).then(|| size / section.record_size());
        (size > 0).then(|| Part { name: format!("{section:?}"), size, records })
    };
    Ok(Known {
        fetched: meta.fetched.as_ref(),
        imported: meta.imported.as_ref().map(|import| import.format.as_str()),
        facts: Fact::ALL.len(),
        known: Fact::ALL.iter().filter(|fact| meta.knows(**fact)).count(),
        complete: !identity.notes.iter().any(|note| note.lossy),
        big_endian: meta.big_endian,
        address_size: meta.address_size,
        btf_types: meta.btf_types.saturating_sub(1),
        sections: Section::ALL.into_iter().filter_map(part).collect(),
        identity,
    })
}

fn write(kernels: &[Known<'_>], heading: &str, output: &mut Output) -> anyhow::Result<()> {
    for (at, kernel) in kernels.iter().enumerate() {
        let space = if at > 0 { "\n" } else { "" };
        let name = output.styled(Style::new().bold(), format!("{heading}{}", kernel.identity.kernel));
        output.line(format!("{space}{name}"))?;
        if !heading.is_empty() {
            output.line("\n```text")?;
        }
        for (title, lines) in kernel.blocks() {
            output.line(output.styled(Style::new().bold(), title))?;
            let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
            for (name, value) in lines {
                output.line(format!("  {name:width$}  {value}"))?;
            }
        }
        if !heading.is_empty() {
            output.line("```")?;
        }
    }
    Ok(())
}

/// Lines of a name and a value.
type Lines = Vec<(String, String)>;

impl Known<'_> {
    /// What is shown, with titles.
    fn blocks(&self) -> Vec<(String, Lines)> {
        let unknown = self.facts - self.known;
        let facts = match unknown {
            0 => format!("Facts  all {} kinds known", self.facts),
            _ => format!("Facts  {} of {} kinds known", self.known, self.facts),
        };
        let notes = match (self.identity.notes.is_empty(), self.complete) {
            (true, _) => "Notes  none".to_owned(),
            (_, true) => "Notes  nothing lost; left out on purpose:".to_owned(),
            (_, false) => "Notes  not everything could be read".to_owned(),
        };
        let size = self.identity.size as f64;
        vec![
            ("Origin".to_owned(), self.origin()),
            ("Counts".to_owned(), self.counts()),
            (facts, self.evidence()),
            (notes, self.notes()),
            (format!("Size  {:.1} MB", size / 1e6), self.sizes()),
        ]
    }

    fn origin(&self) -> Lines {
        let row = &self.identity;
        let package = row.package.map(|package| format!("{} {}", package.name, package.version));
        let fetched = self.fetched.map(|fetched| {
            let checked = match fetched.checked {
                Checked::Whole => "the package has the checksum that the index tells",
                Checked::Index => "parts of the package were not fetched, so its checksum was not compared",
                Checked::BuildId => "it has the build id that was asked for",
            };
            let signed = fetched.signed.iter().map(|signed| match signed {
                Signed::Index => "; the index has a good signature",
                Signed::Package => "; the package has a good signature",
                Signed::Header => "; the package's header has a good signature",
            });
            let signed: String = signed.collect();
            match fetched.suite.as_str() {
                "" => format!("from {}: {checked}{signed}", fetched.place),
                suite => format!("from {} {suite}: {checked}{signed}", fetched.place),
            }
        });
        let order = if self.big_endian { "big-endian" } else { "little-endian" };
        let lines = [
            ("uname -r", row.uname.map(str::to_owned)),
            ("distribution", row.distribution.map(str::to_owned)),
            ("package", package),
            ("fetched", fetched),
            ("imported", self.imported.map(str::to_owned)),
            ("machine", Some(format!("{}, {order}, {} bits", row.arch, u32::from(self.address_size) * 8))),
            ("compiler", row.compiler.map(str::to_owned)),
            ("banner", row.banner.map(str::to_owned)),
            ("build id", row.build_id.map(str::to_owned)),
        ];
        lines.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn counts(&self) -> Lines {
        let counts = &self.identity.counts;
        let own = match self.btf_types {
            0 => "none".to_owned(),
            count => count.to_string(),
        };
        let number = |count: Option<usize>| count.map_or("?".into(), |count| count.to_string());
        [
            ("functions", number(counts.functions)),
            ("structs", number(counts.structs)),
            ("types of its own BTF", own),
            ("tracepoints", number(counts.tracepoints)),
            ("LSM hooks", number(counts.lsm_hooks)),
            ("kfuncs", number(counts.kfuncs)),
            ("system calls", number(counts.syscalls)),
            ("options", number(counts.configs)),
        ]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
    }

    fn evidence(&self) -> Lines {
        let line = |(fact, evidence): (&Fact, &Evidence)| {
            let value = match evidence {
                Evidence::Known { source } => format!("from {source}"),
                Evidence::Unknown { reason } => format!("unknown: {reason}"),
            };
            (list::fact_name(*fact), value)
        };
        self.identity.evidence.iter().map(line).collect()
    }

    fn notes(&self) -> Lines {
        let line = |note: &depsurf::note::Note| {
            let kind = if note.lossy { "lost" } else { "left out" };
            let first = note.first.as_ref().map(|first| format!(", first at {first}")).unwrap_or_default();
            (kind.to_owned(), format!("{} ({} times{first}) [{}]", note.message, note.count, note.id))
        };
        self.identity.notes.iter().map(line).collect()
    }

    fn sizes(&self) -> Lines {
        let total = self.identity.size.max(1) as f64;
        let line = |part: &Part| {
            let records = part.records.map(|count| format!("  {count} records")).unwrap_or_default();
            let size = part.size as f64;
            (part.name.clone(), format!("{:>8.3} MB {:>3.0} %{records}", size / 1e6, size / total * 100.0))
        };
        self.sections.iter().map(line).collect()
    }
}
