//! The threads that the prover works on.
//!
//! Calls that come at a time have threads of their own, so that none waits for another one's proof. A fork has
//! no threads of its parent: threads are used by the process that started them, and any other one starts its own.

use crate::Failure;
use parallel::Pool;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Threads of a call; 0 before anybody has said how many.
static THREADS: AtomicUsize = AtomicUsize::new(0);
/// Threads that nobody works on.
static IDLE: Mutex<Vec<Started>> = Mutex::new(Vec::new());
/// How provers are told their number of threads where nothing else is said.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Threads of a process.
struct Started {
    process: u32,
    threads: usize,
    pool: Pool,
}

/// Says on how many threads each call works from now on; by 0, on as many as the environment says, or else on
/// as many as there are cores that this process may use.
pub fn set(threads: usize) -> usize {
    let own = || std::env::var(VARIABLE).ok()?.parse().ok();
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match threads {
        0 => own().filter(|&own| own > 0).unwrap_or_else(cores),
        threads => threads,
    };
    THREADS.store(threads, Ordering::Relaxed);
    threads
}

/// The number that was set last.
pub fn get() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => set(0),
        threads => threads,
    }
}

/// Does work on threads of its own, or on the caller's where one is asked for.
pub fn run<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let threads = get();
    if threads == 1 {
        return work();
    }
    let started = match taken(threads) {
        Some(started) => started,
        None => Started {
            process: process::id(),
            threads,
            pool: Pool::new(threads).map_err(|error| Failure::new("THREADS", error))?,
        },
    };
    let done = started.pool.run(work);
    if let Some(mut idle) = idle() {
        idle.push(started);
    }
    done
}

/// Threads of this process that nobody works on.
fn taken(threads: usize) -> Option<Started> {
    let mut idle = idle()?;
    while let Some(started) = idle.pop() {
        if started.process != process::id() {
            // Its locks may be held by threads that are not here.
            std::mem::forget(started);
        } else if started.threads == threads {
            return Some(started);
        }
    }
    None
}

/// What is idle, but for when another thread looks at it or did so when this process was forked.
fn idle() -> Option<MutexGuard<'static, Vec<Started>>> {
    match IDLE.try_lock() {
        Ok(idle) => Some(idle),
        Err(TryLockError::Poisoned(idle)) => Some(idle.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
