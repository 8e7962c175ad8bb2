//! RPM packages, signed or not, and repositories of them as files of a [`crate::server::Server`].

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::key::Key;
use crate::mirror::sum;
use crate::package::cpio;
use crate::server::File;

/// Tags of headers ("RPM Tags" in RPM's manual), as far as somebody reads them.
pub mod tag {
    /// Signature over the package's header, DSA or EdDSA, binary.
    pub const DSA_HEADER: u32 = 267;
    /// The same, RSA.
    pub const RSA_HEADER: u32 = 268;
    /// The same, any number of them, in base64.
    pub const OPENPGP: u32 = 278;
    /// String.
    pub const NAME: u32 = 1000;
    /// String.
    pub const VERSION: u32 = 1001;
    /// String.
    pub const RELEASE: u32 = 1002;
    /// String.
    pub const ARCHITECTURE: u32 = 1022;
    /// Of the compressed payload, in hex; strings, of which there is one.
    pub const PAYLOAD_DIGEST: u32 = 5092;
    /// Number: 8 is SHA-256.
    pub const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
}

/// A value in a header.
#[derive(Debug, Clone)]
pub enum Value {
    /// A number of 32 bits.
    Number(u32),
    /// A string.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Strings.
    Texts(Vec<String>),
}

/// A package.
#[derive(Debug, Clone, Default)]
pub struct Rpm {
    /// The signature header's values, by tag.
    pub signature: Vec<(u32, Value)>,
    /// The package's header's values, by tag.
    pub fields: Vec<(u32, Value)>,
    /// The compressed cpio archive.
    pub payload: Vec<u8>,
}

impl Rpm {
    /// A package of these files for `x86_64`, with the SHA-256 of its payload. Its payload is compressed by `pack`.
    pub fn new(
        name: &str,
        version: &str,
        release: &str,
        files: &[(&str, &[u8])],
        pack: fn(&[u8]) -> Vec<u8>,
    ) -> Self {
        let payload = pack(&cpio(files));
        let text = |text: &str| Value::Text(text.into());
        let fields = vec![
            (tag::NAME, text(name)),
            (tag::VERSION, text(version)),
            (tag::RELEASE, text(release)),
            (tag::ARCHITECTURE, text("x86_64")),
            (tag::PAYLOAD_DIGEST, Value::Texts(vec![sum(&payload)])),
            (tag::PAYLOAD_DIGEST_ALGORITHM, Value::Number(8)),
        ];
        Rpm { signature: Vec::new(), fields, payload }
    }

    /// The same package with a signature.
    pub fn signed(mut self, key: &Key) -> Self {
        let signature = key.sign(&self.header());
        self.signature.push((tag::DSA_HEADER, Value::Binary(signature)));
        self
    }

    /// The bytes of the package's header, which signatures are over.
    pub fn header(&self) -> Vec<u8> {
        header(&self.fields)
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut package = vec![0; 96];
        package[..8].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0]);
        package.extend(header(&self.signature));
        package.resize(package.len().next_multiple_of(8), 0);
        package.extend(self.header());
        package.extend_from_slice(&self.payload);
        package
    }

    fn text(&self, wanted: u32) -> &str {
        let text = self.fields.iter().find_map(|(tag, value)| match value {
            Value::Text(text) if *tag == wanted => Some(text),
            _ => None,
        });
        text.unwrap_or_else(|| panic!("the package has no tag {wanted}"))
    }

    /// Path below its repository.
    pub fn path(&self) -> String {
        let [name, version, release] = [tag::NAME, tag::VERSION, tag::RELEASE].map(|tag| self.text(tag));
        format!("Packages/k/{name}-{version}-{release}.x86_64.rpm")
    }
}

/// A header: magic number, number of entries, size of the data, entries of tag, type, offset and count, data.
fn header(fields: &[(u32, Value)]) -> Vec<u8> {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (tag, value) in fields {
        let (kind, count) = match value {
            Value::Number(_) => (4, 1),
            Value::Text(_) => (6, 1),
            Value::Binary(bytes) => (7, bytes.len()),
            Value::Texts(texts) => (8, texts.len()),
        };
        if kind == 4 {
            data.resize(data.len().next_multiple_of(4), 0);
        }
        for number in [*tag, kind, data.len() as u32, count as u32] {
            entries.extend(number.to_be_bytes());
        }
        match value {
            Value::Number(number) => data.extend(number.to_be_bytes()),
            Value::Text(text) => data.extend(text.bytes().chain([0])),
            Value::Binary(bytes) => data.extend(bytes),
            Value::Texts(texts) => texts.iter().for_each(|text| data.extend(text.bytes().chain([0]))),
        }
    }
    let mut header = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    header.extend((fields.len() as u32).to_be_bytes());
    header.extend((data.len() as u32).to_be_bytes());
    header.extend(entries);
    header.extend(data);
    header
}

/// All files of a repository below `base`, as `/41/os`, without a signature. Packages are built in the order of the list.
pub fn repository(base: &str, packages: &[Rpm]) -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    let mut put = |path: &str, bytes: Vec<u8>| files.insert(format!("{base}/{path}"), File::new(bytes));
    let mut primary = String::from("<metadata>");
    for (built, package) in packages.iter().enumerate() {
        let (bytes, path) = (package.bytes(), package.path());
        let [name, version, release] = [tag::NAME, tag::VERSION, tag::RELEASE].map(|tag| package.text(tag));
        write!(
            primary,
            "<package type='rpm'><name>{name}</name><arch>x86_64</arch><version epoch='0' ver='{version}' rel='{release}'/>\
             <checksum type='sha256' pkgid='YES'>{}</checksum><time file='1' build='{built}'/><size package='{}'/>\
             <location href='{path}'/></package>",
            sum(&bytes),
            bytes.len()
        )
        .expect("strings take all");
        put(&path, bytes);
    }
    primary += "</metadata>";
    let repomd = format!(
        "<repomd><data type='primary'><checksum type='sha256'>{}</checksum><location href='repodata/primary.xml'/></data></repomd>",
        sum(primary.as_bytes())
    );
    put("repodata/primary.xml", primary.into_bytes());
    put("repodata/repomd.xml", repomd.into_bytes());
    files
}
