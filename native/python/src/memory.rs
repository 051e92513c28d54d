//! What the C library does with memory that is given back.
//!
//! A proof takes tens of megabytes in large pieces and gives them back at its end. Left to itself, glibc
//! returns them to the system each time, and the next proof pays for every page anew: one part in seven
//! of its time. Kept, they are there. This holds for the whole process, and only with glibc: other C
//! libraries are left as they are.
#![allow(unsafe_code)]

/// Bytes that are kept at most when they are given back: more than proofs take but those of the largest
/// models.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 128 << 20;
/// Pieces from this size on are taken from the system one by one, as a key's code is, and go back to it.
/// It is the largest size that glibc takes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ALONE: i32 = 32 << 20;

/// Tells the C library to keep what proofs give back.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call sets two numbers of the allocator, under its own lock.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_MMAP_THRESHOLD, ALONE);
    }
}

/// Gives all pages back to the system that hold nothing. Where a key is opened, hundreds of megabytes are left in
/// pieces that no proof needs again.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes the allocator's own locks, and changes nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
