//! The database: sizes, windows and parameters that RDS would refuse an hour later.

mod secret;

use std::ops::Range;

use super::nodes::unknown_size;
use super::{Violation, path};
use crate::spec::{ClusterSpec, Database};

/// Parameters that the tool sets and a definition must not.
const RESERVED: [(&str, &str); 1] = [(
    "rds.force_ssl",
    "every connection to the database is encrypted; this cannot be turned off",
)];
const DAY: u32 = 24 * 60;
/// RDS takes no shorter window.
const SHORTEST_WINDOW: u32 = 30;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let Some(database) = &spec.database else {
        return;
    };
    if let Some(name) = database.class.strip_prefix("db.") {
        broken.extend(unknown_size("database.class", name, "db."));
    }
    storage(database, broken);
    windows(database, broken);
    for (name, why) in RESERVED {
        if database.parameters.contains_key(name) {
            let what = format!("the parameter `{name}` is set by the tool");
            let help = format!("{why}: remove it");
            broken.push(Violation::new(
                path("database.parameters", name),
                what,
                help,
            ));
        }
    }
    restore(spec, database, broken);
    if let Some(secret) = &database.secret {
        self::secret::check(secret, broken);
    }
}

/// RDS wants the limit of storage autoscaling a tenth above the storage.
fn storage(database: &Database, broken: &mut Vec<Violation>) {
    let (storage, limit) = (database.storage_gib, database.storage_limit_gib);
    let least = storage + storage.div_ceil(10);
    if limit < least {
        let what = if limit < storage {
            format!("the limit of {limit} GiB is less than the storage of {storage} GiB")
        } else {
            format!("the limit of {limit} GiB is too close to the storage of {storage} GiB")
        };
        let help = format!("RDS wants the limit a tenth above the storage: write {least} or more");
        broken.push(
            Violation::new("database.storageLimitGib", what, help).with(["database.storageGib"]),
        );
    }
}

fn windows(database: &Database, broken: &mut Vec<Violation>) {
    let backup = daily(&database.backup_window);
    let maintenance = weekly(&database.maintenance_window);
    let windows = [
        ("database.backupWindow", &database.backup_window, &backup),
        (
            "database.maintenanceWindow",
            &database.maintenance_window,
            &maintenance,
        ),
    ];
    let mut short = false;
    for (at, text, window) in windows {
        let Some(window) = window else { continue };
        if window.len() < SHORTEST_WINDOW as usize {
            short = true;
            let what = format!("the window {text} lasts {} minutes", window.len());
            let help = format!("RDS wants {SHORTEST_WINDOW} minutes at least");
            broken.push(Violation::new(at, what, help));
        }
    }
    if let (false, Some(backup), Some(maintenance)) = (short, backup, maintenance)
        && meet(&backup, &maintenance)
    {
        let what = format!(
            "the maintenance window {} overlaps the backup window {}",
            database.maintenance_window, database.backup_window
        );
        let help = "RDS refuses it: move one of them; times are UTC";
        broken.push(
            Violation::new("database.maintenanceWindow", what, help)
                .with(["database.backupWindow"]),
        );
    }
}

/// Whether a daily window meets a weekly one, either of which may run over midnight.
fn meet(daily: &Range<u32>, weekly: &Range<u32>) -> bool {
    (0..16).any(|day| {
        let start = daily.start + day * DAY;
        let end = daily.end + day * DAY;
        let week = weekly.start + 7 * DAY..weekly.end + 7 * DAY;
        start < week.end && week.start < end
    })
}

/// Minutes of the day, the end after the start. `None` for what is no window.
fn daily(window: &str) -> Option<Range<u32>> {
    let (start, end) = window.split_once('-')?;
    Some(forward(minute(start)?, minute(end)?, DAY))
}

/// Minutes of the week from Monday, the end after the start. `None` for what is no window.
fn weekly(window: &str) -> Option<Range<u32>> {
    let (start, end) = window.split_once('-')?;
    let moment = |text: &str| {
        let (day, time) = text.split_once(':')?;
        let day = WEEKDAYS.iter().position(|known| *known == day)?;
        Some(u32::try_from(day).ok()? * DAY + minute(time)?)
    };
    Some(forward(moment(start)?, moment(end)?, 7 * DAY))
}

fn forward(start: u32, end: u32, round: u32) -> Range<u32> {
    start..if end < start { end + round } else { end }
}

fn minute(time: &str) -> Option<u32> {
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

/// A snapshot by ARN is of this region, and of this account: what the tool encrypts can't be
/// restored from another account's copy.
fn restore(spec: &ClusterSpec, database: &Database, broken: &mut Vec<Violation>) {
    let Some(arn) = database
        .restore_from
        .as_deref()
        .filter(|from| from.starts_with("arn:"))
    else {
        return;
    };
    let parts: Vec<&str> = arn.split(':').collect();
    let at = "database.restoreFrom";
    if let Some(region) = parts.get(3).filter(|region| **region != spec.region) {
        let what = format!(
            "the snapshot is in {region}, the cluster in {}",
            spec.region
        );
        let help = format!(
            "RDS restores within a region: copy the snapshot to {} first",
            spec.region
        );
        broken.push(Violation::new(at, what, help).with(["region"]));
    }
    if let (Some(account), Some(own)) = (parts.get(4), spec.account.as_deref())
        && *account != own
    {
        let what = format!("the snapshot belongs to account {account}, the cluster to {own}");
        let help =
            "an encrypted snapshot is not restored across accounts: copy it into this one first";
        broken.push(Violation::new(at, what, help).with(["account"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(backup: &str, maintenance: &str) -> bool {
        meet(&daily(backup).unwrap(), &weekly(maintenance).unwrap())
    }

    #[test]
    fn windows_overlap_across_midnight_and_week_end() {
        assert!(!together("03:00-04:00", "sun:04:30-sun:05:30"));
        assert!(!together("03:00-04:00", "sun:04:00-sun:05:00"));
        assert!(together("03:00-04:00", "sun:03:30-sun:05:00"));
        assert!(together("23:30-00:30", "mon:00:00-mon:01:00"));
        assert!(together("00:00-01:00", "sun:23:30-mon:00:30"));
    }

    #[test]
    fn invalid_window_has_no_minutes() {
        assert_eq!(daily("25:00-26:00"), None);
        assert_eq!(weekly("son:01:00-son:02:00"), None);
        assert_eq!(daily("23:30-00:30").unwrap().len(), 60);
    }
}
