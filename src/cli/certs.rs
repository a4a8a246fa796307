//! `kube-cfn certs status`: how long the certificates of a cluster live, for people and for monitors.

use jiff::Timestamp;
use serde::Serialize;

use super::Global;
use super::failure::{Exit, Failure};
use super::kubeconfig::{origin, target as kubeconfig_target};
use super::out::{self, Format, talk};
use super::reach::{Reach, Reached, Whose};
use super::session::{self, Target, Whom};
use crate::access::{self, Cache};
use crate::kube::{Api, KubeError, serving_certificate};
use crate::kubeconfig;
use crate::pki::{Authority, Facts};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show the days left of every certificate that can be seen from here
    ///
    /// Ends with 4 when one that nobody renews by itself has fewer days left than --warn-days, with 1
    /// when one could not be looked at, with 0 when all is well. Certificates kept by kubectl's plugin
    /// or in a kubeconfig live for hours and are listed only.
    Status(StatusArgs),
}

#[derive(clap::Args)]
struct StatusArgs {
    #[command(flatten)]
    whom: Whom,
    /// Fewer days left than this need a hand
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    warn_days: u16,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    reach: Reach,
}

/// Where a certificate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Authority,
    Serving,
    /// Handed out by `access grant`.
    Access,
    /// On this machine.
    Local,
}

/// One certificate, or why it can't be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub kind: Kind,
    pub name: String,
    pub expires: Option<Timestamp>,
    /// Whole days; negative ones have gone by.
    pub days_left: Option<i64>,
    /// Why it can't be seen, or what is wrong with it.
    pub trouble: Option<String>,
}

/// What a certificate's end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Below the limit, or not what it should be.
    Soon,
    Unseen,
    /// Too short-lived to be warned of.
    Listed,
}

impl Row {
    pub fn of(kind: Kind, name: impl Into<String>, expires: Timestamp, now: Timestamp) -> Self {
        Self {
            kind,
            name: name.into(),
            expires: Some(expires),
            days_left: Some(expires.duration_since(now).as_secs().div_euclid(86_400)),
            trouble: None,
        }
    }

    fn unseen(kind: Kind, name: &str, why: impl std::fmt::Display) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            expires: None,
            days_left: None,
            trouble: Some(why.to_string()),
        }
    }

    fn state(&self, warn_days: u16) -> State {
        match self.days_left {
            _ if self.kind == Kind::Local => State::Listed,
            None => State::Unseen,
            Some(days) if days < i64::from(warn_days) || self.trouble.is_some() => State::Soon,
            Some(_) => State::Good,
        }
    }
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let Command::Status(args) = &args.command;
    let target = session::target(global, &args.whom).await?;
    let now = Timestamp::now();
    let mut rows = authorities(&target, now).await?;
    rows.extend(of_api(&target, args, now).await?);
    rows.extend(local(&target, now));
    out::listed(args.output, &rows, || table(&rows, args.warn_days))?;
    finish(&target.name, &rows, args.warn_days)
}

/// The authorities, by their plain copies.
pub async fn authorities(target: &Target, now: Timestamp) -> Result<Vec<Row>, Failure> {
    let found = access::authorities(&target.cloud, &target.name).await?;
    let row = |(role, facts): (Authority, Facts)| {
        let name = match role {
            Authority::Kubernetes => "kubernetes",
            Authority::Etcd => "etcd",
            Authority::FrontProxy => "front-proxy",
        };
        Row::of(Kind::Authority, name, facts.expires, now)
    };
    Ok(found.into_iter().map(row).collect())
}

/// What the API shows and what it keeps on record.
async fn of_api(target: &Target, args: &StatusArgs, now: Timestamp) -> Result<Vec<Row>, Failure> {
    let whose = Whose {
        name: &target.name,
        cloud: &target.cloud,
        identity: &target.identity,
        max_ttl: target.max_ttl(),
    };
    let Some(host) = whose.host().await? else {
        return Ok(vec![Row::unseen(
            Kind::Serving,
            "API",
            "there is no API yet",
        )]);
    };
    let Reached { connection, blind } = whose.at_best(&host, &args.reach).await?;
    let mut rows = vec![match serving_certificate(&connection).await {
        Ok(shown) => serving(&shown.certificate, shown.doubt.as_ref(), now),
        Err(error) => Row::unseen(Kind::Serving, "API", error.brief()),
    }];
    let reached = rows.iter().all(|row| row.days_left.is_some());
    match blind {
        Some(why) => rows.push(Row::unseen(Kind::Access, "grants", why)),
        None if reached => rows.extend(grants(&connection, now).await),
        None => rows.push(Row::unseen(
            Kind::Access,
            "grants",
            "the API keeps the record of them",
        )),
    }
    Ok(rows)
}

/// The row of a certificate that the API showed.
pub fn serving(der: &[u8], doubt: Option<&KubeError>, now: Timestamp) -> Row {
    match Facts::read_der("the API", der) {
        Ok(facts) => Row {
            trouble: doubt.map(KubeError::brief),
            ..Row::of(Kind::Serving, "API", facts.expires, now)
        },
        Err(error) => Row::unseen(Kind::Serving, "API", error),
    }
}

/// The newest certificate of every grant: an earlier one has been replaced.
async fn grants(connection: &crate::kube::Connection, now: Timestamp) -> Vec<Row> {
    let read = async { Api::connect(connection)?.bindings(None, None).await };
    match read.await {
        Err(error) => vec![Row::unseen(Kind::Access, "grants", error)],
        Ok(bindings) => bindings
            .iter()
            .filter_map(|binding| {
                let newest = binding.certificates.iter().map(|one| one.expires).max()?;
                let name = format!("{} in {}", binding.who, binding.namespace);
                Some(Row::of(Kind::Access, name, newest, now))
            })
            .collect(),
    }
}

/// Those kept on this machine: by the plugin, and in the kubeconfig.
fn local(target: &Target, now: Timestamp) -> Vec<Row> {
    let row = |facts: &Facts, place: &str| {
        let name = format!("{}, {place}", facts.subject);
        Row::of(Kind::Local, name, facts.expires, now)
    };
    let cached = Cache::of_user().and_then(|cache| cache.kept(&target.name));
    let cached = cached.unwrap_or_default();
    let mut rows: Vec<Row> = cached.iter().map(|facts| row(facts, "cache")).collect();
    let origin = origin(&target.identity.account, &target.identity.region);
    let files = kubeconfig_target(None);
    let held =
        files.and_then(|files| kubeconfig::client_certificates(&files, &target.name, &origin));
    for (path, pem) in held.unwrap_or_default() {
        if let Ok(facts) = Facts::of_pem("a kubeconfig", &pem) {
            rows.push(row(&facts, &path.display().to_string()));
        }
    }
    rows
}

fn table(rows: &[Row], warn_days: u16) -> String {
    let lines = rows.iter().map(|row| {
        let mark = match row.state(warn_days) {
            State::Good => "ok",
            State::Soon => "!!",
            State::Unseen => "..",
            State::Listed => "",
        };
        let kind = format!("{:?}", row.kind).to_lowercase();
        let until = row
            .expires
            .map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string());
        vec![mark.to_owned(), kind, row.name.clone(), until, left(row)]
    });
    let mut text = out::table(&["", "KIND", "NAME", "UNTIL", "LEFT"], lines);
    for row in rows {
        if let Some(trouble) = &row.trouble {
            text.push('\n');
            text.push_str(&out::listed_line(&format!("{}: ", row.name), trouble));
        }
    }
    text
}

fn left(row: &Row) -> String {
    match row.days_left {
        None => "not seen".to_owned(),
        Some(days) if days < 0 => "expired".to_owned(),
        Some(0) => "today".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
    }
}

fn finish(name: &str, rows: &[Row], warn_days: u16) -> Result<Exit, Failure> {
    let of = |state| rows.iter().filter(move |row| row.state(warn_days) == state);
    let names = |state| {
        of(state)
            .map(|row| row.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if of(State::Soon).next().is_some() {
        let message = format!(
            "not all certificates of {name} are good for {warn_days} days: {}",
            names(State::Soon)
        );
        return Err(Failure::new(Exit::NeedsHand, message).help(
            "a node makes its serving certificate anew as it boots: replace it; grant a CI's access \
             again; an authority lives ten years and needs a plan",
        ));
    }
    if of(State::Unseen).next().is_some() {
        let names = names(State::Unseen);
        return Err(Failure::other(format!("could not be looked at: {names}")));
    }
    let shortest = rows
        .iter()
        .filter(|row| row.kind != Kind::Local)
        .filter_map(|row| row.days_left)
        .min();
    if let Some(days) = shortest {
        talk(&format!("all good, for {days} days at least"));
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn row(kind: Kind, days: i64) -> Row {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let expires = now + SignedDuration::from_hours(days * 24 + 1);
        Row::of(kind, "it", expires, now)
    }

    #[test]
    fn what_ends_soon_needs_a_hand_and_what_is_unseen_is_not_good() {
        let code = |rows: &[Row]| match finish("canary", rows, 30) {
            Ok(exit) => exit,
            Err(failure) => failure.exit,
        };
        assert_eq!(code(&[row(Kind::Serving, 30)]), Exit::Done);
        assert_eq!(code(&[row(Kind::Serving, 29)]), Exit::NeedsHand);
        assert_eq!(code(&[row(Kind::Authority, -2)]), Exit::NeedsHand);
        let unseen = Row::unseen(Kind::Serving, "API", "nothing listens there");
        assert_eq!(
            code(&[row(Kind::Authority, 900), unseen.clone()]),
            Exit::Other
        );
        assert_eq!(code(&[row(Kind::Authority, 2), unseen]), Exit::NeedsHand);
    }

    #[test]
    fn a_certificate_that_lives_for_hours_is_listed_only() {
        let rows = [row(Kind::Local, 0), row(Kind::Authority, 3000)];
        assert_eq!(finish("canary", &rows, 30).unwrap(), Exit::Done);
    }

    #[test]
    fn a_certificate_that_proves_nothing_is_not_good() {
        let mut doubtful = row(Kind::Serving, 300);
        doubtful.trouble = Some("it is for another name".to_owned());
        let failure = finish("canary", &[doubtful], 30).unwrap_err();
        assert_eq!(failure.exit, Exit::NeedsHand);
    }
}
