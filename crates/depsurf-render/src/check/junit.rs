//! The report as JUnit XML: a suite per kernel, a case per program and one for each object itself.

use depsurf::check::{Consequence, Finding, Settled, Whole};

use super::{Checked, words};

/// The case of what is of an object and none of its programs. No function in C is called so.
const OBJECT: &str = "(object)";

/// What became of a case.
enum State<'r> {
    Passed,
    /// Why it cannot be told, or does not count.
    Skipped(String),
    Failed(Consequence, Vec<&'r Finding>),
}

/// The report as JUnit XML. Cases fail from the consequence `fail_on` on, as the exit status does.
#[must_use]
pub fn junit(checked: &Checked<'_>, fail_on: Consequence) -> String {
    let mut suites = String::new();
    let mut totals = [0; 3];
    for (number, kernel) in checked.report.kernels.iter().enumerate() {
        let mut cases = String::new();
        let mut counts = [0; 3];
        for object in &checked.report.objects {
            let whole = state_of_whole(&object.whole[number], fail_on);
            case(&mut cases, &mut counts, &object.name, OBJECT, &whole);
            for program in &object.programs {
                let state = state(&program.verdicts[number].findings, program.autoload, fail_on);
                case(&mut cases, &mut counts, &object.name, &program.name, &state);
            }
        }
        let name = attribute(&kernel.to_string());
        suites += &format!("  <testsuite name=\"{name}\"{}>\n{cases}  </testsuite>\n", numbers(counts));
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    format!("{declaration}\n<testsuites name=\"depsurf check\"{}>\n{suites}</testsuites>\n", numbers(totals))
}

/// Cases, failures, skipped.
fn numbers([tests, failures, skipped]: [usize; 3]) -> String {
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")
}

fn state_of_whole(whole: &Whole, fail_on: Consequence) -> State<'_> {
    state(&whole.findings, true, fail_on)
}

fn state(findings: &[Finding], autoload: bool, fail_on: Consequence) -> State<'_> {
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.settled.is_none()).collect();
    let certain = open.iter().filter(|finding| finding.depends_on.is_empty());
    let worst = certain.map(|finding| finding.consequence).max().unwrap_or(Consequence::Fine);
    let reasons = || open.iter().map(|finding| line(finding)).collect::<Vec<_>>().join("; ");
    if worst >= fail_on && worst > Consequence::Fine {
        return match autoload {
            true => State::Failed(worst, open),
            false => State::Skipped(format!("not loaded by default: {}", reasons())),
        };
    }
    if worst == Consequence::Unknown {
        return State::Skipped(format!("cannot be told: {}", reasons()));
    }
    let settled = findings.iter().find_map(|finding| finding.settled.as_ref());
    match settled.filter(|_| open.is_empty()) {
        Some(Settled::Baseline) => State::Skipped("known: the baseline has it".into()),
        Some(Settled::Lock) => State::Skipped("unchanged since the lock file was written".into()),
        Some(Settled::Allow { reason, .. }) => State::Skipped(format!("allowed: {reason}")),
        None => State::Passed,
    }
}

fn line(finding: &Finding) -> String {
    format!("{} `{}`: {}", finding.rule, finding.subject, words(finding.consequence))
}

fn case(out: &mut String, counts: &mut [usize; 3], object: &str, name: &str, state: &State<'_>) {
    let open = format!("    <testcase classname=\"{}\" name=\"{}\"", attribute(object), attribute(name));
    counts[0] += 1;
    match state {
        State::Passed => *out += &format!("{open}/>\n"),
        State::Skipped(why) => {
            counts[2] += 1;
            *out += &format!("{open}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", attribute(why));
        }
        State::Failed(worst, findings) => {
            counts[1] += 1;
            let lines: Vec<String> = findings.iter().map(|finding| line(finding)).collect();
            let details: Vec<String> = findings.iter().map(|finding| detail(finding)).collect();
            *out += &format!(
                "{open}>\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                worst.name(),
                attribute(&lines.join("; ")),
                text(&details.join("\n\n"))
            );
        }
    }
}

fn detail(finding: &Finding) -> String {
    let mut detail = format!("{}: {}", line(finding), finding.rule.entry().title);
    if !finding.evidence.is_empty() {
        detail += &format!("\nevidence: {}", finding.evidence);
    }
    if let (Some(errno), Some(message)) = (finding.errno, &finding.message) {
        detail += &format!("\nloader: {message} (-{}, {})", errno.number(), errno.name());
    }
    if let Some(place) = &finding.place {
        detail += &format!("\nsource: {}:{}: {}", place.file, place.line, place.text);
    }
    if !finding.depends_on.is_empty() {
        detail += &format!("\nonly if {} is set to another value", finding.depends_on.join(", "));
    }
    detail
}

/// Text as XML 1.0 has it. It has no place for most control characters, even escaped: they are told as `\x1b`.
fn escaped(text: &str, is_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' if is_attribute => out += "&quot;",
            // Readers of attributes make them spaces.
            '\n' | '\t' if is_attribute => out += &format!("&#{};", u32::from(c)),
            // Readers make it a newline.
            '\r' => out += "&#13;",
            '\n' | '\t' => out.push(c),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => out += &format!("\\x{:02x}", u32::from(c)),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
    out
}

fn attribute(value: &str) -> String {
    escaped(value, true)
}

fn text(value: &str) -> String {
    escaped(value, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_the_text() {
        assert_eq!(text("a<b>&\"c\"\n\t]]>"), "a&lt;b&gt;&amp;\"c\"\n\t]]&gt;");
        assert_eq!(attribute("\"a\"\nb\tc\r"), "&quot;a&quot;&#10;b&#9;c&#13;");
        assert_eq!(text("\0\x1b[1m\x7f\u{85}\u{fffe}é🦀"), "\\x00\\x1b[1m\\x7f\\x85\u{fffd}é🦀");
    }
}
