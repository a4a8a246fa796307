//! The requests that were made, those that are refused, and an API that is gone from one of them on.

use super::http::Request;

/// How an API goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// The request is not carried out, and the connection ends.
    HangUp,
    /// The request is carried out, and the connection ends before its answer; later ones are not carried out.
    LostAnswer,
    /// Nothing is carried out or answered any more.
    Silence,
}

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    Answer,
    HangUp,
    LoseAnswer,
    Silence,
}

/// A validating webhook that refuses a verb on a resource.
#[derive(Debug, Clone, Copy)]
pub struct Webhook {
    pub verb: &'static str,
    pub resource: &'static str,
    /// The code of its answer: 400 where it gives none.
    pub code: u16,
    pub words: &'static str,
}

impl Webhook {
    /// What the API server makes of its answer
    /// (<https://github.com/kubernetes/apiserver/blob/master/pkg/admission/plugin/webhook/errors/statuserror.go>).
    pub fn message(&self) -> String {
        format!(
            "admission webhook \"keep.example.com\" denied the request: {}",
            self.words
        )
    }
}

/// Of one server.
#[derive(Default)]
pub struct Traffic {
    log: Vec<String>,
    /// How many more requests are answered before the outage.
    outage: Option<(usize, Outage)>,
    denied: Vec<(&'static str, &'static str)>,
    webhooks: Vec<Webhook>,
    /// Requests that wait for an answer that never comes.
    silenced: usize,
}

impl Traffic {
    /// Notes a request: `PATCH /api/v1/persistentvolumes/pv-1`.
    pub fn next(&mut self, request: &Request) -> Treatment {
        let treatment = match &mut self.outage {
            None => Treatment::Answer,
            Some((0, Outage::HangUp)) => Treatment::HangUp,
            Some((0, Outage::Silence)) => Treatment::Silence,
            Some((0, how @ Outage::LostAnswer)) => {
                *how = Outage::HangUp;
                Treatment::LoseAnswer
            }
            Some((more, _)) => {
                *more -= 1;
                Treatment::Answer
            }
        };
        if treatment == Treatment::Silence {
            self.silenced += 1;
        }
        if matches!(treatment, Treatment::Answer | Treatment::LoseAnswer) {
            self.log
                .push(format!("{} {}", request.method, request.path));
        }
        treatment
    }

    pub fn log(&self) -> Vec<String> {
        self.log.clone()
    }

    pub fn silenced(&self) -> usize {
        self.silenced
    }

    pub fn set_outage(&mut self, outage: Option<(usize, Outage)>) {
        self.outage = outage;
    }

    /// Refuses a verb on a resource from now on.
    pub fn deny(&mut self, verb: &'static str, resource: &'static str) {
        self.denied.push((verb, resource));
    }

    pub fn add_webhook(&mut self, webhook: Webhook) {
        self.webhooks.push(webhook);
    }

    pub fn webhook(&self, verb: &str, resource: &str) -> Option<Webhook> {
        let mut all = self.webhooks.iter();
        all.find(|one| one.verb == verb && one.resource == resource)
            .copied()
    }

    pub fn is_denied(&self, verb: &str, resource: &str) -> bool {
        let mut denied = self.denied.iter();
        denied.any(|(no, of)| *no == verb && *of == resource)
    }
}
