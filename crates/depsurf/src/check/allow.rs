//! A file of findings that somebody looked at and puts up with, each with a reason and perhaps a last day.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use toml::Spanned;

use super::report::{Finding, Report, Settled};
use super::rules::Rule;
use crate::error::{Error, Result};

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day, in UTC, of a time in seconds since 1970.
    #[must_use]
    pub fn of_unix_time(seconds: u64) -> Self {
        let mut left = seconds / 86_400;
        let mut year = 1970;
        while left >= days_of_year(year) && year < u16::MAX {
            left -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while month < 12 && left >= u64::from(days_of_month(year, month)) {
            left -= u64::from(days_of_month(year, month));
            month += 1;
        }
        Self { year, month, day: left.min(30) as u8 + 1 }
    }
}

fn days_of_year(year: u16) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |range: Range<usize>| -> Option<u16> {
            let part = text.get(range)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let parse = || {
            let dashes = text.len() == 10 && text.get(4..5)? == "-" && text.get(7..8)? == "-";
            let (year, month, day) = (digits(0..4)?, digits(5..7)? as u8, digits(8..10)? as u8);
            let exists = (1..=12).contains(&month) && (1..=days_of_month(year, month)).contains(&day);
            (dashes && exists).then_some(Self { year, month, day })
        };
        parse().ok_or_else(|| Error::Usage {
            what: format!("`{text}` is no day"),
            help: Some("write it as in 2027-01-31".into()),
        })
    }
}

/// An entry that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Line of the file, from 1.
    pub line: usize,
    /// Rule and subject.
    pub what: String,
    /// The last day.
    pub until: Date,
    /// The reason that is given.
    pub reason: String,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {} was allowed until {} ({})", self.line, self.what, self.until, self.reason)
    }
}

/// What is allowed.
#[derive(Debug)]
pub struct Allow {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    rule: Rule,
    subject: String,
    program: Option<GlobMatcher>,
    object: Option<GlobMatcher>,
    kernel: Option<GlobMatcher>,
    reason: String,
    until: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Spanned<String>,
    subject: String,
    program: Option<Spanned<String>>,
    object: Option<Spanned<String>>,
    kernel: Option<Spanned<String>>,
    reason: Spanned<String>,
    until: Option<Spanned<String>>,
}

impl Allow {
    /// Reads a TOML file with `[[allow]]` entries.
    ///
    /// # Errors
    /// When it is no TOML, has keys that mean nothing, names no rule, no reason, or no day; each with its line.
    pub fn parse(text: &str) -> Result<Self> {
        let line_of = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            Error::Usage {
                what: error.message().replace('\n', " "),
                help: Some(
                    "entries are [[allow]] with rule, subject and reason, and perhaps program, object, kernel, until".into(),
                ),
            }
            .at(format!("line {line}"))
        })?;
        let at = |span: Range<usize>| move |error: Error| error.at(format!("line {}", line_of(span.start)));
        let glob = |pattern: Option<Spanned<String>>| {
            pattern.map(|it| glob(it.get_ref()).map_err(at(it.span()))).transpose()
        };
        let mut entries = Vec::new();
        for entry in file.allow {
            let line = line_of(entry.span().start);
            let written = entry.into_inner();
            if written.reason.get_ref().trim().is_empty() {
                let what = "the reason is empty".into();
                let help = Some("say why the finding may stay".into());
                return Err(at(written.reason.span())(Error::Usage { what, help }));
            }
            entries.push(Entry {
                line,
                rule: written.rule.get_ref().parse().map_err(at(written.rule.span()))?,
                subject: written.subject,
                program: glob(written.program)?,
                object: glob(written.object)?,
                kernel: glob(written.kernel)?,
                reason: written.reason.into_inner(),
                until: written.until.map(|it| it.get_ref().parse().map_err(at(it.span()))).transpose()?,
            });
        }
        Ok(Self { entries })
    }

    /// Entries whose last day was before `today`.
    #[must_use]
    pub fn expired(&self, today: Date) -> Vec<Expired> {
        let expired = self.entries.iter().filter_map(|entry| {
            let until = entry.until.filter(|until| *until < today)?;
            let what = format!("{} `{}`", entry.rule, entry.subject);
            Some(Expired { line: entry.line, what, until, reason: entry.reason.clone() })
        });
        expired.collect()
    }

    /// Settles what is allowed today; gives how much that is.
    pub fn settle(&self, report: &mut Report, today: Date) -> usize {
        let entries: Vec<&Entry> =
            self.entries.iter().filter(|it| it.until.is_none_or(|until| today <= until)).collect();
        let kernels: Vec<String> = report.kernels.iter().map(ToString::to_string).collect();
        let mut settled = 0;
        for object in &mut report.objects {
            let mut settle = |program: Option<&str>, kernel: &str, findings: &mut [Finding]| {
                for finding in findings.iter_mut().filter(|finding| finding.settled.is_none()) {
                    let entry = entries.iter().find(|it| it.allows(finding, &object.name, program, kernel));
                    if let Some(entry) = entry {
                        let until = entry.until.map(|until| until.to_string());
                        finding.settled = Some(Settled::Allow { reason: entry.reason.clone(), until });
                        settled += 1;
                    }
                }
            };
            for (kernel, whole) in kernels.iter().zip(&mut object.whole) {
                settle(None, kernel, &mut whole.findings);
            }
            for program in &mut object.programs {
                for (kernel, verdict) in kernels.iter().zip(&mut program.verdicts) {
                    settle(Some(&program.name), kernel, &mut verdict.findings);
                }
            }
        }
        settled
    }
}

impl Entry {
    fn allows(&self, finding: &Finding, object: &str, program: Option<&str>, kernel: &str) -> bool {
        let is = |glob: &Option<GlobMatcher>, name: &str| glob.as_ref().is_none_or(|it| it.is_match(name));
        (self.rule, self.subject.as_str()) == (finding.rule, finding.subject.as_str())
            && is(&self.object, object)
            && is(&self.kernel, kernel)
            // What is of the object itself is in no program.
            && program.map_or(self.program.is_none(), |program| is(&self.program, program))
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).build().map_err(|error| Error::Usage {
        what: format!("`{pattern}`: {}", error.kind()),
        help: Some("write * for any text and ? for one character".into()),
    })?;
    Ok(glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let day = |days: u64| Date::of_unix_time(days * 86_400 + 86_399).to_string();
        assert_eq!(
            [day(0), day(58), day(59), day(365), day(11_016), day(11_017), day(20_783)],
            [
                "1970-01-01",
                "1970-02-28",
                "1970-03-01",
                "1971-01-01",
                "2000-02-29",
                "2000-03-01",
                "2026-11-26"
            ]
        );
        // Far beyond what clocks say nothing breaks.
        assert_eq!(Date::of_unix_time(u64::MAX).to_string(), "65535-12-31");
        for days in 0..60_000 {
            let date = Date::of_unix_time(days * 86_400);
            assert_eq!(date.to_string().parse::<Date>().unwrap(), date);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        let cases = [
            "",
            "2027-1-31",
            "2027-13-01",
            "2027-00-10",
            "2027-04-31",
            "2027-02-29",
            "1900-02-29",
            "2027/01/31",
            "+027-01-31",
            "2027-01-31 ",
            "202é-1-31",
        ];
        for text in cases {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        assert!("2028-02-29".parse::<Date>().unwrap() > "2027-12-31".parse().unwrap());
    }

    #[test]
    fn the_last_day_counts() {
        let text = "[[allow]]\nrule = 'no-symbol'\nsubject = 'x'\nreason = 'y'\nuntil = '2027-01-31'\n";
        let allow = Allow::parse(text).unwrap();
        let expired = |day: &str| allow.expired(day.parse().unwrap()).len();
        assert_eq!([expired("2027-01-31"), expired("2027-02-01")], [0, 1]);
        assert!(Allow::parse("").unwrap().entries.is_empty());
    }
}
