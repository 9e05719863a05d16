//! Documents that were good once: what files look like after a slip of the pen, a bad export or a bad intention.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};

/// A document in which a few values were replaced, removed or repeated.
pub(crate) fn other_values(good: Value) -> impl Strategy<Value = Vec<u8>> {
    vec(any_change(), 1..5).prop_map(move |changes| {
        let mut document = good.clone();
        for change in changes {
            apply(&mut document, change);
        }
        document.to_string().into_bytes()
    })
}

/// A file in which a few bytes are others, and which may end too early.
pub(crate) fn other_bytes(good: Value) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), Just(b'"'), Just(b'['), Just(b'}')];
    let end = proptest::option::of(any::<Index>());
    (vec((any::<Index>(), byte), 0..6), end).prop_map(move |(changes, end)| {
        let mut bytes = good.to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

/// No document at all.
pub(crate) fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..2_000)
}

/// What every refusal keeps: a known code, and a place that is there.
pub(crate) fn judge_refusal(bytes: &[u8], problems: &[super::Problem]) {
    assert!(!problems.is_empty() && problems.len() <= super::PROBLEMS_MAX);
    let document = serde_json::from_slice::<Value>(bytes).ok();
    for problem in problems {
        assert!(!super::advice(problem.code).is_empty(), "{problem:?}");
        // What is missing is missing from something that is there.
        let pointer = match problem.code {
            "field_missing" | "slug_missing" | "slug_repeated" => {
                problem.pointer.rsplit_once('/').unwrap().0
            }
            _ => problem.pointer.as_str(),
        };
        if let Some(document) = &document {
            assert!(document.pointer(pointer).is_some(), "{problem:?}");
        }
    }
}

/// Pointers of all values of a document.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    let below: Vec<(String, &Value)> = match value {
        Value::Array(list) => (0..).map(|i: usize| i.to_string()).zip(list).collect(),
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        _ => Vec::new(),
    };
    for (token, value) in below {
        let token = super::node::escape(&token);
        pointers(value, &format!("{at}/{token}"), all);
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Index, Value),
    /// Copies one value over another.
    Copy(Index, Index),
    Remove(Index),
    Repeat(Index),
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        Just(json!("small-A-1")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z/~]{0,9}|name|seats|position|x", inner, 0..4)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any_value()).prop_map(|(at, value)| Change::Replace(at, value)),
        any::<(Index, Index)>().prop_map(|(from, to)| Change::Copy(from, to)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::Repeat),
    ]
}

fn apply(plan: &mut Value, change: Change) {
    let mut all = Vec::new();
    pointers(plan, "", &mut all);
    let pick = |index: Index| all[index.index(all.len())].clone();
    match change {
        Change::Replace(at, value) => *plan.pointer_mut(&pick(at)).unwrap() = value,
        Change::Copy(from, to) => {
            let value = plan.pointer(&pick(from)).unwrap().clone();
            *plan.pointer_mut(&pick(to)).unwrap() = value;
        }
        Change::Remove(at) | Change::Repeat(at) => {
            let at = pick(at);
            let repeat = matches!(change, Change::Repeat(_));
            let Some((parent, token)) = at.rsplit_once('/') else {
                return;
            };
            match plan.pointer_mut(parent) {
                Some(Value::Array(list)) if repeat => {
                    let index: usize = token.parse().unwrap();
                    list.push(list[index].clone());
                }
                Some(Value::Array(list)) => drop(list.remove(token.parse().unwrap())),
                Some(Value::Object(fields)) if !repeat => drop(fields.remove(token)),
                _ => {}
            }
        }
    }
}
