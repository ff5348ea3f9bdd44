//! Memory that is wiped when it is given back.
//!
//! What this code knows to be secret wipes itself. But a value that is moved leaves its bytes behind, and the HTTP
//! library's buffers hold whole messages: a new token's answer has the seed three times. So whatever is freed
//! is wiped, whoever had it. The libraries in C have their own memory; no secret gets there.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, with everything wiped that comes back.
#[derive(Debug, Default)]
pub struct Wiping;

/// Writes zeros that the compiler does not leave out because nobody reads them.
///
/// # Safety
///
/// `size` bytes at `place` can be written, and nobody else uses them.
unsafe fn wipe(place: *mut u8, size: usize) {
    // SAFETY: as this function wants it.
    unsafe { place.write_bytes(0, size) };
    // SAFETY: there is no instruction. What it might read has to have been written before it.
    unsafe { core::arch::asm!("/* {0} */", in(reg) place, options(nostack, preserves_flags)) };
}

// SAFETY: every call goes to the system's allocator, with a layout that it has got before; memory is written
// only between the caller's last use of it and its return.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back what it was given with this layout, and does not use it any more.
        unsafe {
            wipe(place, layout.size());
            System.dealloc(place, layout);
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: alignment and size are the caller's, who answers for them. The system's own would copy what is there
        // to another place and leave it behind.
        unsafe {
            let new = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(place, layout.size().min(size));
                self.dealloc(place, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays_when_memory_moves_and_goes_when_it_is_given_back() {
        for size in [1_usize, 20, 4096, 100_000] {
            let layout = Layout::array::<u8>(size).unwrap();
            // SAFETY: the layout is not empty, and memory is used as far as it goes and until it is given back.
            unsafe {
                let first = Wiping.alloc(layout);
                first.write_bytes(0x5a, size);
                let moved = Wiping.realloc(first, layout, 2 * size);
                assert!(std::slice::from_raw_parts(moved, size).iter().all(|byte| *byte == 0x5a));
                // Before it is given back, since nobody may look at it then.
                wipe(moved, size);
                assert!(std::slice::from_raw_parts(moved, size).iter().all(|byte| *byte == 0));
                Wiping.dealloc(moved, Layout::array::<u8>(2 * size).unwrap());
                let zeroed = Wiping.alloc_zeroed(layout);
                assert!(std::slice::from_raw_parts(zeroed, size).iter().all(|byte| *byte == 0));
                Wiping.dealloc(zeroed, layout);
            }
        }
    }
}
