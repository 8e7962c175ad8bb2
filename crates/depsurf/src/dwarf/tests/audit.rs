//! Named types are decoded at their first place only. Here every one is decoded wherever it stands, without
//! skipping over siblings, to see whether that loses anything.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use gimli::{Endianity, SectionId};

use testkit::dwarf::{DW_ATE_signed, base_type, member, structure};

use super::*;
use crate::dwarf::types::{TypeAttrs, is_definition};
use crate::dwarf::worker::{Context, Definition, Dwarf, Place, Worker};
use crate::dwarf::{IN_IMAGE, Share, merge_paths};

/// Every named type of an image with all its bodies, in image order.
struct Audit<'data> {
    /// Facts with nothing but types.
    facts: Facts<'data>,
    bodies: Vec<(NodeId, Vec<(Place, NodeId)>)>,
}

impl<'data> Audit<'data> {
    fn read(big_endian: bool, section: impl Fn(SectionId) -> &'data [u8]) -> Self {
        if big_endian {
            Self::read_endian(gimli::BigEndian, true, section)
        } else {
            Self::read_endian(gimli::LittleEndian, false, section)
        }
    }

    fn read_endian<E: Endianity>(
        endian: E,
        big_endian: bool,
        section: impl Fn(SectionId) -> &'data [u8],
    ) -> Self {
        let slice = |id| Ok::<_, gimli::Error>(gimli::EndianSlice::new(section(id), endian));
        let dwarf = Dwarf::load(slice).unwrap();
        let mut headers = Vec::new();
        let mut iter = dwarf.units();
        while let Ok(Some(header)) = iter.next() {
            headers.push(header);
        }
        let mut worker = Worker::new(&dwarf, &headers, big_endian);
        worker.budget = usize::MAX;
        let mut directories = hashbrown::HashSet::new();
        let mut all: HashMap<NodeId, Vec<(Place, NodeId)>> = HashMap::new();
        for (index, header) in (0..).zip(&headers) {
            let cx = Context::new(&dwarf, index, *header, big_endian).unwrap();
            directories.extend(cx.unit.comp_dir.map(|directory| directory.slice().to_vec()));
            Self::unit(&mut worker, &cx, &mut all).unwrap();
        }
        let share = Share {
            names: worker.names,
            nodes: worker.nodes,
            paths: worker.paths.list,
            definitions: hashbrown::HashMap::<NodeId, Definition, FixedState>::default(),
            notes: Vec::new(),
            units: Vec::new(),
            directories,
        };
        let (files, maps) = merge_paths(std::slice::from_ref(&share));
        let mut nodes = node::Nodes::default();
        let names: Vec<u32> = (0..share.names.list().len() as u32).collect();
        let ids = nodes.merge(&share.nodes, &names, &maps[0]);
        // Two spellings of one path make two nodes of one type before.
        let mut merged: HashMap<NodeId, Vec<(Place, NodeId)>> = HashMap::new();
        for (node, bodies) in all {
            let bodies = bodies.into_iter().map(|(place, body)| (place, ids[body.0 as usize]));
            merged.entry(ids[node.0 as usize]).or_default().extend(bodies);
        }
        let mut bodies: Vec<_> = merged.into_iter().collect();
        bodies.iter_mut().for_each(|(_, bodies)| bodies.sort_unstable_by_key(|(place, _)| *place));
        bodies.sort_unstable_by_key(|(_, bodies)| bodies[0].0);
        let mut facts = read(big_endian, |_| &[], &Others::default(), &Silent).unwrap();
        (facts.names, facts.nodes, facts.files) = (share.names, nodes, files);
        Self { facts, bodies }
    }

    /// Every DIE of a unit, one after the other.
    fn unit<E: Endianity>(
        worker: &mut Worker<'data, '_, E>,
        cx: &Context<'data, E>,
        all: &mut HashMap<NodeId, Vec<(Place, NodeId)>>,
    ) -> gimli::Result<()> {
        let mut entries = cx.unit.entries_raw(None)?;
        while !entries.is_empty() {
            let offset = entries.next_offset().0 as u32;
            let Some(abbrev) = entries.read_abbreviation()? else { continue };
            if !is_definition(abbrev.tag()) {
                entries.skip_attributes(abbrev.attributes())?;
                continue;
            }
            let attrs = TypeAttrs::read(&mut entries, abbrev)?;
            if attrs.name.is_none() || attrs.declaration {
                continue;
            }
            let node = worker.named(cx, abbrev.tag(), offset, &attrs)?;
            let body = worker.body(cx, offset)?;
            all.entry(node).or_default().push(((cx.index, offset), body));
        }
        worker.found.clear();
        Ok(())
    }

    /// The types as [`definitions`] writes them, and those of which a later body differs from the first.
    fn lines(&mut self) -> Vec<String> {
        let first = |(node, bodies): &(NodeId, Vec<(Place, NodeId)>)| super::super::Definition {
            node: *node,
            body: bodies[0].1,
        };
        self.facts.definitions = self.bodies.iter().map(first).collect();
        definitions(&self.facts)
    }

    /// Whether two nodes say the same of named types, declared or defined.
    fn same(&self, a: NodeId, b: NodeId) -> bool {
        let nodes = &self.facts.nodes;
        let ((kind_a, a_words), (kind_b, b_words)) = (nodes.get(a), nodes.get(b));
        let leaf = |kind| matches!(kind, Kind::Named | Kind::Fwd);
        if a == b || leaf(kind_a) && leaf(kind_b) {
            return a == b || a_words[..2] == b_words[..2];
        }
        let child = |x: u32, y: u32| self.same(NodeId(x), NodeId(y));
        if kind_a != kind_b || a_words.len() != b_words.len() {
            return false;
        }
        match kind_a {
            Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Alias => {
                child(a_words[0], b_words[0])
            }
            Kind::Array => a_words[1] == b_words[1] && child(a_words[0], b_words[0]),
            Kind::Proto => {
                let params = a_words[1..].chunks(2).zip(b_words[1..].chunks(2));
                child(a_words[0], b_words[0])
                    && params.into_iter().all(|(a, b)| a[0] == b[0] && child(a[1], b[1]))
            }
            Kind::Members => {
                let mut members = a_words[2..].chunks(4).zip(b_words[2..].chunks(4));
                a_words[..2] == b_words[..2]
                    && members.all(|(a, b)| a[0] == b[0] && a[2..] == b[2..] && child(a[1], b[1]))
            }
            _ => false,
        }
    }

    /// Types of one key whose bodies differ, with one body of each.
    fn different(&self) -> Vec<(NodeId, NodeId, NodeId, Place)> {
        let mut found = Vec::new();
        for (node, bodies) in &self.bodies {
            let first = bodies[0].1;
            let mut seen = vec![first];
            for &(place, body) in &bodies[1..] {
                if !seen.contains(&body) {
                    seen.push(body);
                    if !self.same(first, body) {
                        found.push((*node, first, body, place));
                        break;
                    }
                }
            }
        }
        found
    }
}

#[test]
fn decoding_once_finds_what_decoding_everywhere_finds() {
    let units = thread::drivers();
    for form in Form::all() {
        let sections = form.build(&units);
        let section = |id: SectionId| sections.get(id.name());
        let mut audit = Audit::read(form.target.endian == Endian::Big, section);
        let facts = facts(&sections, form.target);
        assert_eq!(audit.lines(), definitions(&facts), "{form:?}");
        assert!(audit.different().is_empty(), "{form:?}");
        assert!(audit.bodies.iter().any(|(_, bodies)| bodies.len() > 100), "types do repeat");
    }
}

#[test]
fn an_audit_sees_a_difference() {
    let of = |name: &str, field: &str| {
        unit([base_type("int", 4, DW_ATE_signed), structure(name, 4, 0, 1, [member(field, "int", 0)])])
    };
    let form = Form::all()[0];
    let sections = form.build(&[of("s", "a"), of("s", "a"), of("s", "b"), of("t", "b")]);
    let audit = Audit::read(form.target.endian == Endian::Big, |id| sections.get(id.name()));
    let different = audit.different();
    assert_eq!(different.len(), 1);
    assert_eq!(different[0].3.0, 2, "in the third unit");
}

/// The same question, asked of a real kernel.
#[test]
#[allow(clippy::print_stderr, reason = "a test that checks nothing has to say so")]
fn a_real_kernel_has_one_body_per_type() {
    let Some(path) = std::env::var_os("DEPSURF_VMLINUX") else {
        eprintln!("SKIPPED: set DEPSURF_VMLINUX to a vmlinux to decode each of its types everywhere");
        return;
    };
    let file = std::fs::read(path).expect("the file can be read");
    let image = crate::image::Image::parse(&file).expect("it is a kernel");
    let sections: Vec<_> =
        IN_IMAGE.map(|id| (id, image.section_data(id.name()).unwrap())).into_iter().collect();
    let section = |wanted: SectionId| {
        let found = sections.iter().find(|(id, _)| *id == wanted).and_then(|(_, bytes)| bytes.as_deref());
        found.unwrap_or_default()
    };
    let mut audit = Audit::read(image.is_big_endian(), section);
    let facts = read(image.is_big_endian(), section, &Others::default(), &Silent).unwrap();
    let all: usize = audit.bodies.iter().map(|(_, bodies)| bodies.len()).sum();
    let different = audit.different();
    eprintln!("{all} bodies of {} types, {} with several", audit.bodies.len(), different.len());
    for (node, first, other, place) in &different {
        let at = facts.unit_offsets[place.0 as usize] + place.1 as usize;
        eprintln!("{}: {at:#x}", definition_of(&audit.facts, *node));
        eprintln!("    {}", spell(&audit.facts, *first));
        eprintln!("    {}", spell(&audit.facts, *other));
    }
    let (everywhere, mut once) = (audit.lines(), definitions(&facts));
    // Enums without a name are known by their place, and have one body there by themselves.
    once.retain(|line| !line.starts_with("enum  "));
    for (everywhere, once) in everywhere.iter().zip(&once) {
        assert_eq!(everywhere, once);
    }
    assert_eq!(everywhere.len(), once.len());
    assert_eq!(different.len(), 0);
}

fn definition_of(facts: &Facts<'_>, node: NodeId) -> String {
    let (_, words) = facts.nodes.get(node);
    format!("{} {}:{} {}", spell(facts, node), facts.files[words[2] as usize], words[3], words[4])
}
