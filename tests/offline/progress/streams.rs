//! Random streams of events fit every terminal and break no renderer.

use console::measure_text_width;
use kube_cfn::cloud::{ResourceStatus, StackStatus};
use kube_cfn::events::{Event, Expected, Failure, Outcome, Place, Span, SweepPart, Verb};
use kube_cfn::progress::{LineRenderer, Model, Renderer};
use kube_cfn::stacks::StackKind;
use proptest::prelude::*;

use super::runs::{at, pool};

fn stack() -> impl Strategy<Value = StackKind> {
    prop_oneof![
        Just(StackKind::Base),
        Just(StackKind::Network),
        Just(StackKind::Edge),
        Just(StackKind::Database),
        Just(StackKind::ControlPlane),
        "[a-z-]{1,40}|pool[0-9]".prop_map(|name| pool(&name)),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![Just(Verb::Create), Just(Verb::Update), Just(Verb::Delete)]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 :/,.-]{0,300}",
        "\\PC{0,80}",
        "(a|\t|\n|\u{1b}\\[31m|\u{6771}){0,60}",
        Just("Resource creation cancelled".to_owned()),
    ]
}

fn status() -> impl Strategy<Value = ResourceStatus> {
    let known = "(CREATE|UPDATE|DELETE|ROLLBACK)_(IN_PROGRESS|COMPLETE|FAILED|SKIPPED)";
    prop_oneof![4 => known.boxed(), 1 => "\\PC{0,30}".boxed()].prop_map(ResourceStatus::new)
}

fn failure() -> impl Strategy<Value = Failure> {
    (words(), proptest::option::of(words())).prop_map(|(reason, id)| Failure {
        status: Some(StackStatus::from("ROLLBACK_COMPLETE")),
        resource: id.clone(),
        hint: id.clone(),
        cancelled: id.clone().into_iter().collect(),
        place: id.clone().map(|field| Place {
            template: field.clone(),
            field: Some(field),
        }),
        logical_id: id,
        ..Failure::of_stack(None, reason)
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Created),
        Just(Outcome::Updated),
        Just(Outcome::Unchanged),
        failure().prop_map(Outcome::RolledBack),
        failure().prop_map(Outcome::NotBegun),
        failure().prop_map(Outcome::Failed),
        stack().prop_map(|needs| Outcome::NotStarted { needs }),
    ]
}

fn announced() -> impl Strategy<Value = Expected> {
    let needs = proptest::collection::vec(stack(), 0..4);
    let operation = proptest::option::of(verb());
    let span = proptest::option::weighted(0.9, (any::<u32>(), any::<u32>()));
    (stack(), operation, 0..200usize, needs, span).prop_map(
        |(stack, operation, resources, needs, span)| Expected {
            stack,
            operation,
            resources,
            needs,
            span: span.map(|(from, to)| Span { from, to }),
        },
    )
}

fn part() -> impl Strategy<Value = SweepPart> {
    let done = prop_oneof![0..20usize, any::<usize>()];
    (words(), done, 0..20usize, words()).prop_map(|(name, done, wanted, state)| SweepPart {
        name,
        done,
        wanted,
        state,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let time = -50..90_000i64;
    let kind = prop_oneof![
        Just("AWS::RDS::DBInstance".to_owned()),
        Just("AWS::CloudFormation::Stack".to_owned()),
        words(),
    ];
    let resource = (time.clone(), stack(), kind, words(), status(), words());
    prop_oneof![
        1 => (time.clone(), verb(), proptest::collection::vec(announced(), 0..20), words())
            .prop_map(|(time, verb, stacks, cluster)| Event::RunStarted {
                at: at(time), run: "7f3a".to_owned(), cluster, verb, stacks }),
        4 => (time.clone(), stack(), verb()).prop_map(|(time, stack, operation)|
            Event::StackStarted { at: at(time), stack, operation }),
        12 => resource.prop_map(|(time, stack, resource_type, sentence, status, reason)|
            Event::Resource { at: at(time), stack, logical_id: sentence.clone(), resource_type,
                sentence, status, reason: Some(reason) }),
        2 => (time.clone(), stack(), failure()).prop_map(|(time, stack, failure)|
            Event::Failed { at: at(time), stack, failure }),
        3 => (time.clone(), stack(), outcome()).prop_map(|(time, stack, outcome)|
            Event::StackSettled { at: at(time), stack, outcome }),
        2 => (time.clone(), proptest::option::of(stack()), words()).prop_map(|(time, stack, text)|
            Event::Note { at: at(time), stack, text }),
        2 => (time.clone(), 0..4i64, proptest::collection::vec(part(), 0..20)).prop_map(|(time, since, parts)|
            Event::Sweep { at: at(time), since: at(since), parts }),
        1 => (time, any::<bool>()).prop_map(|(time, succeeded)|
            Event::RunFinished { at: at(time), succeeded }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_stream_leaves_its_terminal(
        events in proptest::collection::vec(event(), 0..60),
        now in -100..100_000i64,
        width in 0..140usize,
        height in 0..40usize,
    ) {
        let mut model = Model::default();
        for event in &events {
            model.update(event);
        }
        let view = model.view(at(now), width, height);
        prop_assert!(view.len() <= height, "{} lines in {height}", view.len());
        for line in view.iter().chain(&model.summary(at(now), width)) {
            let line = line.to_string();
            prop_assert!(measure_text_width(&line) <= width, "{width}: {line:?}");
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn every_event_is_a_line_of_its_own_and_a_failure_five_at_most(events in proptest::collection::vec(event(), 0..30)) {
        let mut out = Vec::new();
        let mut renderer = LineRenderer::new(&mut out);
        let (mut least, mut reports, mut swept) = (0, 0, 0);
        for event in &events {
            renderer.render(event).expect("an event");
            match event {
                Event::RunStarted { stacks, .. } => least += 1 + stacks.len(),
                // Five lines at most, and none when the cause was shown already.
                Event::Failed { .. } => reports += 1,
                // Only what changed has a line.
                Event::Sweep { parts, .. } => swept += parts.len(),
                _ => least += 1,
            }
        }
        drop(renderer);
        let lines = String::from_utf8_lossy(&out).lines().count();
        prop_assert!((least..=least + 5 * reports + swept).contains(&lines), "{lines} of {least}");
    }
}
