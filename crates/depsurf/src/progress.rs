//! How long work reports how far it is, without printing anything itself.

/// Receives the steps of a long operation. Called from several threads.
pub trait Progress: Sync {
    /// A new step begins; `total` is its size in bytes or items where that is known beforehand.
    fn step(&self, name: &str, total: Option<u64>);
    /// `amount` more bytes or items of the current step are done.
    fn advance(&self, amount: u64);
}

/// Drops all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _name: &str, _total: Option<u64>) {}
    fn advance(&self, _amount: u64) {}
}
