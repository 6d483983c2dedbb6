//! Numbers as filter policies compare them: with five decimals.

/// A number, rounded to five decimals.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    /// Rounds a number. `None` for what is none.
    pub fn new(number: f64) -> Option<Self> {
        let scaled = (number * 1e5).round();
        scaled.is_finite().then_some(Self(scaled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_decimals_count() {
        assert_eq!(Number::new(0.1 + 0.2), Number::new(0.3));
        assert_eq!(Number::new(1.000_001), Number::new(1.0));
        assert!(Number::new(1.000_01) > Number::new(1.0));
        assert_eq!((Number::new(f64::NAN), Number::new(f64::INFINITY)), (None, None));
    }
}
