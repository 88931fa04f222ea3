//! Amounts of money, exact to a billionth of a dollar: what tokens cost adds up without rounding errors.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

/// Billionths in a dollar.
const NANOS: u64 = 1_000_000_000;

/// US dollars, in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// From billionths of a dollar.
    pub fn from_nanos(nanos: u64) -> Self {
        Money(nanos)
    }

    /// Billionths of a dollar.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// For metrics and pages: the nearest number of dollars.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / NANOS as f64
    }

    /// Both together; more than can be counted is as much as can be counted.
    pub fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    /// What so many units cost at this price for a million of them.
    pub fn for_units(self, units: u64) -> Money {
        let nanos = u128::from(self.0) * u128::from(units) / 1_000_000;
        Money(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money::default(), Money::plus)
    }
}

impl FromStr for Money {
    type Err = ();

    /// `12`, `0.075`: digits, and at most nine behind the point.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 9 {
            return Err(());
        }
        let whole: u64 = whole.parse().map_err(|_| ())?;
        let part: u64 = format!("{part:0<9}").parse().map_err(|_| ())?;
        whole.checked_mul(NANOS).and_then(|it| it.checked_add(part)).map(Money).ok_or(())
    }
}

impl fmt::Display for Money {
    /// Cents at least, and no more digits than it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:09}", self.0 % NANOS);
        let part = part.trim_end_matches('0');
        write!(f, "{}.{part:0<2}", self.0 / NANOS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, nanos, shown) in
            [("3", 3_000_000_000, "3.00"), ("0.0375", 37_500_000, "0.0375"), ("12.5", 12_500_000_000, "12.50")]
        {
            assert_eq!(text.parse(), Ok(Money(nanos)));
            assert_eq!(Money(nanos).to_string(), shown);
            assert_eq!(shown.parse(), Ok(Money(nanos)));
        }
        assert_eq!(Money(37_500_000).for_units(2_000_000), Money(75_000_000));
        assert_eq!([Money(1), Money(2)].into_iter().sum::<Money>(), Money(3));
        assert_eq!(Money(u64::MAX).plus(Money(1)), Money(u64::MAX));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-1", "1.", ".5", "1e3", "1,5", "0.1234567890", "99999999999999999999"] {
            assert_eq!(text.parse::<Money>(), Err(()), "{text}");
        }
    }
}
