//! The subresource `eviction` of pods, and the controller that says how many evictions a `PodDisruptionBudget` allows.
//!
//! pkg/registry/core/pod/storage/eviction.go and pkg/controller/disruption/disruption.go of kubernetes/kubernetes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::deletion::is_ending;
use super::http::Place;
use super::store::{Answer, Key, Store};

const PODS: &str = "api/v1/pods";
const BUDGETS: &str = "apis/policy/v1/poddisruptionbudgets";
/// An evicted pod whose deletion was not seen for so long counts again.
const DELETION: SignedDuration = SignedDuration::from_mins(2);
const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

impl Store {
    /// Evicts the pod of the URL; `eviction` is a `policy/v1` Eviction.
    pub fn evict(&mut self, place: &Place, eviction: &Value, is_dry_run: bool) -> Answer {
        let name = place.name.clone().unwrap_or_default();
        if eviction["metadata"]["name"] != name.as_str() {
            let message = "name in URL does not match name in Eviction object";
            return Answer::status(400, "BadRequest", message, None);
        }
        let options = &eviction["deleteOptions"];
        let of_body = options["dryRun"].as_array();
        let is_dry_run = is_dry_run || of_body.is_some_and(|how| how.contains(&json!("All")));
        let key = (
            PODS.to_owned(),
            place.namespace.clone().unwrap_or_default(),
            name.clone(),
        );
        let Some(stored) = self.objects.get(&key) else {
            return Answer::missing(place, &name);
        };
        let pod = stored.object.clone();
        if let Some(refused) = super::deletion::unmet_precondition(place, &pod, options) {
            return refused;
        }
        let is_running = pod["status"]["phase"] == "Running" && !is_ending(&pod);
        let mut budgets = self.budgets_of(&pod);
        if is_running && budgets.len() > 1 {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Answer::status(500, "", message, None);
        }
        if is_running
            && let Some(budget) = budgets.pop()
            && let Some(refused) = self.take_from(&budget, &pod, is_dry_run)
        {
            return refused;
        }
        if !is_dry_run {
            let pods = Place {
                sub: None,
                ..place.clone()
            };
            let answer = self.delete(&pods, options);
            if answer.code >= 400 {
                return answer;
            }
        }
        Answer::of(
            201,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
        )
    }

    /// Keys of the budgets that select a pod.
    fn budgets_of(&self, pod: &Value) -> Vec<Key> {
        let found = self.objects.iter().filter(|(key, stored)| {
            let selector = &stored.object["spec"]["selector"];
            key.0 == BUDGETS
                && pod["metadata"]["namespace"] == key.1.as_str()
                && selects(selector, &pod["metadata"]["labels"])
        });
        found.map(|(key, _)| key.clone()).collect()
    }

    /// Counts an eviction against a budget; the refusal where it allows none.
    fn take_from(&mut self, key: &Key, pod: &Value, is_dry_run: bool) -> Option<Answer> {
        let mut budget = self.objects[key].object.clone();
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let status = budget["status"].clone();
        let (healthy, desired) = (
            number(&status["currentHealthy"]),
            number(&status["desiredHealthy"]),
        );
        let policy = budget["spec"]["unhealthyPodEvictionPolicy"].as_str();
        let spares_nothing = policy == Some("AlwaysAllow") || (healthy >= desired && desired > 0);
        if !is_ready(pod) && spares_nothing {
            return None;
        }
        let refused = |cause: String, seconds: u64| {
            let mut answer = Answer::status(
                429,
                "TooManyRequests",
                VIOLATES,
                Some(json!([{"reason": "DisruptionBudget", "message": cause}])),
            );
            answer.wait(seconds);
            Some(answer)
        };
        let name = &key.2;
        if number(&status["observedGeneration"]) < number(&budget["metadata"]["generation"]) {
            let cause =
                format!("The disruption budget {name} is still being processed by the server.");
            return refused(cause, 10);
        }
        if number(&status["disruptionsAllowed"]) <= 0 {
            let cause = format!(
                "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
            );
            return refused(cause, 0);
        }
        if !is_dry_run {
            let status = &mut budget["status"];
            status["disruptionsAllowed"] = json!(number(&status["disruptionsAllowed"]) - 1);
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            status["disruptedPods"][pod] = json!(Timestamp::now().to_string());
            let owned = self.objects[key].owned.clone();
            self.keep(key.clone(), budget, owned);
        }
        None
    }
}

pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Whether a label selector selects an object: none selects nothing, an empty one everything.
fn selects(selector: &Value, labels: &Value) -> bool {
    if selector.is_null() {
        return false;
    }
    let equal = selector["matchLabels"].as_object();
    let mut equal = equal.into_iter().flatten();
    let expressions = selector["matchExpressions"].as_array();
    let mut expressions = expressions.into_iter().flatten();
    equal.all(|(key, value)| labels[key] == *value)
        && expressions.all(|one| {
            let found = &labels[one["key"].as_str().unwrap_or_default()];
            let listed = one["values"]
                .as_array()
                .is_some_and(|all| all.contains(found));
            match one["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => !found.is_null(),
                Some("DoesNotExist") => found.is_null(),
                other => panic!("an operator {other:?}"),
            }
        })
}

/// The disruption controller: writes the status of every budget.
pub fn count_budgets(store: &mut Store) {
    let keys = store.objects.keys().filter(|key| key.0 == BUDGETS);
    for key in keys.cloned().collect::<Vec<_>>() {
        let mut budget = store.objects[&key].object.clone();
        let mut pods = store.of(PODS);
        pods.retain(|pod| {
            pod["metadata"]["namespace"] == key.1.as_str()
                && selects(&budget["spec"]["selector"], &pod["metadata"]["labels"])
                && !["Succeeded", "Failed"]
                    .contains(&pod["status"]["phase"].as_str().unwrap_or_default())
        });
        let disrupted = budget["status"]["disruptedPods"].clone();
        let is_expected = |name: &str, at: &Value| {
            let at: Option<Timestamp> = at.as_str().and_then(|text| text.parse().ok());
            let is_recent = at.is_some_and(|at| Timestamp::now().duration_since(at) < DELETION);
            let mut pods = pods.iter();
            is_recent && pods.any(|pod| pod["metadata"]["name"] == name && !is_ending(pod))
        };
        let disrupted: serde_json::Map<String, Value> = disrupted
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, at)| is_expected(name, at))
            .map(|(name, at)| (name.clone(), at.clone()))
            .collect();
        let counts = |pod: &&Value| {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            is_ready(pod) && !is_ending(pod) && !disrupted.contains_key(name)
        };
        let healthy = i64::try_from(pods.iter().filter(counts).count()).unwrap();
        let (expected, desired) = wanted(store, &budget, &pods);
        let generation = budget["metadata"]["generation"].clone();
        let status = json!({
            "currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
            "disruptionsAllowed": if expected > 0 { (healthy - desired).max(0) } else { 0 },
            "disruptedPods": disrupted, "observedGeneration": generation,
        });
        if budget["status"] != status {
            budget["status"] = status;
            let owned = store.objects[&key].owned.clone();
            store.keep(key, budget, owned);
        }
    }
}

/// How many pods there are to be, and how many of them have to be healthy. `maxUnavailable` and shares count the replicas of
/// the pods' controllers.
fn wanted(store: &Store, budget: &Value, pods: &[Value]) -> (i64, i64) {
    let share =
        |of: &Value, expected: i64| match of.as_str().and_then(|text| text.strip_suffix('%')) {
            Some(percent) => (expected * percent.parse::<i64>().unwrap() + 99) / 100,
            None => of.as_i64().unwrap_or(0),
        };
    let least = &budget["spec"]["minAvailable"];
    if least.is_i64() || least.is_u64() {
        return (i64::try_from(pods.len()).unwrap(), share(least, 0));
    }
    let expected = replicas(store, pods);
    if least.is_string() {
        return (expected, share(least, expected));
    }
    let most = &budget["spec"]["maxUnavailable"];
    (expected, (expected - share(most, expected)).max(0))
}

fn replicas(store: &Store, pods: &[Value]) -> i64 {
    let mut owners = std::collections::BTreeMap::new();
    for pod in pods {
        let references = pod["metadata"]["ownerReferences"].as_array();
        let owner = references
            .into_iter()
            .flatten()
            .find(|one| one["controller"] == true);
        let Some(owner) = owner else { continue };
        let collection = match owner["kind"].as_str().unwrap_or_default() {
            "ReplicaSet" => "apis/apps/v1/replicasets",
            "StatefulSet" => "apis/apps/v1/statefulsets",
            _ => continue,
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (
            collection.to_owned(),
            text(&pod["metadata"]["namespace"]),
            text(&owner["name"]),
        );
        let found = store.objects.get(&key);
        let wanted = found.map_or(0, |found| {
            found.object["spec"]["replicas"].as_i64().unwrap_or(1)
        });
        owners.insert(key, wanted);
    }
    owners.values().sum()
}
