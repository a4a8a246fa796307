//! The prices of a plan by AWS's own price list.

use futures::future::join_all;
use jiff::Timestamp;

use super::cost;
use super::prices::Prices;
use crate::cloud::CloudError;
use crate::plan::Plan;

/// `prices` with what AWS says of everything in the plan. What it does not say keeps its price; the error
/// tells why the list could not be read for all of it. `ask` reads the price list: a service, and filters.
pub async fn live_prices(
    plan: &Plan,
    region: &str,
    prices: Prices,
    now: Timestamp,
    ask: impl AsyncFn(&str, &[(&str, &str)]) -> Result<Option<f64>, CloudError>,
) -> (Prices, Option<CloudError>) {
    let ask = &ask;
    let asked = cost::wanted_by(plan, region).into_iter().filter_map(|key| {
        let query = key.query()?;
        Some(async move {
            let filters = query.filters.iter();
            let filters: Vec<_> = filters.map(|(name, of)| (*name, of.as_str())).collect();
            (key, ask(query.service, &filters).await)
        })
    });
    let (mut live, mut failed) = (Vec::new(), None);
    for (key, answer) in join_all(asked).await {
        match answer {
            Ok(usd) => live.extend(usd.map(|usd| (key, usd))),
            Err(error) => failed = Some(error),
        }
    }
    let today = now.strftime("%Y-%m-%d").to_string();
    (prices.overlay(live, &today), failed)
}
