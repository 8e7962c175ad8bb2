//! Symbols: `.symtab` as it is, with what [`super::attach`] found out about each.

use crate::image::Image;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact};
use crate::surface::record::{self, NONE};

use super::attach::Attach;

/// Fills `sections` and `symbols`: every entry of `.symtab`, the null one included, so that a symbol's place here
/// is its index in the image.
pub fn store(image: &Image<'_>, attach: &Attach, parts: &mut Parts) {
    let mut places = vec![NONE; image.sections().len()];
    for symbol in image.symbols().iter().filter(|symbol| symbol.section != 0) {
        if let Some(place) = places.get_mut(symbol.section as usize) {
            *place = 0;
        }
    }
    parts.sections.clear();
    for (place, section) in places.iter_mut().zip(image.sections()) {
        if *place != NONE {
            *place = parts.sections.len() as u32;
            let name = parts.strings.intern(section.name).0.into();
            parts.sections.push(record::ElfSection { name, module: 0.into() });
        }
    }
    parts.symbols = image
        .symbols()
        .iter()
        .enumerate()
        .map(|(index, symbol)| record::Symbol {
            name: parts.strings.intern(symbol.name).0.into(),
            address: symbol.address.into(),
            size: u32::try_from(symbol.size).unwrap_or(u32::MAX).into(),
            section: places.get(symbol.section as usize).copied().unwrap_or(NONE).into(),
            attach: attach.bits(index).into(),
            info: symbol.info,
            other: symbol.other,
            special: symbol.special.into(),
        })
        .collect();
    parts.meta.evidence.insert(Fact::Symbols, Evidence::known(".symtab"));
    parts.meta.evidence.extend(attach.evidence.iter().cloned());
}
