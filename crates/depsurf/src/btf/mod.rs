//! The BPF Type Format: `.BTF` bytes to types and back (`Documentation/bpf/btf.rst`).
//!
//! [`read()`] and [`read_split`] turn a blob into the types of a surface with the blob's own ids; [`write()`] is
//! the way back, and [`export()`] makes BTF of any surface. Both endians, all kinds up to `ENUM64`, split BTF of modules. What is *not* here: finding the
//! section in an image, `.BTF.ext`, and CO-RE, which belong to their own rooms.

mod export;
mod format;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use self::export::export;
pub use self::read::{Base, length, read, read_split, string_section};
pub use self::write::write;
