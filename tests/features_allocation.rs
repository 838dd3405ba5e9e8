//! Once planned, the extractor allocates nothing, however long the stream.
#![cfg(not(target_arch = "wasm32"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use undertone::features::{Extractor, FeatureConfig, FeatureMatrix};

struct Counting;

thread_local! {
    static N_ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter left, and is not the one meant.
    let _ = N_ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_frame_allocates() {
    let samples: Vec<f32> = (0..80_000).map(|i| (0.05 * i as f32).sin()).collect();
    let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
    let mut rows = FeatureMatrix::new(extractor.n_features());
    // Room for the rows themselves, which the caller keeps.
    rows.reserve(1_100);
    let before = N_ALLOCATIONS.get();
    for _ in 0..2 {
        for piece in samples.chunks(777) {
            extractor.push(piece, &mut rows).expect("finite");
        }
        // However much comes at once.
        extractor.finish(&mut rows);
    }
    let n = N_ALLOCATIONS.get() - before;
    assert_eq!(rows.n_frames(), 1_002);
    assert_eq!(n, 0, "allocations");
    // The counter counts.
    drop(std::hint::black_box(vec![0u8; 10]));
    assert_eq!(N_ALLOCATIONS.get() - before, 1);
}
