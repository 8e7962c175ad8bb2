//! Which kernels of a dataset are meant: a small language over their names.
//!
//! A selection is a list of terms, separated by commas. A kernel is chosen when it is of a term (of any, where there
//! is no other than excluding ones) and of no excluding one. A term is one or several forms with colons between, all
//! of which must hold.
//!
//! ```text
//! selection = term { "," term }
//! term      = [ "!" | "-" ] form { ":" form }       ! and - exclude
//! form      = glob       6.1*, *-cloud-*            over the whole name; * ? [abc] {a,b}
//!           | range      6.1..7.2, ..6.1, 6.12..    versions, both ends included: ..6.1 has 6.1.176
//!           | key=value  arch=arm64, flavour=rt     name, version, arch, flavour, distribution, group
//!           | word
//! ```
//!
//! A word is the first of these that fits:
//!
//! 1. the name of a kernel: `6.1.176-50-cloud-amd64`
//! 2. a group: `regular`, `lts`, `arch`, `flavor`, `revision`, `other`; `arch` and `flavor` come with the default
//!    kernel, which their members are compared with, and exclude the members alone
//! 3. an architecture, by any of its words: `arm64`, `aarch64`
//! 4. a version, or how one starts: `6`, `6.1`, `6.1.176`
//! 5. a flavour that some kernel has: `cloud`, `generic_64k`
//! 6. how the name of one kernel starts: `6.1.176-50-cl`
//! 7. a distribution that some kernel is of: `debian`
//! 8. what `uname -r` says on some kernel: `6.1.0-50-cloud-amd64`
//!
//! Nothing is read here: a kernel is what [`Candidate`] says. What a term means may depend on the kernels, so it is
//! parsed first, and what cannot be meant is an error when kernels are chosen.

mod form;

use crate::error::{Error, Result};
use crate::group::{self, Title, series};
use crate::kernel::{Arch, Distribution, KernelId};
use form::{Form, Key, Versions};

/// A kernel that may be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name.
    pub kernel: &'a KernelId,
    /// [`Meta::distribution`](crate::surface::Meta::distribution).
    pub distribution: Option<&'a str>,
    /// [`Meta::uname`](crate::surface::Meta::uname).
    pub uname: Option<&'a str>,
}

impl<'a> From<&'a KernelId> for Candidate<'a> {
    /// A kernel of which no more than the name is known.
    fn from(kernel: &'a KernelId) -> Self {
        Self { kernel, distribution: None, uname: None }
    }
}

/// Chosen kernels, as they were written.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    terms: Vec<Term>,
}

#[derive(Debug, Clone)]
struct Term {
    /// Without the sign.
    text: String,
    excludes: bool,
    /// All of them must hold.
    forms: Vec<Form>,
}

/// What a form means among certain kernels.
enum Meaning<'a> {
    Glob(&'a globset::GlobMatcher),
    Versions(Versions),
    Arch(Arch),
    Flavour(&'a str),
    Distribution(&'a str),
    Uname(&'a str),
    /// The places of kernels: one by its name, or a group.
    Places(Vec<usize>),
}

impl Selection {
    /// Parses selections; of several all terms count. None choose every kernel.
    ///
    /// # Errors
    /// When one is not written as it should be.
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self> {
        let mut terms = Vec::new();
        for text in texts {
            for term in form::split(text.as_ref(), ',') {
                terms.push(Term::parse(term)?);
            }
        }
        Ok(Self { terms })
    }

    /// Whether nothing was written, and so every kernel is chosen.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether the names of the kernels are enough to choose: nothing is said of distributions or `uname -r`.
    #[must_use]
    pub fn is_by_name(&self, kernels: &[Candidate<'_>]) -> bool {
        let forms = self.terms.iter().flat_map(|term| &term.forms);
        forms.into_iter().all(|form| match form {
            Form::Key(Key::Distribution, _) => false,
            Form::Word(word) => !matches!(meaning(word, kernels, None), Ok(None)),
            _ => true,
        })
    }

    /// The places of the chosen kernels among `kernels`, ascending. Groups are those around the kernel at `default`,
    /// or around the one that [`group::default_kernel`] chooses.
    ///
    /// # Errors
    /// When a term chooses none of them, or what is excluded leaves none. The error says which there are.
    pub fn choose(&self, kernels: &[Candidate<'_>], default: Option<usize>) -> Result<Vec<usize>> {
        let begins_with_all = self.terms.iter().all(|term| term.excludes);
        let mut chosen = vec![begins_with_all; kernels.len()];
        // What is excluded stays excluded, wherever it stands.
        let (including, excluding): (Vec<_>, Vec<_>) = self.terms.iter().partition(|term| !term.excludes);
        for term in including.into_iter().chain(excluding) {
            let of_term = term.kernels(kernels, default)?;
            if of_term.is_empty() && !term.excludes {
                return Err(nothing(&term.text, &term.forms, kernels));
            }
            of_term.into_iter().for_each(|place| chosen[place] = !term.excludes);
        }
        let chosen: Vec<usize> = (0..kernels.len()).filter(|place| chosen[*place]).collect();
        if chosen.is_empty() && !kernels.is_empty() {
            return Err(Error::Usage {
                what: format!("`{}` excludes every kernel that was chosen", self.text()),
                help: Some(names(kernels)),
            });
        }
        Ok(chosen)
    }

    /// The place of the only kernel that is chosen.
    ///
    /// # Errors
    /// As for [`Selection::choose`], and when there are several.
    pub fn one(&self, kernels: &[Candidate<'_>], default: Option<usize>) -> Result<usize> {
        let chosen = self.choose(kernels, default)?;
        match chosen[..] {
            [one] => Ok(one),
            _ => {
                let several: Vec<Candidate<'_>> = chosen.iter().map(|place| kernels[*place]).collect();
                Err(Error::Usage {
                    what: format!("`{}` is {} kernels where one is needed", self.text(), chosen.len()),
                    help: Some(names(&several)),
                })
            }
        }
    }

    fn text(&self) -> String {
        let term = |term: &Term| format!("{}{}", if term.excludes { "!" } else { "" }, term.text);
        self.terms.iter().map(term).collect::<Vec<_>>().join(",")
    }
}

impl Term {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let unsigned = text.strip_prefix(['!', '-']);
        let excludes = unsigned.is_some();
        let text = unsigned.unwrap_or(text);
        let forms = form::split(text, ':').into_iter().map(Form::parse).collect::<Result<_>>()?;
        Ok(Self { text: text.to_owned(), excludes, forms })
    }

    /// The places of the kernels for which all forms hold.
    fn kernels(&self, kernels: &[Candidate<'_>], default: Option<usize>) -> Result<Vec<usize>> {
        let mut places: Vec<usize> = (0..kernels.len()).collect();
        for form in &self.forms {
            let meaning = form.meaning(kernels, default, self.excludes)?;
            places.retain(|place| meaning.holds(*place, &kernels[*place]));
        }
        Ok(places)
    }
}

impl Form {
    fn meaning<'a>(
        &'a self,
        kernels: &[Candidate<'_>],
        default: Option<usize>,
        excludes: bool,
    ) -> Result<Meaning<'a>> {
        Ok(match self {
            Self::Glob(glob) => Meaning::Glob(glob),
            Self::Versions(versions) => Meaning::Versions(*versions),
            Self::Key(key, value) => match key {
                Key::Arch => match Arch::of(value) {
                    Some(arch) => Meaning::Arch(arch),
                    None => return Err(unknown("architecture", value, &Arch::ALL.map(Arch::name))),
                },
                Key::Flavour => Meaning::Flavour(value),
                Key::Distribution => Meaning::Distribution(value),
                Key::Group => group_of(value.parse()?, kernels, default, excludes),
            },
            Self::Word(word) => match meaning(word, kernels, Some((default, excludes)))? {
                Some(meaning) => meaning,
                None => of_meta(word, kernels).ok_or_else(|| no_word(word, kernels))?,
            },
        })
    }
}

/// What a word means, where the names of the kernels tell. Without `groups` a group is empty.
fn meaning<'a>(
    word: &'a str,
    kernels: &[Candidate<'_>],
    groups: Option<(Option<usize>, bool)>,
) -> Result<Option<Meaning<'a>>> {
    let by_name: Vec<usize> = places(kernels, |it| it.kernel.to_string() == word);
    if !by_name.is_empty() {
        return Ok(Some(Meaning::Places(by_name)));
    }
    if let Some(title) = Title::of(word) {
        return Ok(Some(match groups {
            Some((default, excludes)) => group_of(title, kernels, default, excludes),
            None => Meaning::Places(Vec::new()),
        }));
    }
    if let Some(arch) = Arch::of(word) {
        return Ok(Some(Meaning::Arch(arch)));
    }
    if let Some(versions) = Versions::starting_with(word) {
        return Ok(Some(Meaning::Versions(versions)));
    }
    if kernels.iter().any(|it| is_flavour(word, &it.kernel.flavour)) {
        return Ok(Some(Meaning::Flavour(word)));
    }
    let by_start = places(kernels, |it| it.kernel.to_string().starts_with(word));
    match by_start.len() {
        0 => Ok(None),
        1 => Ok(Some(Meaning::Places(by_start))),
        several => {
            let found: Vec<Candidate<'_>> = by_start.into_iter().map(|place| kernels[place]).collect();
            Err(Error::Usage {
                what: format!("`{word}` is how the names of {several} kernels start"),
                help: Some(format!("write `{word}*` for all of them; {}", names(&found))),
            })
        }
    }
}

/// What a word means by what the kernels say of themselves.
fn of_meta<'a>(word: &'a str, kernels: &[Candidate<'_>]) -> Option<Meaning<'a>> {
    let is_distribution =
        |it: &Candidate<'_>| it.distribution.is_some_and(|it| it.eq_ignore_ascii_case(word));
    if kernels.iter().any(is_distribution) || Distribution::of(word).is_some() {
        Some(Meaning::Distribution(word))
    } else {
        kernels.iter().any(|it| it.uname == Some(word)).then_some(Meaning::Uname(word))
    }
}

/// The kernels of the groups of a title; with the one that they are compared with, unless they are to go.
fn group_of<'a>(
    title: Title,
    kernels: &[Candidate<'_>],
    default: Option<usize>,
    excludes: bool,
) -> Meaning<'a> {
    let ids: Vec<&KernelId> = kernels.iter().map(|it| it.kernel).collect();
    let default = default.or_else(|| group::default_kernel(&ids));
    let groups = default.map(|default| group::every(&ids, default)).unwrap_or_default();
    let groups = groups.into_iter().filter(|group| group.title == title);
    let members = groups.flat_map(|group| group.members.into_iter().chain(group.base.filter(|_| !excludes)));
    Meaning::Places(members.map(|member| member.index).collect())
}

impl Meaning<'_> {
    fn holds(&self, place: usize, candidate: &Candidate<'_>) -> bool {
        let kernel = candidate.kernel;
        match self {
            Self::Glob(glob) => glob.is_match(kernel.to_string()),
            Self::Versions(versions) => versions.have(kernel.version),
            Self::Arch(arch) => kernel.arch == *arch,
            Self::Flavour(flavour) => is_flavour(flavour, &kernel.flavour),
            Self::Distribution(name) => {
                candidate.distribution.is_some_and(|it| it.eq_ignore_ascii_case(name))
            }
            Self::Uname(uname) => candidate.uname == Some(*uname),
            Self::Places(places) => places.contains(&place),
        }
    }
}

/// Whether a flavour is meant by a word: distributions write `generic-64k`, our names `generic_64k`.
fn is_flavour(word: &str, flavour: &str) -> bool {
    word.eq_ignore_ascii_case(flavour) || word.replace('-', "_").eq_ignore_ascii_case(flavour)
}

fn places(kernels: &[Candidate<'_>], is_one: impl Fn(&Candidate<'_>) -> bool) -> Vec<usize> {
    (0..kernels.len()).filter(|place| is_one(&kernels[*place])).collect()
}

/// How many names an error lists.
const MOST: usize = 8;

fn unknown(what: &str, word: &str, known: &[&str]) -> Error {
    Error::Usage {
        what: format!("unknown {what} `{word}`"),
        help: Some(format!("known are {}", known.join(", "))),
    }
}

/// A word that means nothing here.
fn no_word(word: &str, kernels: &[Candidate<'_>]) -> Error {
    let help = [
        parts(kernels),
        format!("groups are {}", Title::ALL.map(Title::word).join(", ")),
        format!("`*{word}*` chooses by a part of the name"),
    ];
    Error::Usage {
        what: format!("`{word}` is no kernel, version, architecture, flavour, distribution or group"),
        help: Some(help.join("\n")),
    }
}

/// A term that is understood and that no kernel is of.
fn nothing(text: &str, forms: &[Form], kernels: &[Candidate<'_>]) -> Error {
    let by_name = matches!(forms, [Form::Glob(_)]);
    Error::Usage {
        what: format!("no kernel matches `{text}`"),
        help: Some(if by_name { names(kernels) } else { parts(kernels) }),
    }
}

/// The names of some kernels.
fn names(kernels: &[Candidate<'_>]) -> String {
    let mut names: Vec<String> = kernels.iter().take(MOST).map(|it| it.kernel.to_string()).collect();
    if kernels.len() > MOST {
        names.push(format!("{} more", kernels.len() - MOST));
    }
    if names.is_empty() { "there are none".into() } else { format!("there are {}", names.join(", ")) }
}

/// What can be chosen by.
fn parts(kernels: &[Candidate<'_>]) -> String {
    let list = |part: &dyn Fn(&Candidate<'_>) -> Option<String>| {
        let mut found: Vec<String> = Vec::new();
        for part in kernels.iter().filter_map(part) {
            if !found.contains(&part) {
                found.push(part);
            }
        }
        found.join(", ")
    };
    let mut parts = vec![
        format!("versions are {}", list(&|it| Some(series(it.kernel)))),
        format!("architectures {}", list(&|it| Some(it.kernel.arch.to_string()))),
        format!("flavours {}", list(&|it| Some(it.kernel.flavour.clone()))),
    ];
    let distributions = list(&|it| it.distribution.map(str::to_owned));
    if !distributions.is_empty() {
        parts.push(format!("distributions {distributions}"));
    }
    if kernels.is_empty() { "there are no kernels".into() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests;
