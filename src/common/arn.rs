//! The region in an ARN, for commands of the AWS CLI: without `--region` they go where the caller's settings say.

/// The region that an ARN names (`arn:aws:kms:eu-west-1:...`); `None` for a global resource and for other text.
pub fn region(arn: &str) -> Option<&str> {
    let region = arn.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then_some(region)
}

/// ` --region eu-west-1`, to follow the operation in a command; empty where the ARN names no region.
pub fn region_option(arn: &str) -> String {
    region(arn).map_or_else(String::new, |region| format!(" --region {region}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_of_an_arn_becomes_an_option() {
        let key = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/7f";
        assert_eq!(region(key), Some("us-gov-west-1"));
        assert_eq!(region_option(key), " --region us-gov-west-1");
        assert_eq!(region("arn:aws:iam::111122223333:role/x"), None);
        assert_eq!(region_option("7f-1"), "");
    }
}
