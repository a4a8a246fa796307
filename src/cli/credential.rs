//! `kube-cfn credential`: the credential plugin of kubectl. Needs no definition, because kubectl runs it
//! in any directory; a valid certificate in the cache is printed without calling AWS. Account and region are those of
//! the entry, not of a lock file that happens to lie in that directory; its guard is the authority that the entry
//! trusts: no credential of another one is printed.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::Global;
use super::api_access::{certificate_request, parse_duration};
use super::error::{CommandError, Exit};
use super::identity::{Caller, GroupArgs};
use super::out;
use super::session;
use crate::access::{self, Cache, CacheKey, LifetimeLimits, authority_of_exec_info};
use crate::cloud::Cloud as _;
use crate::spec::rules::LONGEST_TTL;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the cluster
    name: String,
    /// Region of the cluster
    #[arg(long)]
    region: String,
    /// Kubernetes user
    #[arg(long)]
    user: String,
    #[command(flatten)]
    groups: GroupArgs,
    /// Lifetime of the certificate, such as 30m; at most 30 days
    #[arg(long, value_parser = parse_duration, default_value = "8h")]
    ttl: SignedDuration,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let trusted = std::env::var("KUBERNETES_EXEC_INFO").ok();
    let caller = match &trusted {
        Some(_) => Caller::Kubectl,
        None => Caller::Person,
    };
    args.groups.check(Some(&args.user), caller)?;
    let ttl = args.ttl.as_secs().unsigned_abs();
    let key = CacheKey {
        cluster: args.name.clone(),
        scope: scope(global, &args.region),
        request: certificate_request(Some(&args.user), &args.groups.groups, Some(args.ttl), ""),
    };
    let cloud = session::aws(global, &args.region).await?;
    let answer = access::credential(
        &cloud,
        &Cache::of_user()?,
        &key,
        LifetimeLimits {
            ttl_seconds: ttl,
            max_ttl_seconds: LONGEST_TTL,
        },
        trusted
            .as_deref()
            .and_then(authority_of_exec_info)
            .as_deref(),
        Timestamp::now(),
    )
    .await;
    let made = match answer {
        Ok(made) => made,
        // Asked only now: kubectl waits for every call.
        Err(error) if error.depends_on_place() => {
            let identity = cloud.identity().await;
            return Err(match identity {
                Ok(identity) => error.in_place(&identity),
                Err(_) => error,
            }
            .into());
        }
        Err(error) => return Err(error.into()),
    };
    out::data(made.exec_credential().expose_secret())?;
    Ok(Exit::Done)
}

/// Distinguishes clusters of one name without asking AWS for the account.
fn scope(global: &Global, region: &str) -> String {
    let named = global
        .profile
        .clone()
        .or_else(|| std::env::var("AWS_PROFILE").ok());
    let key = || std::env::var("AWS_ACCESS_KEY_ID").ok();
    format!("{}/{region}", named.or_else(key).unwrap_or_default())
}
