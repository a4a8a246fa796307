//! AWS's real sentences and what becomes of them.

use super::*;

const ASKED: ApiCall<'static> = ApiCall::stacks("CreateStack", "canary-base");

fn answer(status: u16, code: &str, message: &str) -> CloudError {
    let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
    from_answer(
        ASKED,
        &Answer {
            status,
            code: some(code),
            message: some(message),
            body: None,
            numbered: true,
        },
    )
}

#[test]
fn denial_names_caller_action_resource_and_reason() {
    let denied = answer(
        403,
        "AccessDenied",
        "User: arn:aws:iam::111122223333:user/eve is not authorized to perform: \
         cloudformation:CreateStack on resource: \
         arn:aws:cloudformation:eu-west-1:111122223333:stack/canary-base/* because no \
         identity-based policy allows the cloudformation:CreateStack action",
    );
    assert_eq!(
        denied,
        CloudError::Denied {
            caller_may_not: "arn:aws:iam::111122223333:user/eve may not \
                cloudformation:CreateStack on \
                arn:aws:cloudformation:eu-west-1:111122223333:stack/canary-base/*: no \
                identity-based policy allows the cloudformation:CreateStack action"
                .to_owned(),
            action: Some("cloudformation:CreateStack".to_owned()),
        }
    );
}

#[test]
fn denial_without_a_message_names_the_call() {
    for (status, code, message) in [(403, "AccessDenied", "Access Denied"), (403, "", "")] {
        let CloudError::Denied {
            caller_may_not,
            action,
        } = answer(status, code, message)
        else {
            panic!("not a denial");
        };
        assert_eq!(
            caller_may_not,
            "the caller may not CreateStack of canary-base"
        );
        assert_eq!(action, None);
    }
}

#[test]
fn encoded_authorization_message_is_not_shown() {
    let error = answer(
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. Encoded authorization failure \
         message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdef",
    );
    assert!(!error.to_string().contains("4GIO"), "{error}");
}

#[test]
fn missing_stack_is_not_found_by_name() {
    for message in [
        "Stack with id canary-base does not exist",
        "Stack [canary-base] does not exist",
        "Stack [arn:aws:cloudformation:eu-west-1:1:stack/canary-base/1f-2] does not exist",
    ] {
        assert_eq!(
            answer(400, "ValidationError", message),
            CloudError::NotFound("stack canary-base".to_owned())
        );
    }
}

#[test]
fn other_missing_things_are_refusals() {
    for message in [
        "Parameters: [Vpc] do not exist in the template",
        "S3 error: The specified bucket does not exist\nFor more information check \
         http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "Template format error: Unresolved resource dependencies [Vpc] in the Resources block",
    ] {
        let error = answer(400, "ValidationError", message);
        assert!(matches!(error, CloudError::Refused { .. }), "{error:?}");
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn stack_with_a_running_operation_is_a_conflict() {
    for (code, message) in [
        (
            "AlreadyExistsException",
            "Stack [canary-base] already exists",
        ),
        (
            "ValidationError",
            "Stack:arn:aws:cloudformation:eu-west-1:1:stack/canary-base/1 is in \
             UPDATE_IN_PROGRESS state and can not be updated.",
        ),
        (
            "InvalidChangeSetStatus",
            "ChangeSet [arn:x] cannot be executed in its current status of [FAILED]",
        ),
    ] {
        let error = answer(400, code, message);
        assert_eq!(error, CloudError::Conflict(message.to_owned()));
    }
}

#[test]
fn termination_protection_is_refused_with_the_aws_message() {
    let error = answer(
        400,
        "ValidationError",
        "Stack [canary-base] cannot be deleted while TerminationProtection is enabled",
    );
    assert_eq!(
        error.to_string(),
        "AWS refused CreateStack of canary-base: Stack [canary-base] cannot be deleted while \
         TerminationProtection is enabled"
    );
}

#[test]
fn throttling_is_transient_by_code_or_status() {
    for (status, code) in [
        (400, "Throttling"),
        (400, "ThrottlingException"),
        (503, "SlowDown"),
        (429, ""),
    ] {
        let error = answer(status, code, "Rate exceeded");
        assert_eq!(
            error,
            CloudError::Throttled("CreateStack of canary-base".to_owned())
        );
        assert!(error.is_transient());
    }
}

#[test]
fn expired_and_unknown_credentials_have_help() {
    for (code, message, wanted) in [
        (
            "ExpiredToken",
            "The security token included in the request is expired",
            "aws sso login",
        ),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            "get-caller-identity",
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            "clock",
        ),
    ] {
        let CloudError::Credentials { reason, help } = answer(403, code, message) else {
            panic!("{code} is about credentials");
        };
        assert_eq!(reason, message);
        assert!(help.contains(wanted), "{help}");
    }
}

#[test]
fn server_error_is_transient() {
    let error = answer(500, "InternalFailure", "");
    assert_eq!(
        error.to_string(),
        "no answer from AWS for CreateStack of canary-base: HTTP 500: InternalFailure"
    );
    assert!(error.is_transient());
}

#[test]
fn web_page_as_answer_is_shortened() {
    let page = format!(
        "<html>\n<body>\n{}</body></html>",
        "proxy says no ".repeat(100)
    );
    let error = from_answer(
        ASKED,
        &Answer {
            status: 502,
            body: Some(&page),
            ..Answer::default()
        },
    );
    let text = error.to_string();
    assert!(
        text.contains("HTTP 502: <html> <body> proxy says no"),
        "{text}"
    );
    assert!(text.chars().count() < 260 && text.ends_with('…'), "{text}");
}

#[test]
fn missing_credentials_list_the_sources() {
    let CloudError::Credentials { reason, help } = credentials::from_chain(
        &CredentialsError::not_loaded("no providers in chain provided credentials"),
    ) else {
        panic!("about credentials");
    };
    assert_eq!(reason, "none found");
    assert!(help.contains("AWS_PROFILE") && help.contains("aws sso login"));
}

#[test]
fn expired_sso_session_names_sso_login() {
    let cause =
        CredentialsError::provider_error(std::io::Error::other("the cached SSO token has expired"));
    let CloudError::Credentials { reason, help } = credentials::from_chain(&cause) else {
        panic!("about credentials");
    };
    assert_eq!(reason, "the cached SSO token has expired");
    assert!(help.starts_with("run `aws sso login`"));
}

#[test]
fn quoted_request_is_removed_from_the_error() {
    let said = "failed to apply endpoint `foo` to request `Request { body: Once(b\"secret\") }`";
    assert_eq!(shorten(said), "failed to apply endpoint `foo`");
    assert_eq!(shorten("no such request"), "no such request");
}

#[test]
fn credential_error_codes_are_recognised() {
    for code in [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "AuthFailure",
    ] {
        for status in [400, 401, 403] {
            let error = answer(status, code, "");
            let CloudError::Credentials { reason, .. } = &error else {
                panic!("{status} {code}: {error:?}");
            };
            assert_eq!(reason, code);
            assert!(!error.is_transient());
        }
    }
}

#[test]
fn ended_identity_center_session_names_sso_login() {
    for said in [
        "UnauthorizedException: Session token not found or invalid",
        "InvalidGrantException: the refresh came too late",
        "the SSO token has expired",
        "failed to refresh token: token is expired",
    ] {
        let cause = CredentialsError::provider_error(std::io::Error::other(said));
        let CloudError::Credentials { help, .. } = credentials::from_chain(&cause) else {
            panic!("about credentials");
        };
        assert!(help.starts_with("run `aws sso login`"), "{said}: {help}");
    }
}

#[test]
fn foreign_answer_is_no_answer_whatever_its_status() {
    let page = "<html>sign in first</html>";
    for (status, code) in [
        (200, None),
        (302, None),
        (403, None),
        (404, None),
        (404, Some("NotFound")),
        (407, None),
    ] {
        let answer = Answer {
            status,
            code,
            body: Some(page),
            ..Answer::default()
        };
        let error = from_answer(ASKED, &answer);
        assert!(error.is_transient(), "{status} {code:?}: {error:?}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("HTTP {status}")) && text.contains(page),
            "{text}"
        );
    }
}
