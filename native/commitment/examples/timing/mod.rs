//! Processor time of this thread, which the examples that measure share.

/// Nanoseconds that this thread has run so far. The kernel brings the figure up to date where the
/// thread may give way, so that it is asked to first.
pub fn nanoseconds() -> f64 {
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
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
