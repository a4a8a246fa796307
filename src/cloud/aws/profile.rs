//! What a profile may ask for that the SDK cannot do: a code typed at a prompt, an `aws login` session.
//! Reported before the first call, because AWS itself would only say "access denied".

use std::borrow::Cow;

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};

use super::error::with_causes;
use crate::cloud::CloudError;

/// How to go on when the profile holds an `aws login` session.
pub(super) const NO_LOGIN_SESSIONS: &str = "`aws login` sessions are not supported: put \
    `credential_process = aws configure export-credentials --profile NAME --format process` into \
    another profile and name that one, or use IAM Identity Center with `aws sso login`";

const MFA_WAY_OUT: &str = "get a session first with `aws sts get-session-token --serial-number \
    SERIAL --token-code CODE` and export its AWS_* variables, or name a profile that uses \
    `credential_process`, or use IAM Identity Center with `aws sso login`";

/// The profile that need not exist.
const DEFAULT: &str = "default";

/// A profile names its source by name; more steps than this are a circle.
const LONGEST_CHAIN: usize = 16;

/// Reads the shared configuration files; without a choice, for the profile that the environment names.
#[expect(
    clippy::default_trait_access,
    reason = "the type's crate is no dependency of ours"
)]
pub(super) async fn read(
    fs: &Fs,
    env: &Env,
    chosen: Option<Cow<'static, str>>,
) -> Result<ProfileSet, CloudError> {
    let profiles = aws_config::profile::load(fs, env, &Default::default(), chosen).await;
    profiles.map_err(|error| CloudError::Credentials {
        reason: format!(
            "the AWS configuration cannot be read: {}",
            with_causes(&error)
        ),
        help: "fix ~/.aws/config or ~/.aws/credentials (or the files that AWS_CONFIG_FILE and \
            AWS_SHARED_CREDENTIALS_FILE name)"
            .to_owned(),
    })
}

/// Refuses a profile that is not there, or whose chain of `source_profile` needs what the SDK lacks.
pub(super) fn check(profiles: &ProfileSet) -> Result<(), CloudError> {
    let mut name = profiles.selected_profile();
    if name != DEFAULT && profiles.get_profile(name).is_none() {
        return Err(CloudError::Credentials {
            reason: format!("there is no profile {name} in the AWS configuration"),
            help: "`aws configure list-profiles` lists those that there are".to_owned(),
        });
    }
    for _ in 0..LONGEST_CHAIN {
        let Some(profile) = profiles.get_profile(name) else {
            return Ok(());
        };
        // Without a role to assume, `mfa_serial` is only a note for other tools.
        if profile.get("mfa_serial").is_some() && profile.get("role_arn").is_some() {
            return Err(CloudError::Credentials {
                reason: format!(
                    "profile {name} wants an MFA code (mfa_serial), which cannot be api_call for here"
                ),
                help: MFA_WAY_OUT.to_owned(),
            });
        }
        if profile.get("login_session").is_some() && profile.get("role_arn").is_none() {
            return Err(CloudError::Credentials {
                reason: format!("profile {name} uses an `aws login` session"),
                help: NO_LOGIN_SESSIONS.to_owned(),
            });
        }
        match profile.get("source_profile") {
            Some(source) if source != name => name = source,
            _ => return Ok(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check_config(config: &str, profile: &str) -> Result<(), CloudError> {
        let fs = Fs::from_map([("/conf".to_owned(), config.as_bytes().to_vec())].into());
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "/conf"), ("AWS_PROFILE", profile)]);
        check(&read(&fs, &env, None).await?)
    }

    const CONFIG: &str = "
[profile plain]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret
mfa_serial = arn:aws:iam::1:mfa/eve
[profile admin]
role_arn = arn:aws:iam::2:role/admin
source_profile = plain
mfa_serial = arn:aws:iam::1:mfa/eve
[profile ops]
role_arn = arn:aws:iam::3:role/ops
source_profile = admin
[profile session]
login_session = arn:aws:iam::1:user/eve
[profile reader]
role_arn = arn:aws:iam::2:role/reader
source_profile = session
[profile circle]
role_arn = arn:aws:iam::2:role/a
source_profile = circle2
[profile circle2]
role_arn = arn:aws:iam::2:role/b
source_profile = circle
";

    #[tokio::test]
    async fn mfa_in_the_role_chain_names_the_alternative() {
        for profile in ["admin", "ops"] {
            let Err(CloudError::Credentials { reason, help }) = check_config(CONFIG, profile).await
            else {
                panic!("{profile} needs a code");
            };
            assert!(
                reason.contains("profile admin wants an MFA code"),
                "{reason}"
            );
            assert!(
                help.contains("aws sts get-session-token") && help.contains("credential_process")
            );
        }
    }

    #[tokio::test]
    async fn login_session_names_the_alternative() {
        for profile in ["session", "reader"] {
            let Err(CloudError::Credentials { reason, help }) = check_config(CONFIG, profile).await
            else {
                panic!("{profile} needs a login session");
            };
            assert!(reason.contains("profile session"), "{reason}");
            assert!(help.contains("export-credentials") && help.contains("aws sso login"));
        }
    }

    #[tokio::test]
    async fn missing_profile_is_named() {
        let Err(CloudError::Credentials { reason, .. }) = check_config(CONFIG, "prod").await else {
            panic!("not there");
        };
        assert_eq!(reason, "there is no profile prod in the AWS configuration");
    }

    #[tokio::test]
    async fn broken_configuration_names_its_file() {
        let Err(CloudError::Credentials { reason, .. }) = check_config("[profile", "plain").await
        else {
            panic!("does not parse");
        };
        assert!(reason.contains("/conf"), "{reason}");
    }

    #[tokio::test]
    async fn other_profiles_are_left_to_the_sdk() {
        for profile in ["plain", "circle", "default"] {
            assert_eq!(check_config(CONFIG, profile).await, Ok(()));
        }
    }
}
