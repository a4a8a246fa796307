//! Chance without surprise: every purpose draws from a stream of its own, so that one more draw in one
//! place leaves all others as they were.

use fastrand::Rng;

use super::config::Noise;
use super::timing::Typical;

/// z of the ninth decile of the normal distribution.
const NINTH_DECILE: f64 = 1.281_551_6;

/// A seed for a purpose that is named by words and a number. FNV-1a, then mixed.
pub(super) fn seed(base: u64, words: &[&str], number: u64) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ base.rotate_left(17);
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    for word in words {
        word.bytes().for_each(&mut take);
        take(0xff);
    }
    number.to_le_bytes().into_iter().for_each(&mut take);
    hash ^ (hash >> 29)
}

/// The stream of a purpose.
pub(super) fn stream(base: u64, words: &[&str], number: u64) -> Rng {
    Rng::with_seed(seed(base, words, number))
}

/// Whether something of this chance happens. Draws only for a chance that there is.
pub(super) fn happens(rng: &mut Rng, chance: f64) -> bool {
    chance > 0.0 && rng.f64() < chance
}

/// Milliseconds that something takes.
pub(super) fn takes(rng: &mut Rng, noise: Noise, typical: Typical) -> i64 {
    if noise == Noise::None {
        return milliseconds(typical.p50);
    }
    let spread = (typical.p90 / typical.p50).ln() / NINTH_DECILE;
    // Box and Muller; within three deviations, so that nothing takes forever.
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    let z = radius * (std::f64::consts::TAU * rng.f64()).cos();
    milliseconds(typical.p50 * (spread * z.clamp(-3.0, 3.0)).exp())
}

/// Seconds to whole milliseconds, one at least.
pub(super) fn milliseconds(seconds: f64) -> i64 {
    whole_milliseconds(seconds).max(1)
}

/// Seconds to whole milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast from f64 ends at the bounds of i64"
)]
pub(super) fn whole_milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

const HEX: &[u8] = b"0123456789abcdef";
const CAPITALS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Hexadecimal digits.
pub(super) fn hex(rng: &mut Rng, digits: usize) -> String {
    of(rng, HEX, digits)
}

/// Capital letters and digits, as `CloudFormation` ends its names.
pub(super) fn capitals(rng: &mut Rng, digits: usize) -> String {
    of(rng, CAPITALS, digits)
}

fn of(rng: &mut Rng, alphabet: &[u8], digits: usize) -> String {
    let digit = |_| rng.choice(alphabet).map_or('0', |byte| char::from(*byte));
    (0..digits).map(digit).collect()
}

/// A UUID.
pub(super) fn uuid(rng: &mut Rng) -> String {
    let all = hex(rng, 32);
    let part = |from, to| all.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_streams_are_independent_and_repeatable() {
        let draw = |words: &[&str], number| stream(7, words, number).u64(..);
        assert_eq!(draw(&["a", "b"], 1), draw(&["a", "b"], 1));
        assert_ne!(draw(&["a", "b"], 1), draw(&["ab"], 1));
        assert_ne!(draw(&["a", "b"], 1), draw(&["a", "b"], 2));
        assert_ne!(draw(&["a"], 1), stream(8, &["a"], 1).u64(..));
    }

    #[test]
    fn noise_has_the_given_median_and_ninth_decile() {
        let typical = Typical {
            p50: 100.0,
            p90: 200.0,
        };
        let mut rng = stream(1, &["noise"], 0);
        let mut drawn: Vec<i64> = (0..4000)
            .map(|_| takes(&mut rng, Noise::Seeded, typical))
            .collect();
        drawn.sort_unstable();
        assert!((90_000..110_000).contains(&drawn[2000]), "{}", drawn[2000]);
        assert!((180_000..220_000).contains(&drawn[3600]), "{}", drawn[3600]);
        assert_eq!(takes(&mut rng, Noise::None, typical), 100_000);
    }
}
