//! `depsurf schema [WHAT]`.

use depsurf_render::{check, deps, diff, doctor, json, search, timeline};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::exit;
use crate::info;
use crate::list;
use crate::output::Output;

/// The schema of a verb's JSON, with the definitions it needs in the generator.
type Describe = fn(&mut SchemaGenerator) -> Schema;

/// The verbs that print JSON, and what describes it. A verb that learns to print JSON gets a line here.
pub const WHAT: [(&str, Describe); 9] = [
    ("list", list::schema),
    ("info", info::schema),
    ("show", json::schema),
    ("check", check::schema),
    ("deps", deps::schema),
    ("doctor", doctor::schema),
    ("diff", diff::schema),
    ("log", timeline::schema),
    ("search", search::schema),
];

/// Prints the JSON Schema of one verb, or of all of them as alternatives.
pub fn run(verb: &crate::args::Schema, output: &mut Output) -> anyhow::Result<u8> {
    let wanted = |name: &str| verb.what.as_deref().is_none_or(|what| what == name);
    let schema = document(WHAT.into_iter().filter(|(name, _)| wanted(name)));
    output.line(serde_json::to_string_pretty(&schema)?)?;
    Ok(exit::FINE)
}

/// A whole schema: what any of some verbs prints.
fn document(what: impl Iterator<Item = (&'static str, Describe)>) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let (mut names, mut alternatives) = (Vec::new(), Vec::new());
    for (name, describe) in what {
        names.push(format!("`depsurf {name} --format json`"));
        let mut described = describe(&mut generator);
        // A verb that prints one of several things is as many alternatives.
        match described.remove("anyOf").as_ref().and_then(Value::as_array) {
            Some(several) => alternatives.extend(several.iter().filter_map(|it| it.clone().try_into().ok())),
            None => alternatives.push(described),
        }
    }
    let mut document = match alternatives.as_slice() {
        [only] => only.clone(),
        several => json_schema!({ "anyOf": several }),
    };
    document.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    document.insert("title".into(), format!("What {} prints", names.join(" or ")).into());
    document.insert("$defs".into(), generator.take_definitions(true).into());
    RecursiveTransform(speak_json).transform(&mut document);
    document
}

/// Descriptions are those of the Rust types, which have `None` where JSON has `null`.
fn speak_json(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("`None`", "`null`");
    }
}
