//! An allocator that ends the process when it holds more than a gigabyte.
//!
//! libFuzzer looks at the resident memory once a second; this also sees what is gone by then, and memory that
//! was asked for because of a number in the input and never touched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The most that may be held at a time, in bytes.
const LIMIT: usize = 1 << 30;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static WATCHING: AtomicBool = AtomicBool::new(false);

/// From now on, more than the limit is a finding.
pub fn watch() {
    WATCHING.store(true, Relaxed);
}

fn take(size: usize) {
    let held = HELD.fetch_add(size, Relaxed) + size;
    if held > LIMIT && WATCHING.swap(false, Relaxed) {
        panic!("{held} bytes are held, the last {size} in one piece");
    }
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_sub(layout.size(), Relaxed);
        take(size);
        unsafe { System.realloc(memory, layout, size) }
    }
}
