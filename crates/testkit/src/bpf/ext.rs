//! `.BTF.ext`.

use crate::Target;
use crate::btf::{Btf, TypeId};

/// The type of a function.
#[derive(Clone, Debug)]
pub struct FuncInfo {
    /// Name of the section.
    pub section: String,
    /// Offset of the function's first instruction, in bytes.
    pub offset: u32,
    /// FUNC.
    pub type_id: TypeId,
}

/// A line of source.
#[derive(Clone, Debug)]
pub struct LineInfo {
    /// Name of the section.
    pub section: String,
    /// Offset of the first instruction that comes from there, in bytes.
    pub offset: u32,
    /// File.
    pub file: String,
    /// The line's text.
    pub text: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// A CO-RE relocation.
#[derive(Clone, Debug)]
pub struct CoreRelocation {
    /// Name of the section.
    pub section: String,
    /// Offset of the instruction, in bytes.
    pub offset: u32,
    /// Type.
    pub type_id: TypeId,
    /// Access string.
    pub access: String,
    /// `enum bpf_core_relo_kind`.
    pub kind: u32,
}

/// What the section tells.
#[derive(Clone, Debug, Default)]
pub struct Ext {
    /// `func_info`.
    pub functions: Vec<FuncInfo>,
    /// `line_info`.
    pub lines: Vec<LineInfo>,
    /// `core_relo`.
    pub relocations: Vec<CoreRelocation>,
    /// Words that each record has behind those that are known.
    pub extra_words: usize,
}

impl Ext {
    /// The section; `None` where there is nothing to tell. Strings go into `btf`.
    pub(super) fn build(&self, target: Target, btf: &mut Btf) -> Option<Vec<u8>> {
        if self.functions.is_empty() && self.lines.is_empty() && self.relocations.is_empty() {
            return None;
        }
        let functions = self.functions.iter().map(|info| (&info.section, vec![info.offset, info.type_id]));
        let functions: Vec<_> = functions.collect();
        let lines = self.lines.iter().map(|info| {
            let place = info.line << 10 | info.column;
            (&info.section, vec![info.offset, btf.string(&info.file), btf.string(&info.text), place])
        });
        let lines: Vec<_> = lines.collect();
        let relocations = self.relocations.iter().map(|info| {
            (&info.section, vec![info.offset, info.type_id, btf.string(&info.access), info.kind])
        });
        let relocations: Vec<_> = relocations.collect();
        let [functions, lines, relocations] =
            [(2, functions), (4, lines), (4, relocations)].map(|(words, records)| {
                let words = words + self.extra_words;
                table(target, btf, words as u32, &records)
            });
        let mut out = target.bytes();
        out.u16(0xeb9f).u8(1).u8(0).u32(32);
        let mut at = 0;
        for part in [&functions, &lines, &relocations] {
            out.u32(at).u32(part.len() as u32);
            at += part.len() as u32;
        }
        out.raw(&functions).raw(&lines).raw(&relocations);
        Some(out.into_vec())
    }
}

/// One of the three tables: records by section, in the order in which sections come up.
fn table(target: Target, btf: &mut Btf, words: u32, records: &[(&String, Vec<u32>)]) -> Vec<u8> {
    let mut out = target.bytes();
    if records.is_empty() {
        return out.into_vec();
    }
    out.u32(4 * words);
    let mut sections: Vec<&String> = Vec::new();
    for (section, _) in records {
        if !sections.contains(section) {
            sections.push(section);
        }
    }
    for section in sections {
        let inside = || records.iter().filter(|(of, _)| of == &section);
        out.u32(btf.string(section)).u32(inside().count() as u32);
        for (_, record) in inside() {
            for word in 0..words as usize {
                out.u32(record.get(word).copied().unwrap_or_default());
            }
        }
    }
    out.into_vec()
}
