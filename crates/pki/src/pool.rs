//! Keys made ahead, side by side: generating RSA keys is almost all the work of a first run.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rinit_plan::KeyAlgorithm;

use crate::{PkiError, PrivateKey};

/// Generates the keys of a run in background threads, one a core, while the run takes them.
///
/// Dropping the pool stops the threads after the key that each is at; keys that nobody took are
/// wiped.
#[derive(Debug)]
pub struct KeyPool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Keys that no thread has begun.
    wanted: VecDeque<KeyAlgorithm>,
    /// Keys that a thread is at.
    begun: Vec<KeyAlgorithm>,
    ready: Vec<(KeyAlgorithm, Result<PrivateKey, PkiError>)>,
    stopped: bool,
}

impl KeyPool {
    /// Begins to generate one key for each algorithm in the list, in its order.
    pub fn new(algorithms: impl IntoIterator<Item = KeyAlgorithm>) -> Self {
        let wanted: VecDeque<KeyAlgorithm> = algorithms.into_iter().collect();
        let threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(wanted.len());
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                wanted,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        for _ in 0..threads {
            let shared = Arc::clone(&shared);
            // Where no thread can be had, `take` generates by itself.
            let _ = thread::Builder::new()
                .name("key generation".to_owned())
                .spawn(move || shared.work());
        }
        Self { shared }
    }

    /// The next key for an algorithm if one is ready. Never waits.
    pub fn take_ready(&self, algorithm: KeyAlgorithm) -> Option<Result<PrivateKey, PkiError>> {
        self.shared.lock().take_ready(algorithm)
    }

    /// The next key for an algorithm. Waits while a thread is at one, and generates it here where
    /// none is begun: so nobody ever waits for a key that was not asked for ahead.
    pub fn take(&self, algorithm: KeyAlgorithm) -> Result<PrivateKey, PkiError> {
        let mut state = self.shared.lock();
        loop {
            if let Some(key) = state.take_ready(algorithm) {
                return key;
            }
            if !state.begun.contains(&algorithm) {
                // One that is wanted but not begun is taken over.
                if let Some(index) = state.wanted.iter().position(|of| *of == algorithm) {
                    state.wanted.remove(index);
                }
                drop(state);
                return PrivateKey::generate(algorithm);
            }
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for KeyPool {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
    }
}

impl State {
    fn take_ready(&mut self, algorithm: KeyAlgorithm) -> Option<Result<PrivateKey, PkiError>> {
        let index = self.ready.iter().position(|(of, _)| *of == algorithm)?;
        Some(self.ready.remove(index).1)
    }
}

impl Shared {
    fn work(&self) {
        loop {
            let algorithm = {
                let mut state = self.lock();
                if state.stopped {
                    return;
                }
                let Some(algorithm) = state.wanted.pop_front() else {
                    return;
                };
                state.begun.push(algorithm);
                algorithm
            };
            // Without the guard, a panic would leave `take` waiting for ever.
            let mut begun = Begun {
                shared: self,
                algorithm,
                outcome: None,
            };
            begun.outcome = Some(PrivateKey::generate(algorithm));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that a thread is at; dropping it hands over the outcome, if there is one.
struct Begun<'a> {
    shared: &'a Shared,
    algorithm: KeyAlgorithm,
    outcome: Option<Result<PrivateKey, PkiError>>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(index) = state.begun.iter().position(|of| *of == self.algorithm) {
            state.begun.swap_remove(index);
        }
        if let Some(outcome) = self.outcome.take()
            && !state.stopped
        {
            state.ready.push((self.algorithm, outcome));
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn every_key_is_another_and_has_its_algorithm() {
        use KeyAlgorithm::{EcdsaP256, EcdsaP384, Rsa2048};
        let order = [EcdsaP256, Rsa2048, EcdsaP384, EcdsaP256, Rsa2048];
        let pool = KeyPool::new(order);
        let mut seen = Vec::new();
        for algorithm in [Rsa2048, EcdsaP384, EcdsaP256, EcdsaP256, Rsa2048] {
            let key = pool.take(algorithm).unwrap();
            let label = match algorithm {
                Rsa2048 => "-----BEGIN RSA PRIVATE KEY-----",
                _ => "-----BEGIN EC PRIVATE KEY-----",
            };
            assert!(key.pem().expose().starts_with(label));
            let public = key.subject_public_key_info();
            assert!(!seen.contains(&public));
            seen.push(public);
        }
    }

    #[test]
    fn a_dry_pool_generates() {
        let pool = KeyPool::new([]);
        assert!(pool.take(KeyAlgorithm::EcdsaP256).is_ok());
        assert!(pool.take_ready(KeyAlgorithm::EcdsaP256).is_none());
    }

    #[test]
    fn what_is_ready_is_handed_over_at_once() {
        let pool = KeyPool::new([KeyAlgorithm::EcdsaP256]);
        let begin = Instant::now();
        while pool.take_ready(KeyAlgorithm::EcdsaP256).is_none() {
            assert!(begin.elapsed() < Duration::from_mins(1));
            thread::sleep(Duration::from_millis(1));
        }
        assert!(pool.take_ready(KeyAlgorithm::EcdsaP256).is_none());
    }

    #[test]
    fn several_may_take_at_once() {
        let pool = KeyPool::new([KeyAlgorithm::EcdsaP384; 8]);
        thread::scope(|scope| {
            let takers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..2).all(|_| pool.take(KeyAlgorithm::EcdsaP384).is_ok())))
                .collect();
            assert!(takers.into_iter().all(|taker| taker.join().unwrap()));
        });
        assert!(pool.shared.lock().ready.is_empty());
    }

    #[test]
    fn dropping_ends_the_threads() {
        let pool = KeyPool::new([KeyAlgorithm::Rsa2048; 200]);
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        let begin = Instant::now();
        while shared.strong_count() > 0 {
            assert!(begin.elapsed() < Duration::from_mins(1));
            thread::sleep(Duration::from_millis(10));
        }
    }
}
