//! How readers see a file that arrives: ranges of it that they wait for.

use std::ops::Range;
use std::sync::Arc;

use depsurf::source::{Arriving, Ranges};
use memmap2::Mmap;

use crate::download::{Download, Shared};

/// The bytes of a [`Download`], for a reader that keeps them.
pub struct Arrival {
    pub shared: Arc<Shared>,
    pub map: Arc<Mmap>,
}

impl Arriving for Arrival {
    fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Ranges for Arrival {
    fn ensure(&self, range: Range<u64>) -> depsurf::Result<()> {
        Ok(self.shared.wait_for(range)?)
    }

    fn expect(&self, ranges: &[Range<u64>]) {
        self.shared.expect(ranges);
    }
}

impl Ranges for Download {
    fn ensure(&self, range: Range<u64>) -> depsurf::Result<()> {
        Ok(self.shared.wait_for(range)?)
    }

    fn expect(&self, ranges: &[Range<u64>]) {
        self.shared.expect(ranges);
    }
}
