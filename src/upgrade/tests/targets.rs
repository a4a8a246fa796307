//! To which version an upgrade may go.

use semver::Version;

use crate::catalog::kubernetes;
use crate::upgrade::{Direction, TargetError, Wanted, resolve};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn to(wanted: &str, runs: &str) -> Result<(String, Direction), TargetError> {
    let target = resolve(&wanted.parse().unwrap(), &version(runs))?;
    assert_eq!(target.from, version(runs));
    Ok((target.to.to_string(), target.direction))
}

#[test]
fn patches_go_up_and_minors_one_at_a_time() {
    let newest = kubernetes::newest_patch(1, 35).unwrap().to_string();
    assert_eq!(
        to("1.34.11", "1.34.2"),
        Ok(("1.34.11".to_owned(), Direction::Patch))
    );
    assert_eq!(
        to("v1.35.0", "1.34.11"),
        Ok(("1.35.0".to_owned(), Direction::Minor))
    );
    assert_eq!(to("next", "1.34.2"), Ok((newest.clone(), Direction::Minor)));
    assert_eq!(
        to("latest", "1.35.0"),
        Ok((newest.clone(), Direction::Patch))
    );
    assert_eq!(to("latest", &newest), Ok((newest.clone(), Direction::Same)));
    assert_eq!(to(&newest, &newest), Ok((newest, Direction::Same)));
    assert!(matches!(
        to("1.34.1", "1.34.2"),
        Err(TargetError::Older { .. })
    ));
    assert!(matches!(
        to("1.33.9", "1.34.2"),
        Err(TargetError::Older { .. })
    ));
}

#[test]
fn minor_that_is_left_out_names_the_steps() {
    let error = to("1.36.4", "1.34.2").unwrap_err();
    let TargetError::Skips { steps, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0], *kubernetes::newest_patch(1, 35).unwrap());
    let says = error.to_string();
    assert!(
        says.contains("2 upgrades") && says.ends_with("1.36.4 last"),
        "{says}"
    );
    assert!(matches!(
        to("2.0.0", "1.34.2"),
        Err(TargetError::Skips { .. })
    ));
}

#[test]
fn version_without_hashes_is_none_to_go_to() {
    assert!(matches!(
        to("1.34.99", "1.34.2"),
        Err(TargetError::Unknown { .. })
    ));
    let newest = kubernetes::newest().unwrap();
    let next = resolve(&Wanted::Next, newest);
    assert_eq!(
        next,
        Err(TargetError::NoNext {
            runs: newest.clone()
        })
    );
    // A version newer than every known patch stays.
    assert_eq!(
        to("latest", "1.34.99"),
        Ok(("1.34.99".to_owned(), Direction::Same))
    );
    assert!("1.36".parse::<Wanted>().is_err());
    assert!("newest".parse::<Wanted>().is_err());
}
