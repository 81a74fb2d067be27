//! Unwind tables in the making: worker threads that fetch them from the cache or compile them.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::cache::Cache;
use crate::image::Image;

/// A module whose table is wanted.
struct Job {
    module: u32,
    /// Under which the cache keeps it.
    key: Option<Vec<u8>>,
    image: Image,
}

/// What became of it.
pub struct Finished {
    pub module: u32,
    /// `None`: the module has no information to make a table from.
    pub table: Option<Vec<u8>>,
}

/// The workers. Dropping this waits for them.
pub struct Tables {
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
    finished: Receiver<Finished>,
    ready: Arc<EventFd>,
    /// Jobs that are not finished.
    pub pending: usize,
}

impl Tables {
    /// Starts the workers. `cache`: the folder for tables; `None` is to do without.
    pub fn start(cache: Option<&Path>) -> nix::Result<Self> {
        let cache = Arc::new(cache.and_then(Cache::open));
        let ready = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (jobs, to_do) = mpsc::channel();
        let (done, finished) = mpsc::channel();
        let to_do = Arc::new(Mutex::new(to_do));
        let worker = |_| {
            let worker = Worker {
                cache: cache.clone(),
                to_do: to_do.clone(),
                done: done.clone(),
                ready: ready.clone(),
            };
            thread::spawn(move || worker.run())
        };
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..cpus).map(worker).collect();
        Ok(Self { jobs: Some(jobs), workers, finished, ready, pending: 0 })
    }

    /// Asks for the table of a module, which the cache keeps under `key`.
    pub fn ask_for(&mut self, module: u32, key: Option<Vec<u8>>, image: Image) {
        let job = Job { module, key, image };
        if self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()) {
            self.pending += 1;
        }
    }

    /// What polls as readable when a table is ready.
    pub fn ready(&self) -> impl AsFd + '_ {
        &*self.ready
    }

    /// Waits until a table is ready. False: none was in time.
    pub fn wait(&self, patience: Duration) -> bool {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(self.ready.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, timeout).is_ok_and(|ready| ready > 0)
    }

    /// The next table that is ready.
    pub fn next(&mut self) -> Option<Finished> {
        let _ = self.ready.read(); // nothing to read is fine: it only wakes
        let finished = self.finished.try_recv().ok()?;
        self.pending -= 1;
        Some(finished)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        self.jobs = None; // ends the workers' loops
        for worker in self.workers.drain(..) {
            let _ = worker.join(); // a worker that panicked has already said so
        }
    }
}

struct Worker {
    cache: Arc<Option<Cache>>,
    to_do: Arc<Mutex<Receiver<Job>>>,
    done: Sender<Finished>,
    ready: Arc<EventFd>,
}

impl Worker {
    fn run(self) {
        while let Some(job) = self.next() {
            let finished = Finished { module: job.module, table: self.table(&job) };
            if self.done.send(finished).is_err() {
                return;
            }
            let _ = self.ready.write(1); // fails when already readable, as good
        }
    }

    fn next(&self) -> Option<Job> {
        self.to_do.lock().ok()?.recv().ok()
    }

    fn table(&self, job: &Job) -> Option<Vec<u8>> {
        let cache = (*self.cache).as_ref().zip(job.key.as_deref());
        if let Some(table) = cache.and_then(|(cache, key)| cache.load(key)) {
            return Some(table);
        }
        let table = sigspy_unwind::compile(job.image.bytes()).ok()?.bytes;
        if let Some((cache, key)) = cache {
            cache.store(key, &table);
        }
        Some(table)
    }
}
