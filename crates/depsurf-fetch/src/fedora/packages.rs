//! What the lists of a repository say: which list has the packages, and those of kernels in it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::checksum::Sha256;
use crate::index;

/// A package that a repository lists.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub arch: String,
    pub version: String,
    pub release: String,
    pub path: String,
    pub size: u64,
    pub sha256: Option<Sha256>,
    /// Seconds since 1970: which of two is newer, without the order of versions.
    pub built: u64,
    /// Who built it, as far as there are no special characters: `Fedora Project`, `SUSE LLC`.
    pub vendor: String,
}

impl Package {
    /// `6.11.4-301.fc41`.
    pub fn version(&self) -> String {
        format!("{}-{}", self.version, self.release)
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(attribute.unescape_value().ok()?.into_owned())
}

/// A path below the repository, which leads nowhere else.
fn below(path: String) -> Option<String> {
    (!path.split('/').any(|part| matches!(part, "" | "." | ".."))).then_some(path)
}

/// Path and checksum of the list of packages.
pub fn primary(repomd: &[u8]) -> Option<(String, Sha256)> {
    let mut reader = Reader::from_reader(repomd);
    let (mut path, mut sum, mut primary, mut text) = (None, None, false, false);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                b"data" => primary = attribute(&element, "type").as_deref() == Some("primary"),
                b"checksum" if primary => text = attribute(&element, "type").as_deref() == Some("sha256"),
                b"location" if primary => path = below(attribute(&element, "href")?),
                _ => {}
            },
            Event::Text(digits) if text => {
                sum = Sha256::parse(std::str::from_utf8(&digits).ok()?.trim());
                text = false;
            }
            Event::End(element) if element.local_name().as_ref() == b"data" && primary => {
                return Some((path?, sum?));
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// The kernel packages of a list.
pub fn read(list: Box<dyn std::io::BufRead>) -> Result<Vec<Package>, String> {
    /// More than this of a list is not read.
    const LARGEST: u64 = index::LARGEST;
    let mut reader = Reader::from_reader(std::io::BufReader::new(std::io::Read::take(list, LARGEST)));
    let (mut buffer, mut packages, mut package) = (Vec::new(), Vec::new(), Package::default());
    let mut field: &[u8] = b"";
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|error| error.to_string())? {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                b"package" => package = Package::default(),
                b"name" => field = b"name",
                b"vendor" => field = b"vendor",
                b"arch" => field = b"arch",
                b"checksum" if attribute(&element, "type").as_deref() == Some("sha256") => {
                    field = b"checksum"
                }
                b"version" => {
                    package.version = attribute(&element, "ver").unwrap_or_default();
                    package.release = attribute(&element, "rel").unwrap_or_default();
                }
                b"size" => package.size = number(&element, "package"),
                b"time" => package.built = number(&element, "build"),
                b"location" => package.path = attribute(&element, "href").and_then(below).unwrap_or_default(),
                _ => field = b"",
            },
            Event::Text(text) => {
                let text = std::str::from_utf8(&text).unwrap_or_default().trim().to_owned();
                match std::mem::take(&mut field) {
                    b"name" if package.name.is_empty() => package.name = text,
                    b"arch" => package.arch = text,
                    b"vendor" => package.vendor = text,
                    b"checksum" => package.sha256 = Sha256::parse(&text),
                    _ => {}
                }
            }
            Event::End(element) if element.local_name().as_ref() == b"package" => {
                let package = std::mem::take(&mut package);
                if package.name.starts_with("kernel") && !package.path.is_empty() && package.sha256.is_some()
                {
                    packages.push(package);
                }
            }
            Event::Eof => return Ok(packages),
            _ => {}
        }
    }
}

fn number(element: &BytesStart<'_>, name: &str) -> u64 {
    attribute(element, name).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_tell_kernel_packages() {
        let sum = Sha256::of(b"");
        let entry = |name: &str, path: &str| {
            format!(
                "<package type='rpm'><name>{name}</name><arch>x86_64</arch><version epoch='0' ver='6.11.4' rel='301.fc41'/>\
                 <checksum type='sha256' pkgid='YES'>{sum}</checksum><time file='1' build='7'/><size package='12'/>\
                 <location href='{path}'/><format><rpm:vendor>SUSE LLC &lt;x&gt;</rpm:vendor><rpm:entry name='kernel'/></format></package>"
            )
        };
        let text = format!(
            "<metadata>{}{}{}</metadata>",
            entry("bash", "a.rpm"),
            entry("kernel-debuginfo", "k/a.rpm"),
            entry("kernel-core", "../a")
        );
        let packages = read(Box::new(std::io::Cursor::new(text.into_bytes()))).unwrap();
        let [package] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!(
            (package.name.as_str(), package.version().as_str()),
            ("kernel-debuginfo", "6.11.4-301.fc41")
        );
        assert_eq!((package.size, package.built, package.path.as_str()), (12, 7, "k/a.rpm"));
        assert_eq!(package.vendor, "SUSE LLC");
    }

    #[test]
    fn the_list_is_named_with_its_checksum() {
        let sum = Sha256::of(b"x");
        let text = format!(
            "<repomd><data type='filelists'><checksum type='sha256'>{}</checksum><location href='f'/></data>\
             <data type='primary'><checksum type='sha256'>{sum}</checksum><open-checksum type='sha256'>00</open-checksum>\
             <location href='repodata/p.xml.zst'/></data></repomd>",
            Sha256::of(b"")
        );
        assert_eq!(primary(text.as_bytes()), Some(("repodata/p.xml.zst".into(), sum)));
        assert_eq!(primary(b"<repomd/>"), None);
        assert_eq!(primary(text.replace("repodata/", "../").as_bytes()), None);
    }
}
