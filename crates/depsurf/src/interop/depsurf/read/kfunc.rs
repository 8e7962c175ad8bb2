//! kfuncs, which the dataset has no file for: by the original's rule they are what the symbols
//! `__BTF_ID__func__*` name, which takes in the members of sets that are not about kfuncs.

use super::types::Types;
use crate::surface::build::Parts;
use crate::surface::meta::Evidence;
use crate::surface::record::{self, NONE};
use crate::surface::strings::StrId;

/// `BTF_ID(func, NAME)` makes a symbol of the name and a number (`include/linux/btf_ids.h`).
const PREFIX: &str = "__BTF_ID__func__";

/// Fills the kfuncs, sorted by name, and tells where they are from.
pub(super) fn read(types: &Types, has_symtab: bool, parts: &mut Parts) -> Evidence {
    if !has_symtab {
        return Evidence::unknown("the dataset has no symtab of this kernel");
    }
    let mut names: Vec<String> = Vec::new();
    for symbol in &parts.symbols {
        let name = parts.strings.get(StrId(symbol.name.get()));
        names.extend(function_of(name).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    for name in names {
        let id = parts.strings.intern(name.as_bytes());
        let prototype = types.function(id).map_or(NONE, |function| types.prototype_of(function).0);
        parts.kfuncs.push(record::Kfunc {
            name: id.0.into(),
            prototype: prototype.into(),
            flags: 0.into(),
            evidence: record::KFUNC_BTF_ID.into(),
        });
    }
    Evidence::known(format!("DepSurf dataset, the symbols `{PREFIX}*` in symtab"))
}

/// `bpf_iter_num_new` in `__BTF_ID__func__bpf_iter_num_new__123`.
fn function_of(symbol: &str) -> Option<&str> {
    let rest = symbol.strip_prefix(PREFIX)?;
    let (name, number) = rest.rsplit_once("__")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_name_functions() {
        assert_eq!(function_of("__BTF_ID__func__bpf_iter_num_new__123"), Some("bpf_iter_num_new"));
        assert_eq!(function_of("__BTF_ID__func____x__y__1"), Some("__x__y"));
        assert_eq!(function_of("__BTF_ID__struct__task_struct__1"), None);
        assert_eq!(function_of("__BTF_ID__func__1"), None);
    }
}
