//! How much work a caller's data may cause: steps that are charged by size, and an end when the caller is gone.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Steps that are left for one piece of work. A step is about as much work as looking at 32 octets.
#[derive(Debug)]
pub struct Budget {
    left: u64,
    refused: bool,
    gone: Option<Arc<AtomicBool>>,
}

/// Why work ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// The data asks for more steps than there are.
    #[error("this takes too many steps")]
    Steps,
    /// Nobody waits for the result any more.
    #[error("the caller is gone")]
    Gone,
}

impl Budget {
    /// Octets that may be looked at for one step.
    pub const OCTETS_PER_STEP: usize = 32;

    /// So many steps.
    pub fn new(steps: u64) -> Self {
        Self { left: steps, refused: false, gone: None }
    }

    /// The same steps, which end also when the returned [`Caller`] is dropped.
    pub fn with_caller(steps: u64) -> (Self, Caller) {
        let gone = Arc::<AtomicBool>::default();
        let budget = Self { gone: Some(gone.clone()), ..Self::new(steps) };
        (budget, Caller(gone))
    }

    /// Takes `steps`.
    ///
    /// # Errors
    /// When there are not so many left, or the caller is gone. The work must end then.
    pub fn spend(&mut self, steps: usize) -> Result<(), Spent> {
        if self.gone.as_ref().is_some_and(|gone| gone.load(Ordering::Relaxed)) {
            self.refused = true;
            return Err(Spent::Gone);
        }
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                self.refused = true;
                Err(Spent::Steps)
            }
        }
    }

    /// Takes one step, and those of looking at `octets` more.
    ///
    /// # Errors
    /// As [`Budget::spend`].
    pub fn spend_on(&mut self, octets: usize) -> Result<(), Spent> {
        self.spend(1 + octets / Self::OCTETS_PER_STEP)
    }

    /// Does a part of the work, which may take `steps` of those that are left: where it takes more, only the part ends.
    pub fn within<T>(&mut self, steps: u64, part: impl FnOnce(&mut Self) -> T) -> T {
        let given = steps.min(self.left);
        let mut own = Self { left: given, refused: false, gone: self.gone.clone() };
        let done = part(&mut own);
        self.left -= given - own.left;
        done
    }

    /// How many steps are left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Whether the work asked for more than there was: what it gave then is not its result.
    pub fn is_spent(&self) -> bool {
        self.refused
    }
}

/// Who waits for the result of work. Dropping it ends the work at its next step.
#[derive(Debug)]
pub struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_charged_by_size_and_end_with_the_caller() {
        let mut budget = Budget::new(3);
        assert_eq!(budget.spend_on(63), Ok(()));
        assert_eq!(budget.left(), 1);
        assert!(!budget.is_spent());
        assert_eq!(budget.spend(2), Err(Spent::Steps));
        assert!(budget.is_spent());
        assert_eq!(budget.spend(1), Err(Spent::Steps), "what was refused once is over");
        let mut budget = Budget::new(10);
        assert_eq!(budget.within(4, |part| part.spend(5)), Err(Spent::Steps));
        assert_eq!(budget.within(40, |part| part.spend(6)), Ok(()), "the rest is there still");
        assert!(!budget.is_spent() && budget.left() == 0);
        let (mut budget, caller) = Budget::with_caller(10);
        assert_eq!(budget.spend(1), Ok(()));
        drop(caller);
        assert_eq!(budget.spend(1), Err(Spent::Gone));
    }
}
