//! `kube-cfn credential`: answers kubectl as a credential plugin. Needs no definition, for kubectl
//! runs it from anywhere; what is fresh in the cache is answered without asking AWS.

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::Global;
use super::failure::{Exit, Failure};
use super::kubeconfig::{Who, groups};
use super::out;
use crate::access::{self, Cache, CacheKey, Limits, MintRequest, authority_of_exec_info};
use crate::cloud::aws::{Aws, Settings};

/// Lifetime in seconds when nobody says one: a working day, as `access.ttl` of a definition.
const TTL: u64 = 8 * 3600;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the cluster
    name: String,
    /// Region of the cluster
    #[arg(long)]
    region: String,
    #[command(flatten)]
    who: Who,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let user = args.who.user.clone().ok_or_else(|| {
        Failure::new(Exit::Usage, "say for whom with --user").help(format!(
            "`kube-cfn kubeconfig {} --exec` writes the whole call",
            args.name
        ))
    })?;
    let ttl = args.who.ttl.map_or(TTL, |ttl| ttl.as_secs().unsigned_abs());
    let key = CacheKey {
        cluster: args.name.clone(),
        scope: scope(global, &args.region),
        request: MintRequest {
            user,
            groups: groups(&args.who.groups),
            ttl_seconds: Some(ttl),
        },
    };
    let settings = Settings {
        profile: global.profile.clone(),
        region: Some(args.region.clone()),
    };
    let cloud = Aws::connect(&settings).await?;
    let trusted = std::env::var("KUBERNETES_EXEC_INFO").ok();
    let made = access::credential(
        &cloud,
        &Cache::of_user()?,
        &key,
        Limits {
            ttl_seconds: ttl,
            max_ttl_seconds: ttl,
        },
        trusted
            .as_deref()
            .and_then(authority_of_exec_info)
            .as_deref(),
        Timestamp::now(),
    )
    .await?;
    out::data(made.exec_credential().expose_secret())?;
    Ok(Exit::Done)
}

/// What tells two clusters of one name apart without asking AWS who is asking.
fn scope(global: &Global, region: &str) -> String {
    let named = global
        .profile
        .clone()
        .or_else(|| std::env::var("AWS_PROFILE").ok());
    let key = || std::env::var("AWS_ACCESS_KEY_ID").ok();
    format!("{}/{region}", named.or_else(key).unwrap_or_default())
}
