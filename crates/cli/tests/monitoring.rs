//! The dashboard and the alerts in `deploy/` name only metrics and labels that the program has.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;
#[expect(dead_code, reason = "other tests need more of it")]
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use program::Place;
use serde_json::Value;
use served::Served;
use shenfen_core::Status;

/// What a worker answers to `/metrics`; a test of its metrics keeps this file so.
const WORKER: &str = include_str!("../../worker/src/service/metrics/exposition.txt");

/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["job", "instance"];

/// The values of each label of each metric.
type Metrics = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn deployed(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)).unwrap()
}

/// The metrics in the text format 0.0.4.
fn note(metrics: &mut Metrics, text: &str) {
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let known = metrics.entry(name.to_owned()).or_default();
        for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once("=\"").unwrap();
            known.entry(label.to_owned()).or_default().insert(value.trim_end_matches('"').to_owned());
        }
    }
}

fn all_metrics() -> Metrics {
    let mut metrics = Metrics::new();
    note(&mut metrics, WORKER);
    let place = Place::new();
    let served = Served::start(&mut place.shenfen(&["serve", "--listen", "127.0.0.1:0", "--threads", "1"]));
    served.post("/idcard", "id=330825197801104539");
    // There is no database.
    assert_eq!(served.ask("GET", "/v1/batches/kyc", &[], b"").status, 503);
    note(&mut metrics, &served.ask("GET", "/metrics", &[], b"").body);
    metrics
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression.chars().peekable();
    while let Some(first) = rest.next() {
        let mut word = String::from(first);
        match first {
            '"' => tokens.push(Token::Text(rest.by_ref().take_while(|&next| next != '"').collect())),
            _ if first.is_alphanumeric() || "_$:.".contains(first) => {
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || "_:.".contains(*next)) {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ if first.is_whitespace() => {}
            _ => tokens.push(Token::Sign(first)),
        }
    }
    tokens
}

/// What an expression names: each metric with its matchers (label and the texts it is compared with), and the labels that are
/// grouped by.
#[derive(Debug, Default, PartialEq)]
struct Names {
    selectors: Vec<(String, Vec<(String, String)>)>,
    grouped: BTreeSet<String>,
}

fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let sign = |at: usize, sign: char| tokens.get(at) == Some(&Token::Sign(sign));
    let grouping = |at: usize| matches!(tokens.get(at), Some(Token::Word(word)) if word == "by" || word == "without");
    let mut names = Names::default();
    let mut at = 0;
    while at < tokens.len() {
        let here = at;
        at += 1;
        let Token::Word(word) = &tokens[here] else {
            // A range, as [10m].
            if sign(here, '[') {
                at = (here..tokens.len()).find(|&end| sign(end, ']')).expect("a range should end") + 1;
            }
            continue;
        };
        let end = |close: char| (here..tokens.len()).find(|&end| sign(end, close)).expect("it should end");
        match word.as_str() {
            "by" | "on" | "ignoring" | "without" | "group_left" => {
                let labels = tokens[here..end(')')].iter().skip(2);
                names.grouped.extend(labels.filter_map(|token| match token {
                    Token::Word(label) => Some(label.clone()),
                    _ => None,
                }));
                at = end(')') + 1;
            }
            "and" | "or" | "unless" | "offset" => {}
            _ if sign(at, '(') || grouping(at) || word.starts_with(|first: char| first.is_ascii_digit()) => {}
            _ => {
                let mut matchers = Vec::new();
                if sign(at, '{') {
                    let inside: Vec<&Token> =
                        tokens[at..end('}')].iter().filter(|token| !matches!(token, Token::Sign(_))).collect();
                    for pair in inside.chunks(2) {
                        let [Token::Word(label), Token::Text(text)] = pair else { panic!("{pair:?} in {expression}") };
                        matchers.push((label.clone(), text.clone()));
                    }
                    at = end('}') + 1;
                }
                names.selectors.push((word.clone(), matchers));
            }
        }
    }
    names
}

#[test]
fn names_are_found_in_expressions() {
    let found =
        names(r#"max by (job, le) (rate(a_total{x=~"b|c", y!="d"}[10m] offset 1h)) > 2 * e and on (z) absent(f) == 0"#);
    let pair = |label: &str, text: &str| (label.to_owned(), text.to_owned());
    let selectors = vec![
        ("a_total".to_owned(), vec![pair("x", "b|c"), pair("y", "d")]),
        ("e".to_owned(), vec![]),
        ("f".to_owned(), vec![]),
    ];
    let grouped = ["job", "le", "z"].map(str::to_owned).into();
    assert_eq!(found, Names { selectors, grouped });
}

/// Asserts that the program has what the expression names.
fn check(metrics: &Metrics, expression: &str) {
    let names = names(expression);
    assert!(!names.selectors.is_empty(), "{expression}");
    let mut labels: BTreeSet<&str> = ADDED.into();
    for (metric, matchers) in &names.selectors {
        let known = metrics.get(metric).unwrap_or_else(|| panic!("there is no metric {metric}: {expression}"));
        labels.extend(known.keys().map(String::as_str));
        for (label, text) in matchers.iter().filter(|(label, _)| !ADDED.contains(&label.as_str())) {
            let values = known.get(label).unwrap_or_else(|| panic!("{metric} has no label {label}: {expression}"));
            for value in text.split('|') {
                // What a healthy service without pictures does not answer.
                let rare = [Status::RetryLater.as_str(), "Internal Server Error", "other"].contains(&value);
                assert!(rare || values.contains(value), "{metric} has no {label} {value}: {expression}");
            }
        }
    }
    for label in &names.grouped {
        assert!(labels.contains(label.as_str()), "nothing has the label {label}: {expression}");
    }
}

#[test]
fn dashboard_and_alerts_name_what_the_program_has() {
    let metrics = all_metrics();
    let dashboard: Value = serde_json::from_str(&deployed("grafana/shenfen.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 5);
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        check(&metrics, target["expr"].as_str().unwrap());
    }

    let alerts: Value = serde_yaml_ng::from_str(&deployed("prometheus/alerts.yaml")).unwrap();
    let operations = include_str!("../../../docs/operations.md");
    let rules: Vec<&Value> =
        alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert!(rules.len() > 5);
    for rule in rules {
        check(&metrics, rule["expr"].as_str().unwrap());
        let name = rule["alert"].as_str().unwrap();
        assert!(rule["annotations"]["summary"].is_string(), "{name}");
        let runbook = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], runbook);
        assert!(operations.lines().any(|line| line == format!("### {name}")), "operations.md says nothing on {name}");
    }
}
