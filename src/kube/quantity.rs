//! Quantities of the API: `250m`, `1536Mi`, `2e3`. Pure.

/// The number that a quantity says; `None` for what is none, or not finite.
pub(super) fn number(quantity: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 15] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let unit = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((quantity.strip_suffix(unit)?, *factor)));
    let (digits, unit) = unit.unwrap_or((quantity, 1.0));
    let found = digits.parse::<f64>().ok()? * unit;
    found.is_finite().then_some(found)
}

/// A quantity times `factor` as a whole number, rounded up; `None` where it is none, negative or too large.
pub(super) fn rounded_up(quantity: &str, factor: f64) -> Option<u64> {
    let found = (number(quantity)? * factor).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is looked at before"
    )]
    (0.0..9e15).contains(&found).then_some(found as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_binary_and_decimal_units() {
        for (text, milli) in [
            ("250m", Some(250)),
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("1k", Some(1_000_000)),
            ("1e1", Some(10_000)),
            ("3u", Some(1)),
            ("1Ki", Some(1_024_000)),
            ("", None),
            ("many", None),
            ("-1", None),
            ("inf", None),
        ] {
            assert_eq!(rounded_up(text, 1000.0), milli, "{text}");
        }
    }
}
