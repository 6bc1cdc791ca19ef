//! The threads one kernel call may use: the caller's own thread, or a pool of the asked size.

use rayon::prelude::*;

use crate::errors::KernelError;

/// Most threads a caller may ask for; above it the request is surely a mistake.
pub const MAX_THREADS: usize = 1024;

/// Runs independent tasks; results come back in task order, so sums over them do not depend on
/// the number of threads.
pub struct Workers {
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// `threads` of at least 1. One thread starts no pool.
    pub fn new(threads: usize) -> Result<Self, KernelError> {
        if threads == 0 || threads > MAX_THREADS {
            return Err(KernelError::input(
                "bad_threads",
                format!("threads must be between 1 and {MAX_THREADS}, got {threads}"),
            ));
        }
        let pool = if threads == 1 {
            None
        } else {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(|e| KernelError::internal(format!("could not start threads: {e}")))?;
            Some(pool)
        };
        Ok(Self { pool })
    }

    /// Calls `f` with the number and the values of each chunk of `values`; the last may be shorter.
    pub fn each_chunk<T: Send>(
        &self,
        values: &mut [T],
        size: usize,
        f: impl Fn(usize, &mut [T]) + Sync + Send,
    ) {
        let size = size.max(1);
        match &self.pool {
            None => values
                .chunks_mut(size)
                .enumerate()
                .for_each(|(k, chunk)| f(k, chunk)),
            Some(pool) => pool.install(|| {
                values
                    .par_chunks_mut(size)
                    .enumerate()
                    .for_each(|(k, chunk)| f(k, chunk));
            }),
        }
    }

    /// Threads that tasks run on.
    pub fn count(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, rayon::ThreadPool::current_num_threads)
    }

    pub fn map<T: Send>(&self, tasks: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        match &self.pool {
            None => (0..tasks).map(f).collect(),
            Some(pool) => pool.install(|| (0..tasks).into_par_iter().map(f).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_task_order() {
        for threads in [1, 3] {
            let workers = Workers::new(threads).unwrap();
            assert_eq!(workers.map(5, |i| i * i), vec![0, 1, 4, 9, 16]);
        }
    }

    #[test]
    fn zero_threads_is_an_input_error() {
        assert_eq!(Workers::new(0).err().unwrap().code(), "bad_threads");
    }
}
