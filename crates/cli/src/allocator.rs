//! How the C library's allocator treats the buffers of pictures.

use std::hint::black_box;

/// Half of the largest size that glibc lets its threshold grow to.
const BLOCK: usize = 16 << 20;

/// Makes glibc keep freed picture buffers for the next picture instead of returning them to the system.
///
/// Freeing a block that was mapped by itself raises the size from which glibc maps blocks by themselves to that block's, and
/// the free memory that it keeps to twice as much (mallopt(3), `M_MMAP_THRESHOLD`). Without it, the sample pictures took 550
/// page faults each instead of 90, and 1 ms more system time each (`shenfen read --threads 1` on an AMD EPYC, Zen 5). The block
/// is never touched, so it takes no memory. Other allocators are not affected.
pub(crate) fn keep_picture_buffers() {
    drop(black_box(Vec::<u8>::with_capacity(BLOCK)));
}
