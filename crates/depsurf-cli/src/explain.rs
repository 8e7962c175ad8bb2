//! `depsurf explain RULE`.

use depsurf::check::Rule;

use crate::args::Explain;
use crate::exit;
use crate::output::Output;

/// Prints what a rule means, or all rules in a line each.
pub fn run(verb: &Explain, output: &mut Output) -> anyhow::Result<u8> {
    let Some(id) = &verb.rule else {
        let width = Rule::ALL.iter().map(|rule| rule.id().len()).max().unwrap_or(0);
        for rule in Rule::ALL {
            let entry = rule.entry();
            output.write(format!(
                "{:width$}  {:13}  {}\n",
                entry.id,
                entry.consequence.name(),
                entry.title
            ))?;
        }
        return Ok(exit::FINE);
    };
    let entry = id.parse::<Rule>()?.entry();
    output.write(format!(
        "{}: {}\n\nconsequence  {}\nsource       {}\n\n{}\n",
        entry.id, entry.title, entry.consequence, entry.reference, entry.explanation
    ))?;
    Ok(exit::FINE)
}
