//! Work on several threads, where there is enough of it.
//!
//! ```text
//! pool.run(work):  what work calls here is done by the pool's threads;  outside of any pool by one
//! ```
//!
//! Whoever splits work says what it takes, in nanoseconds of one thread. A thread that sleeps is awake after some
//! ten microseconds, and a proof of a small model takes milliseconds: so nothing is split into parts of less
//! than [`LEAST`]. Results are in the order of the parts, and sums of field elements are exact: what is computed
//! does not depend on the number of threads.
//!
//! Nothing here touches rayon's pool for the whole process, which would not survive a fork.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `tests` | tests |
//!
//! # Soundness
//!
//! Nothing is checked here, and nothing has to be but by the caller that combines results of parts: that MUST give
//! the same whatever the parts are, as exact sums do. A pool MUST be used by the process that made it: in a fork,
//! work waits for threads that are not there.
#![forbid(unsafe_code)]

use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefMutIterator, ParallelIterator,
};
use std::ops::Range;

/// Nanoseconds that a part takes at least.
pub const LEAST: usize = 25_000;
/// Parts for each thread at most, so that one that was kept waiting leaves work to others.
const PARTS: usize = 4;
/// Bytes of a thread's stack: twice what threads have by default.
const STACK: usize = 4 << 20;

/// The system gives no threads.
#[derive(Debug, thiserror::Error)]
#[error("no threads could be started: {0}")]
pub struct NoThreads(String);

/// Threads that work together.
pub struct Pool(rayon::ThreadPool);

fn builder(threads: usize) -> rayon::ThreadPoolBuilder {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .stack_size(STACK)
        .thread_name(|number| format!("inferproof-prover-{number}"))
}

impl Pool {
    /// So many threads.
    pub fn new(threads: usize) -> Result<Self, NoThreads> {
        let pool = builder(threads).build();
        pool.map(Self).map_err(|error| NoThreads(error.to_string()))
    }

    /// So many threads that split whatever can be split, for tests on small numbers.
    #[cfg(any(test, feature = "audit"))]
    pub fn eager(threads: usize) -> Result<Self, NoThreads> {
        let pool = builder(threads).start_handler(|_| eager::BEGINS.set(true));
        let pool = pool.build();
        pool.map(Self).map_err(|error| NoThreads(error.to_string()))
    }

    /// Does work on these threads, and waits for it. A panic of any is one of the caller's.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.install(work)
    }
}

/// Threads that there are for what is called here.
pub fn threads() -> usize {
    // Outside of a pool the number would be that of the pool for the whole process, which it would start.
    match rayon::current_thread_index() {
        Some(_) => rayon::current_num_threads(),
        None => 1,
    }
}

/// What a part takes at least on this thread.
#[cfg(not(any(test, feature = "audit")))]
const fn least() -> usize {
    LEAST
}

#[cfg(any(test, feature = "audit"))]
fn least() -> usize {
    if eager::BEGINS.get() { 1 } else { LEAST }
}

#[cfg(any(test, feature = "audit"))]
mod eager {
    use std::cell::Cell;

    thread_local! {
        /// Whether this thread splits whatever can be split.
        pub(super) static BEGINS: Cell<bool> = const { Cell::new(false) };
    }
}

/// How many parts so many pieces are done in, each of which takes so many nanoseconds.
fn parts(pieces: usize, cost: usize) -> usize {
    let threads = threads();
    if threads == 1 {
        return 1;
    }
    let worth = pieces.saturating_mul(cost) / least();
    worth.min(PARTS * threads).min(pieces).max(1)
}

/// Pieces of each part, a power of two, where so many pieces that take so many nanoseconds each are cut into equal
/// parts: at least as many as are done at a time, and at most twice as many.
pub fn part(pieces: usize, cost: usize) -> usize {
    match parts(pieces, cost) {
        1 => pieces.next_power_of_two(),
        parts => 1 << (pieces / parts).ilog2(),
    }
}

/// Part `part` of `parts` of nearly the same length of 0 … `pieces`.
fn range(pieces: usize, parts: usize, part: usize) -> Range<usize> {
    let end = |part: usize| pieces * part / parts;
    end(part)..end(part + 1)
}

/// Both results. The first one takes so many nanoseconds, and the second one no less.
pub fn join<A: Send, B: Send>(
    cost: usize,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    if cost < least() || threads() == 1 {
        return (a(), b());
    }
    rayon::join(a, b)
}

/// The results for parts of 0 … `pieces`, in order, where each piece takes so many nanoseconds.
pub fn ranges<T: Send>(
    pieces: usize,
    cost: usize,
    of: impl Fn(Range<usize>) -> T + Sync + Send,
) -> Vec<T> {
    let parts = parts(pieces, cost);
    if parts == 1 {
        return vec![of(0..pieces)];
    }
    let all = (0..parts).into_par_iter().with_max_len(1);
    all.map(|part| of(range(pieces, parts, part))).collect()
}

/// What is made of parts of 0 … `pieces`, one after another, where each piece takes so many nanoseconds.
pub fn joined<T: Send>(
    pieces: usize,
    cost: usize,
    of: impl Fn(Range<usize>) -> Vec<T> + Sync + Send,
) -> Vec<T> {
    let mut parts = ranges(pieces, cost, of).into_iter();
    let mut all = parts.next().unwrap_or_default();
    for part in parts {
        all.extend(part);
    }
    all
}

/// The results for all numbers below `count`, in order, each of which takes so many nanoseconds.
pub fn map<T: Send>(count: usize, cost: usize, of: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    joined(count, cost, |range| range.map(&of).collect())
}

/// The results for all items, in order, each of which takes so many nanoseconds.
pub fn each<T: Send, U: Send>(
    items: &mut [T],
    cost: usize,
    of: impl Fn(usize, &mut T) -> U + Sync + Send,
) -> Vec<U> {
    if parts(items.len(), cost) == 1 {
        let items = items.iter_mut().enumerate();
        return items.map(|(index, item)| of(index, item)).collect();
    }
    let items = items.par_iter_mut().with_max_len(1).enumerate();
    items.map(|(index, item)| of(index, item)).collect()
}

/// Hands out `data` in pieces of `size`, of which the last one may be shorter, as parts: the number of its first
/// piece and the part. Each piece takes so many nanoseconds.
pub fn fill<T: Send>(
    data: &mut [T],
    size: usize,
    cost: usize,
    of: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let pieces = data.len().div_ceil(size.max(1));
    let parts = parts(pieces, cost);
    if parts == 1 {
        of(0, data);
        return;
    }
    let mut left = data;
    let mut all = Vec::with_capacity(parts);
    for part in 0..parts {
        let range = range(pieces, parts, part);
        let length = left.len().min(range.len() * size);
        let (own, rest) = left.split_at_mut(length);
        all.push((range.start, own));
        left = rest;
    }
    let all = all.into_par_iter().with_max_len(1);
    all.for_each(|(first, own)| of(first, own));
}

#[cfg(test)]
mod tests;
