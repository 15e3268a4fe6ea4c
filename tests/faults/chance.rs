//! Randomness from a seed and a name: what one asks for does not depend on what others asked for before.

use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;

/// A source of its own for each name. (The standard hasher's keys are fixed where it is made like this.)
pub fn of(seed: u64, name: impl Hash) -> Rng {
    let mut hasher = DefaultHasher::new();
    (seed, name).hash(&mut hasher);
    Rng::with_seed(hasher.finish())
}

/// True with this probability.
pub fn happens(rng: &mut Rng, probability: f64) -> bool {
    rng.f64() < probability
}

/// One of them.
pub fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.usize(..choices.len())]
}
