//! Golden screens: the display at one moment, and the log and summary of the same run.

use kube_cfn::progress::{JsonRenderer, LineRenderer, Model, Renderer};

use super::runs::{self, Run, at};
use crate::support::golden;

fn model(run: &Run) -> Model {
    let mut model = Model::default();
    run.events.iter().for_each(|event| model.update(event));
    model
}

fn text<T: ToString>(lines: &[T]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

fn screen(name: &str, run: &Run, second: i64, width: usize, height: usize) {
    let screen = model(run).view(at(second), width, height);
    golden::check(&format!("progress/{name}/screen.txt"), &text(&screen));
}

/// Everything a renderer writes, heartbeats at their seconds.
fn written(run: &Run, end: i64, show: impl Fn(&mut Vec<u8>) -> Box<dyn Renderer + '_>) -> String {
    let mut out = Vec::new();
    let mut renderer = show(&mut out);
    let mut second = 0;
    for event in &run.events {
        while at(second) < event.at() {
            second += 1;
            renderer.tick(at(second)).expect("a tick");
        }
        renderer.render(event).expect("an event");
    }
    renderer.finish(at(end)).expect("an end");
    drop(renderer);
    String::from_utf8(out).expect("text")
}

fn log(name: &str, run: &Run, end: i64) {
    let lines = written(run, end, |out| Box::new(LineRenderer::new(out)));
    golden::check(&format!("progress/{name}/lines.txt"), &lines);
}

#[test]
fn halfway_the_database_is_on_the_critical_path() {
    screen("halfway", &runs::halfway(), 260, 80, 24);
}

#[test]
fn a_whole_run_as_a_log() {
    log("whole", &runs::whole(), 651);
}

#[test]
fn a_whole_run_as_json() {
    let events = written(&runs::whole(), 651, |out| Box::new(JsonRenderer::new(out)));
    golden::check("progress/whole/events.jsonl", &events);
}

#[test]
fn a_failure_is_pinned_before_its_rollback_ends() {
    screen("failing", &runs::failing(), 290, 80, 24);
}

#[test]
fn a_failed_run_as_a_log() {
    log("failed", &runs::failed(), 650);
}

#[test]
fn a_failed_run_summed_up() {
    let summary = model(&runs::failed()).summary(at(650), 80);
    golden::check("progress/failed/summary.txt", &text(&summary));
}

#[test]
fn a_detached_run_lists_running_stacks() {
    let summary = model(&runs::failing()).summary(at(290), 80);
    golden::check("progress/detached/summary.txt", &text(&summary));
}

#[test]
fn twelve_stacks_fit() {
    screen("twelve", &runs::twelve(), 290, 80, 24);
}

#[test]
fn twelve_stacks_fit_half_a_screen() {
    screen("twelve-short", &runs::twelve(), 290, 80, 12);
}

#[test]
fn twelve_stacks_fit_six_lines() {
    screen("twelve-tiny", &runs::twelve(), 290, 80, 6);
}

#[test]
fn an_update_says_what_happens_to_each() {
    screen("update", &runs::update(), 45, 80, 24);
}

#[test]
fn nothing_to_do() {
    screen("nothing", &runs::nothing(), 3, 80, 24);
    log("nothing", &runs::nothing(), 3);
}

#[test]
fn deletion_waits_for_dependents() {
    screen("delete", &runs::deleting(), 90, 80, 24);
}

#[test]
fn sixty_columns_keep_the_figures() {
    screen("narrow", &runs::halfway(), 260, 60, 24);
}

#[test]
fn a_slow_resource_is_called_slow() {
    screen("slow", &runs::halfway(), 1500, 80, 24);
}

#[test]
fn a_very_long_reason_and_an_unknown_status() {
    screen("strange", &runs::strange(), 75, 80, 24);
}

#[test]
fn a_very_long_reason_keeps_its_cause_on_a_short_screen() {
    screen("strange-short", &runs::strange(), 75, 80, 10);
}
