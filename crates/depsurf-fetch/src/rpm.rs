//! The signature that an RPM package has itself.
//!
//! It is over the package's header, which is in front and has the SHA-256 of everything behind it. So it can be checked when the
//! first bytes have arrived; that the rest is what the header says shows when all of it is there.

use depsurf::source::{Ranges, Rpm};

use crate::checksum::Sha256;
use crate::error::{Error, Result};
use crate::place::Remote;
use crate::signature;

/// What came of looking for a package's own signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Files of this kind have none, or it shall not be looked at.
    Unchecked,
    /// It is not signed.
    Missing,
    /// The signature of its header is good, and does not vouch for the rest: packages from before RPM 4.14 have no SHA-256 of it
    /// there.
    HeaderAlone,
    /// The signature of its header is good, and the header has the SHA-256 of the rest.
    Good(Sha256),
}

/// Looks for the signature of a package, and checks it.
///
/// # Errors
/// When it is bad or by nobody who is known, the headers cannot be read or had, or nobody vouches for the package and the user wants
/// somebody to.
pub fn check(bytes: &[u8], ranges: &dyn Ranges, remote: &Remote) -> Result<Own> {
    let Some(keys) = &remote.signatures.keys else { return Ok(Own::Unchecked) };
    let bad = |why: String| Error::Signature { url: remote.url.clone(), why };
    let damaged = |error: depsurf::Error| bad(format!("its headers cannot be read: {error}"));
    let rpm = Rpm::fetched(bytes, ranges).map_err(damaged)?;
    let signatures = rpm.signatures().map_err(damaged)?;
    let wanted = keys.named && !remote.signatures.index;
    if signatures.is_empty() {
        let why = "it is not signed, and neither is its index";
        return if wanted { Err(bad(why.into())) } else { Ok(Own::Missing) };
    }
    signature::detached(&remote.url, rpm.header(), &signatures, keys)?;
    // Else any package by the same people would do.
    let (name, version) = (&rpm.package().name, &rpm.package().version);
    if (name, version) != (&remote.name, &remote.version) {
        let expected = format!("{} {}", remote.name, remote.version);
        let why = format!("it is signed as {name} {version}, not as {expected}");
        return Err(Error::Forged { url: remote.url.clone(), why });
    }
    match rpm.payload_sha256().and_then(|sum| Sha256::parse(&sum)) {
        Some(promised) => Ok(Own::Good(promised)),
        None if wanted => {
            Err(bad("what is signed of it does not tell the SHA-256 of its contents, as RPM does since 4.14"
                .into()))
        }
        None => Ok(Own::HeaderAlone),
    }
}

/// Whether what is behind the headers of a package, which is there as a whole, is what they say.
///
/// # Errors
/// When it is something else.
pub fn check_contents(bytes: &[u8], ranges: &dyn Ranges, remote: &Remote, promised: Sha256) -> Result<()> {
    let bad = |why: String| Error::Forged { url: remote.url.clone(), why };
    let payload = Rpm::fetched(bytes, ranges).and_then(|rpm| rpm.payload());
    let found = Sha256::of(payload.map_err(|error| bad(error.to_string()))?);
    if found == promised {
        return Ok(());
    }
    Err(bad(format!("the SHA-256 of its contents is {found}, and {promised} is signed")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use testkit::key::Key;
    use testkit::rpm::{Rpm, Value, tag};

    use super::*;
    use crate::keyring::{Keys, Trust};
    use crate::place::Signatures;

    /// Everything is there.
    struct Here;

    impl Ranges for Here {
        fn ensure(&self, _: std::ops::Range<u64>) -> depsurf::Result<()> {
            Ok(())
        }

        fn expect(&self, _: &[std::ops::Range<u64>]) {}
    }

    fn package() -> Rpm {
        Rpm::new("kernel-core", "6.1", "1.fc40", &[("./a", b"contents")], <[u8]>::to_vec)
    }

    /// As the index tells it, where keys are named or those of the system.
    fn remote(key: &Key, named: bool, index: bool) -> Remote {
        let Keys::There(mut keys) = Trust::Keyring(key.ring.clone()).keys(&[]).unwrap() else {
            panic!("gpgv is there")
        };
        keys.named = named;
        Remote {
            url: "http://x/a.rpm".into(),
            file: "a.rpm".into(),
            name: "kernel-core".into(),
            version: "6.1-1.fc40".into(),
            size: 1,
            sha256: None,
            signatures: Signatures { index, keys: Some(Arc::new(keys)) },
        }
    }

    fn check(package: &Rpm, remote: &Remote) -> Result<Own, String> {
        let bytes = package.bytes();
        super::check(&bytes, &Here, remote).map_err(|error| {
            let way_out = if matches!(error, Error::Forged { .. }) { "--mirror" } else { "--unsigned" };
            assert!(error.help().unwrap().contains(way_out), "{error}");
            error.to_string()
        })
    }

    #[test]
    fn headers_have_to_be_signed_by_who_is_known() {
        let Some(key) = Key::new("packages@example.org") else { return };
        let Some(other) = Key::new("somebody@example.org") else { return };
        let remote = remote(&key, true, false);
        let good = package().signed(&key);
        let Ok(Own::Good(sum)) = check(&good, &remote) else { panic!("{:?}", check(&good, &remote)) };
        assert!(check_contents(&good.bytes(), &Here, &remote, sum).is_ok());
        // By old and new keys at once, and in the way of newer packages.
        let both = package().signed(&other);
        let armor = String::from_utf8(key.sign_armored(&both.header())).unwrap();
        let text: String =
            armor.lines().filter(|line| !line.contains("-----") && !line.starts_with('=')).collect();
        let mut both = both;
        both.signature.push((tag::OPENPGP, Value::Texts(vec![text])));
        assert_eq!(check(&both, &remote), Ok(Own::Good(sum)));

        let told = |package: &Rpm, what: &str| {
            let error = check(package, &remote).unwrap_err();
            assert!(
                error.starts_with("`http://x/a.rpm` cannot be trusted: ") && error.contains(what),
                "{error}"
            );
        };
        let changed = |change: &dyn Fn(&mut Rpm)| {
            let mut package = good.clone();
            change(&mut package);
            package
        };
        told(&changed(&|package| package.fields.push((1, Value::Number(1)))), "the signature is bad");
        told(&package().signed(&other), "a key that is not in the keyring");
        told(&changed(&|package| package.signature[0].1 = Value::Binary(b"x".to_vec())), "it is not signed");
        let mut many = good.clone();
        many.signature = vec![(tag::OPENPGP, Value::Texts((0..17).map(|n| format!("AA{n:02}")).collect()))];
        told(&many, "17 signatures exceeds the limit of 16");
        many.signature = vec![(tag::OPENPGP, Value::Texts(vec!["?".into()]))];
        told(&many, "no base64");
        told(&package(), "it is not signed, and neither is its index");
        // Signed, but something else.
        let mut old = package();
        old.fields[1].1 = Value::Text("6.0".into());
        told(&old.signed(&key), "it is signed as kernel-core 6.0-1.fc40, not as kernel-core 6.1-1.fc40");
        let error = super::check(&good.bytes()[..150], &Here, &remote).unwrap_err().to_string();
        assert!(error.contains("its headers cannot be read"), "{error}");

        // The header is as it was; its checksum of the rest is what tells.
        let changed = changed(&|package| *package.payload.last_mut().unwrap() ^= 1);
        assert_eq!(check(&changed, &remote), Ok(Own::Good(sum)));
        let error = check_contents(&changed.bytes(), &Here, &remote, sum).unwrap_err().to_string();
        assert!(error.contains("the SHA-256 of its contents is"), "{error}");
    }

    #[test]
    fn signatures_have_to_be_there_where_they_are_wanted() {
        let Some(key) = Key::new("packages@example.org") else { return };
        let mut old = package();
        old.fields.retain(|(tag, _)| *tag != tag::PAYLOAD_DIGEST);
        let old = old.signed(&key);
        for (named, index) in [(false, false), (false, true), (true, true)] {
            let remote = remote(&key, named, index);
            assert_eq!(check(&package(), &remote), Ok(Own::Missing));
            assert_eq!(check(&old, &remote), Ok(Own::HeaderAlone));
        }
        let error = check(&old, &remote(&key, true, false)).unwrap_err();
        assert!(error.contains("does not tell the SHA-256 of its contents"), "{error}");
        let nothing = Remote { signatures: Signatures::default(), ..remote(&key, true, true) };
        assert_eq!(check(&package(), &nothing), Ok(Own::Unchecked));
    }

    #[test]
    fn keys_are_found_behind_others_that_nobody_knows() {
        let Some(key) = Key::new("packages@example.org") else { return };
        let place = tempfile::tempdir().unwrap();
        // Version 6, which GnuPG does not know (RFC 9580 §5.5.2.3).
        let new = [&[0xc6, 42, 6, 0, 0, 0, 0, 27, 0, 0, 0, 32][..], &[0; 32]].concat();
        fs::write(place.path().join("a"), new).unwrap();
        fs::write(place.path().join("b"), key.armored()).unwrap();
        let Keys::There(keys) = Trust::System.keys(&[place.path().to_owned()]).unwrap() else {
            panic!("there are some")
        };
        assert_eq!(keys.rings.len(), 2);
        let signatures = Signatures { index: false, keys: Some(Arc::new(keys)) };
        let remote = Remote { signatures, ..remote(&key, true, false) };
        assert!(matches!(check(&package().signed(&key), &remote), Ok(Own::Good(_))));
    }
}
