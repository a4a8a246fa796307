//! Versions of PostgreSQL: from which RDS still creates a database. Source and date are in
//! `data/postgres-versions.json`; what is newer than that date has to be looked up.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    as_of: String,
    /// Minors by major, rising.
    creatable: BTreeMap<u32, Vec<u32>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    super::table(
        "postgres-versions.json",
        include_str!("data/postgres-versions.json"),
    )
});

/// What RDS offers of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineOffer {
    /// A database can be created from it.
    Creatable,
    /// It is too old: no database is created from it, and AWS moves running ones to a newer minor by force.
    Retired {
        /// The oldest minor that is still offered.
        nearest: String,
    },
    /// The table does not have it: it is newer than the table, or does not exist.
    Unknown {
        /// The newest minor of its major in the table; `None` for another major.
        newest: Option<String>,
    },
}

/// The day of the table, `2026-10-20`.
pub fn as_of() -> &'static str {
    &TABLE.as_of
}

/// What RDS offers of a version such as `17.11`.
pub fn postgres(version: &str) -> EngineOffer {
    let parts = version.split_once('.');
    let numbers = parts.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let row = numbers.and_then(|(major, minor): (u32, u32)| {
        let minors = TABLE.creatable.get(&major)?;
        Some((major, minor, minors))
    });
    let Some((major, minor, minors)) = row else {
        return EngineOffer::Unknown { newest: None };
    };
    let named = |minor: &u32| format!("{major}.{minor}");
    match minors.first() {
        _ if minors.contains(&minor) => EngineOffer::Creatable,
        Some(oldest) if minor < *oldest => EngineOffer::Retired {
            nearest: named(oldest),
        },
        Some(_) | None => EngineOffer::Unknown {
            newest: minors.last().map(named),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_offer_follows_the_table() {
        let retired = |nearest: &str| EngineOffer::Retired {
            nearest: nearest.to_owned(),
        };
        let unknown = |newest: Option<&str>| EngineOffer::Unknown {
            newest: newest.map(str::to_owned),
        };
        for (version, expected) in [
            ("17.11", EngineOffer::Creatable),
            ("14.18", EngineOffer::Creatable),
            ("17.4", retired("17.5")),
            ("16.8", retired("16.9")),
            ("15.9", retired("15.13")),
            ("14.17", retired("14.18")),
            ("17.99", unknown(Some("17.11"))),
            ("18.5", unknown(Some("18.6"))),
            ("19.1", unknown(None)),
            ("17", unknown(None)),
        ] {
            assert_eq!(postgres(version), expected, "{version}");
        }
    }
}
