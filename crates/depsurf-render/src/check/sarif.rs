//! The report as SARIF 2.1.0, for services that show results beside the source.

use std::collections::HashMap;

use depsurf::check::{Finding, Rule};
use serde_json::{Map, Value, json};

use super::result::{Files, Found, Level, found};
use super::{Checked, NOT_CHECKED};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What relative paths are relative to: the top of the source, which the reader of the file knows.
const TOP: &str = "%SRCROOT%";

/// Name and version of our fingerprints. They say that a result is the one of an earlier run: the object, the program, the rule, the
/// subject, what happens and the text of the line, but not its number and not the kernels.
const FINGERPRINT: &str = "depsurf/v1";

/// The report as SARIF. `version` is the program's.
#[must_use]
pub fn sarif(checked: &Checked<'_>, files: &Files<'_>, version: &str) -> String {
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let results: Vec<Value> = found(checked)
        .iter()
        .map(|found| {
            let print = fingerprint(found);
            // The same line twice in a program.
            let number = seen.entry(print).and_modify(|number| *number += 1).or_insert(1);
            result(found, checked, files, &format!("{print:016x}:{number}"))
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "depsurf",
                "version": version,
                "semanticVersion": version,
                "fullDescription": { "text": NOT_CHECKED },
                "rules": Rule::ALL.iter().map(|rule| self::rule(*rule)).collect::<Vec<_>>(),
            }},
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).expect("plain data serialises") + "\n"
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}

/// A row of the table of rules.
fn rule(rule: Rule) -> Value {
    let entry = rule.entry();
    let markdown = format!("{}\n\nDecided in `{}`.", entry.explanation, entry.reference);
    json!({
        "id": entry.id,
        "shortDescription": { "text": entry.title },
        "fullDescription": { "text": entry.explanation },
        "help": { "text": format!("{} Decided in {}.", entry.explanation, entry.reference), "markdown": markdown },
        "defaultConfiguration": { "level": level(Level::new(entry.consequence)) },
    })
}

fn result(found: &Found<'_>, checked: &Checked<'_>, files: &Files<'_>, fingerprint: &str) -> Value {
    let finding = found.finding;
    let number = Rule::ALL.iter().position(|rule| *rule == finding.rule);
    let kernels: Vec<String> =
        found.kernels.iter().map(|it| checked.report.kernels[*it].to_string()).collect();
    let mut properties = Map::new();
    properties.insert("consequence".into(), finding.consequence.name().into());
    properties.insert("subject".into(), finding.subject.clone().into());
    properties.insert("evidence".into(), finding.evidence.clone().into());
    properties.insert("kernels".into(), kernels.into());
    json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": number,
        "level": level(Level::of(found)),
        "message": { "text": found.message(checked) },
        "locations": [location(found, finding, files)],
        "partialFingerprints": { FINGERPRINT: fingerprint },
        "properties": properties,
    })
}

fn location(found: &Found<'_>, finding: &Finding, files: &Files<'_>) -> Value {
    let (path, line) = files.at(found.object, finding.place.as_ref());
    let mut region = Map::new();
    region.insert("startLine".into(), line.into());
    if let Some(place) = &finding.place {
        if place.column > 0 {
            region.insert("startColumn".into(), place.column.into());
        }
        if !place.text.is_empty() {
            region.insert("snippet".into(), json!({ "text": place.text }));
        }
    }
    let artifact = match path.starts_with('/') {
        true => json!({ "uri": format!("file://{}", encoded(&path)) }),
        false => json!({ "uri": encoded(&path), "uriBaseId": TOP }),
    };
    let logical = match found.program {
        Some(program) => json!({
            "name": program,
            "fullyQualifiedName": format!("{}/{program}", found.object),
            "kind": "function",
        }),
        None => json!({ "name": found.object, "kind": "module" }),
    };
    json!({
        "physicalLocation": { "artifactLocation": artifact, "region": region },
        "logicalLocations": [logical],
    })
}

/// A path as in a URI (RFC 3986).
fn encoded(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

/// FNV-1a of what makes a result the same: a number that no release of ours may change.
fn fingerprint(found: &Found<'_>) -> u64 {
    let finding = found.finding;
    let line = finding.place.as_ref().map_or("", |place| place.text.trim());
    let parts = [
        found.object,
        found.program.unwrap_or(""),
        finding.rule.id(),
        &finding.subject,
        finding.consequence.name(),
        line,
    ];
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
