//! Upstream versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Upstream version; a missing part is 0 (`4.4` is `4.4.0`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version {
    /// `6` in `6.12.107`.
    pub major: u32,
    /// `12` in `6.12.107`.
    pub minor: u32,
    /// `107` in `6.12.107`.
    pub patch: u32,
    /// `1` in `5.15.153.1`, as vendors count behind a stable update. Printed where it is not 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fourth: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Version {
    /// The version at the start of a text, of two to four numbers, and what follows it:
    /// `6.1.0` and `-50-cloud-amd64`. `None` where there is none.
    #[must_use]
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let (mut start, mut end) = (0, 0);
        for _ in 0..4 {
            let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                break;
            }
            end = start + digits;
            if text.as_bytes().get(end) != Some(&b'.') {
                break;
            }
            start = end + 1;
        }
        Some((text[..end].parse().ok()?, &text[end..]))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if self.fourth != 0 {
            write!(f, ".{}", self.fourth)?;
        }
        Ok(())
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::Usage {
            what: format!("`{text}` is not a kernel version"),
            help: Some("write it as 6.12 or 6.12.107".into()),
        };
        let mut parts = [0u32; 4];
        let mut count = 0;
        for part in text.split('.') {
            let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if count == parts.len() || !is_number {
                return Err(bad());
            }
            parts[count] = part.parse().map_err(|_| bad())?;
            count += 1;
        }
        if count < 2 {
            return Err(bad());
        }
        let [major, minor, patch, fourth] = parts;
        Ok(Self { major, minor, patch, fourth })
    }
}
