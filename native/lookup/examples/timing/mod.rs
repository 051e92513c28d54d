//! Processor time of this process, which the examples that measure share, and that of the clock.

use std::sync::OnceLock;
use std::time::Instant;

/// Nanoseconds that all threads have run so far. The kernel brings the figure up to date where a thread may
/// give way, so that this one is asked to first; those that wait for work have given way.
pub fn nanoseconds() -> f64 {
    std::thread::yield_now();
    let of_thread = |thread: std::fs::DirEntry| -> f64 {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse().unwrap()
    };
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads.map(|thread| of_thread(thread.unwrap())).sum()
}

/// Nanoseconds by the clock.
#[allow(dead_code)]
pub fn clock() -> f64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as f64
}

/// Runs several times and notes the mean.
#[allow(dead_code)]
pub fn timed<T>(times: &mut Vec<f64>, repeats: usize, mut run: impl FnMut() -> T) -> T {
    let start = nanoseconds();
    let mut result = run();
    for _ in 1..repeats {
        result = run();
    }
    times.push((nanoseconds() - start) / repeats as f64);
    result
}

/// The median; not a number where there is none.
#[allow(dead_code)]
pub fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
