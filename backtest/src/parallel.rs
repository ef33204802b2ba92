use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// Does `count` pieces of work on so many threads; answers what came of each, in order.
/// `progress` hears how many are done.
///
/// # Errors
/// That of the first piece, by its number, that failed; others may not be done then.
pub(crate) fn parallel<T: Send, E: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
    progress: impl Fn(usize) + Sync,
) -> Result<Vec<T>, E> {
    let (next, done, failed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let result = work(number);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            results.push((number, result));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
        results
    };
    let mut results = thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(worker)).collect();
        let mut results = worker();
        for worker in workers {
            match worker.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
