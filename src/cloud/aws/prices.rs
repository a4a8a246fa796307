//! AWS's price list: what a product costs on demand. A price is a help in a plan and never needed.

use aws_sdk_pricing::types::{Filter, FilterType};
use serde_json::Value;

use super::Aws;
use super::calls::{ApiCall, all_pages};
use crate::cloud::CloudError;
use crate::cloud::limiter::Service;

/// The price list of all regions is served from a few; this one is in every commercial account.
pub(super) const REGION: &str = "us-east-1";

/// Nobody waits long for a price.
pub(super) const ATTEMPTS: u32 = 2;

impl Aws {
    /// What a unit (an hour, a gigabyte-month, …) of a product costs on demand, in US dollars, as
    /// AWS's price list has it: `service` by its code (`AmazonEC2`), the product by attributes that
    /// all have to match (`instanceType`, `regionCode`, …). The smallest price above zero where the
    /// filters leave several, `None` where they leave none.
    ///
    /// # Errors
    /// As every call; `Refused` at an endpoint without a price list.
    pub async fn price(
        &self,
        service: &str,
        filters: &[(&str, &str)],
    ) -> Result<Option<f64>, CloudError> {
        let api_call = ApiCall::new(Service::Pricing, "GetProducts", service);
        let filter = |(field, value): &(&str, &str)| {
            let filter = Filter::builder().r#type(FilterType::TermMatch);
            filter.field(*field).value(*value).build()
        };
        let filters: Result<Vec<_>, _> = filters.iter().map(filter).collect();
        let filters = filters.map_err(|error| CloudError::Refused {
            operation: api_call.to_string(),
            message: error.to_string(),
        })?;
        let products = all_pages(async |next| {
            let request = self.pricing.get_products().service_code(service);
            let request = request
                .set_filters(Some(filters.clone()))
                .set_next_token(next);
            let page = self.ask_newer(api_call, request.send()).await?;
            let next = page.next_token.filter(|token| !token.is_empty());
            Ok((page.price_list, next))
        })
        .await?;
        let prices = products.iter().filter_map(|product| on_demand(product));
        Ok(prices.min_by(f64::total_cmp))
    }
}

/// The smallest price above zero in one product's `terms.OnDemand.*.priceDimensions.*`.
fn on_demand(product: &str) -> Option<f64> {
    let product: Value = serde_json::from_str(product).ok()?;
    let offers = product.pointer("/terms/OnDemand")?.as_object()?.values();
    let dimensions = offers
        .filter_map(|offer| offer.get("priceDimensions")?.as_object())
        .flat_map(|dimensions| dimensions.values());
    dimensions
        .filter_map(|dimension| dimension.pointer("/pricePerUnit/USD")?.as_str())
        .filter_map(|price| price.parse().ok())
        .filter(|price: &f64| price.is_finite() && *price > 0.0)
        .min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(prices: &[&str]) -> String {
        let dimension = |(nth, price): (usize, &&str)| {
            format!(r#""D{nth}":{{"unit":"Hrs","pricePerUnit":{{"USD":"{price}"}}}}"#)
        };
        let dimensions: Vec<_> = prices.iter().enumerate().map(dimension).collect();
        format!(
            r#"{{"product":{{"sku":"X"}},"terms":{{"OnDemand":{{"X.J":{{"priceDimensions":{{{}}}}}}},
            "Reserved":{{"X.R":{{"priceDimensions":{{"D":{{"pricePerUnit":{{"USD":"0.0001"}}}}}}}}}}}}}}"#,
            dimensions.join(",")
        )
    }

    #[test]
    fn price_is_on_demand_not_reserved() {
        let price = on_demand(&product(&["0.0000000000", "0.0376000000"]));
        assert_eq!(price, Some(0.0376));
    }

    #[test]
    fn product_without_a_price_has_none() {
        assert_eq!(on_demand(&product(&["0.0000000000"])), None);
        assert_eq!(on_demand(r#"{"terms":{}}"#), None);
        assert_eq!(on_demand("not JSON"), None);
    }
}
