//! What things cost a month, in words.

use crate::forecast::upkeep::{Upkeep, Upkeeps};
use crate::report::format::grouped;

/// What is not free: `$1.76`, `$1,234.50`, `<$0.01`.
pub(super) fn dollars(usd: f64) -> String {
    if usd < 0.005 {
        return "<$0.01".to_owned();
    }
    let cents = format!("{usd:.2}");
    let (whole, cents) = cents.split_once('.').unwrap_or((&cents, "00"));
    format!("${}.{cents}", grouped(whole))
}

/// `$1.76`, `up to $0.50`; nothing for what is free.
pub(super) fn price(upkeep: &Upkeep) -> String {
    match upkeep {
        Upkeep::Free => String::new(),
        Upkeep::About(amount) => dollars(amount.usd),
        Upkeep::UpTo(amount) => at_most(amount.usd),
        Upkeep::Unknown => "price unknown".to_owned(),
    }
}

fn at_most(usd: f64) -> String {
    match dollars(usd) {
        little if little.starts_with('<') => little,
        usd => format!("up to {usd}"),
    }
}

/// The same with what it is: `$1.76 a month`.
pub(in crate::report) fn monthly(upkeep: &Upkeep) -> String {
    match upkeep {
        Upkeep::Free => String::new(),
        Upkeep::About(_) | Upkeep::UpTo(_) => format!("{} a month", price(upkeep)),
        Upkeep::Unknown => price(upkeep),
    }
}

/// Several things together: `$6.16 a month`, `up to $0.50 a month, 2 of unknown price not counted`.
pub(super) fn together(all: &Upkeeps) -> String {
    let usd = if all.is_most {
        at_most(all.usd)
    } else {
        dollars(all.usd)
    };
    let sum = format!("{usd} a month");
    match (all.priced, all.unpriced) {
        (0, 0) => String::new(),
        (0, _) => "price unknown".to_owned(),
        (_, 0) => sum,
        (_, unpriced) => format!("{sum}, {unpriced} of unknown price not counted"),
    }
}

/// Everything that costs from now on, with the days of the prices.
pub(super) fn total(all: &Upkeeps, region: &str) -> Option<String> {
    let (oldest, newest) = all.dated.as_ref()?;
    let dates = if oldest == newest {
        format!("of {newest}")
    } else {
        format!("of {oldest} to {newest}")
    };
    let derived = if all.is_derived {
        format!(", some of them estimated for {region} from us-east-1")
    } else {
        String::new()
    };
    Some(format!(
        "{}, an estimate by list prices {dates}{derived}; volumes are counted as gp3",
        together(all)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::prices::Basis;
    use crate::forecast::upkeep::Amount;

    fn amount(usd: f64) -> Amount {
        let basis = Basis {
            source: "a list".to_owned(),
            date: "2026-08-31".to_owned(),
            derived: None,
        };
        Amount { usd, basis }
    }

    #[test]
    fn dollars_have_cents_and_commas() {
        let pairs = [
            (0.0, "<$0.01"),
            (0.004, "<$0.01"),
            (0.005, "$0.01"),
            (1.756, "$1.76"),
            (1234.5, "$1,234.50"),
            (999.999, "$1,000.00"),
            (1_234_567.0, "$1,234,567.00"),
        ];
        for (usd, text) in pairs {
            assert_eq!(dollars(usd), text);
        }
    }

    #[test]
    fn unknown_price_is_never_nought() {
        let known = Upkeep::About(amount(2.0));
        let sum = |all: &[Upkeep]| together(&Upkeeps::of(all));
        assert_eq!(sum(&[Upkeep::Unknown]), "price unknown");
        assert_eq!(
            sum(&[known.clone(), Upkeep::Unknown]),
            "$2.00 a month, 1 of unknown price not counted"
        );
        assert_eq!(
            sum(&[known, Upkeep::UpTo(amount(0.5)), Upkeep::Free]),
            "up to $2.50 a month"
        );
        let little = Upkeep::UpTo(amount(0.004));
        assert_eq!(sum(&[little.clone(), little]), "<$0.01 a month");
        assert_eq!(sum(&[Upkeep::Free]), "");
        assert_eq!(monthly(&Upkeep::Unknown), "price unknown");
    }
}
