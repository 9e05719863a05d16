//! Each way to break a contract is tried on the real ones.

use super::*;
use crate::contracts::snapshot::{Binding, Queue};
use serde_json::{Value, json};

fn today() -> Snapshot {
    Snapshot::today().unwrap()
}

/// What is found when the contracts are changed so after their release.
fn after(change: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    let (old, mut new) = (today(), today());
    change(&mut new);
    breakages(&old, &new)
}

fn schema<'a>(snapshot: &'a mut Snapshot, kind: &str) -> &'a mut Value {
    snapshot.schemas.get_mut(kind).unwrap()
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Snapshot), says: &str) {
    let found = after(change);
    assert!(
        found.iter().any(|line| line.contains(says)),
        "expected {says:?}, found {found:#?}"
    );
}

#[track_caller]
fn allowed(change: impl FnOnce(&mut Snapshot)) {
    let mut changed = false;
    let found = after(|snapshot| {
        change(snapshot);
        changed = *snapshot != today();
    });
    assert!(changed, "the test changed nothing");
    assert_eq!(found, Vec::<String>::new());
}

const SUBMIT: &str = "booking.submit.v1";

#[test]
fn what_partners_send_and_get_is_engraved_too() {
    let found = after(|new| {
        new.partner.remove("price.upsert.v1");
        let show = new.partner.get_mut("show.upsert.v1").unwrap();
        let properties = show["properties"].as_object_mut().unwrap();
        properties.remove("hall");
        show["required"] = serde_json::json!(["id", "film", "starts_at", "currency"]);
    });
    assert!(
        found.contains(&"partner price.upsert.v1 is gone".to_owned()),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("partner show.upsert.v1")),
        "{found:?}"
    );
    // The first release knew none of them.
    let mut old = today();
    old.partner.clear();
    assert_eq!(breakages(&old, &today()), Vec::<String>::new());
}

#[test]
fn the_same_is_not_broken() {
    assert_eq!(breakages(&today(), &today()), Vec::<String>::new());
}

#[test]
fn a_renamed_field_is_refused() {
    refused(
        |new| {
            let fields = schema(new, SUBMIT)["properties"].as_object_mut().unwrap();
            let field = fields.remove("show_id").unwrap();
            fields.insert("performance_id".to_owned(), field);
        },
        "booking.submit.v1: the field show_id is gone",
    );
}

#[test]
fn a_field_that_is_renamed_within_a_shared_type_is_refused() {
    refused(
        |new| {
            let fields = &mut schema(new, "booking.held.v1")["$defs"]["BookingFact"]["properties"];
            let fields = fields.as_object_mut().unwrap();
            let field = fields.remove("code").unwrap();
            fields.insert("reason".to_owned(), field);
        },
        "booking.held.v1: the field code is gone",
    );
}

#[test]
fn a_retyped_field_is_refused() {
    refused(
        |new| schema(new, SUBMIT)["properties"]["request_hash"]["type"] = json!("integer"),
        "booking.submit.v1/request_hash: type is \"integer\", was \"string\"",
    );
    refused(
        |new| schema(new, SUBMIT)["properties"]["deadline"] = json!({"$ref": "#/$defs/SeatId"}),
        "booking.submit.v1/deadline: format is nothing",
    );
}

#[test]
fn a_new_field_is_allowed_if_it_may_be_left_out() {
    let add = |new: &mut Snapshot| {
        schema(new, "booking.cancel.v1")["properties"]["wish"] =
            json!({"type": ["string", "null"], "maxLength": 500});
    };
    allowed(add);
    refused(
        |new| {
            add(new);
            let needed = schema(new, "booking.cancel.v1")["required"].as_array_mut();
            needed.unwrap().push(json!("wish"));
        },
        "the new field wish is required",
    );
}

#[test]
fn a_field_stays_required_or_not() {
    refused(
        |new| {
            let needed = schema(new, SUBMIT)["required"].as_array_mut().unwrap();
            needed.push(json!("payment"));
        },
        "the field payment became required",
    );
    refused(
        |new| {
            let needed = schema(new, SUBMIT)["required"].as_array_mut().unwrap();
            needed.retain(|name| name != "customer");
        },
        "the field customer may now be left out",
    );
}

#[test]
fn bounds_patterns_and_defaults_stay() {
    for (pointer, value) in [
        ("/properties/positions/maxItems", json!(8)),
        ("/properties/request_hash/pattern", json!("^[0-9a-f]{32}$")),
        ("/properties/late_policy/default", json!("refuse")),
        ("/$defs/AdmissionRequest/properties/count/maximum", json!(4)),
        ("/$defs/SeatId/maxLength", json!(32)),
    ] {
        let keyword = pointer.rsplit('/').next().unwrap().to_owned();
        refused(
            |new| *schema(new, SUBMIT).pointer_mut(pointer).unwrap() = value,
            &format!("{keyword} is"),
        );
    }
    refused(
        |new| {
            schema(new, SUBMIT)["$defs"]["Customer"]["properties"]["name"]["pattern"] = json!("^A");
        },
        "customer/name: pattern is \"^A\", was nothing",
    );
}

#[test]
fn a_list_keeps_its_values_and_grows_only_when_it_said_so() {
    let drop_first = |list: &mut Value| {
        list.as_array_mut().unwrap().remove(0);
    };
    refused(
        |new| drop_first(&mut schema(new, SUBMIT)["$defs"]["LatePolicy"]["oneOf"]),
        "the value \"same_seats\" is gone",
    );
    refused(
        |new| drop_first(&mut schema(new, "booking.held.v1")["$defs"]["Code"]["oneOf"]),
        "the value \"seats_unavailable\" is gone",
    );
    let add = |list: &mut Value| {
        let value = json!({"const": "better_seats", "type": "string"});
        list.as_array_mut().unwrap().push(value);
    };
    refused(
        |new| add(&mut schema(new, SUBMIT)["$defs"]["LatePolicy"]["oneOf"]),
        "the value \"better_seats\" is new, and the list is closed",
    );
    allowed(|new| add(&mut schema(new, "booking.held.v1")["$defs"]["Code"]["oneOf"]));
    refused(
        |new| schema(new, SUBMIT)["$defs"]["LatePolicy"]["x-open"] = json!(true),
        "the list was opened",
    );
    refused(
        |new| {
            let status = &mut schema(new, "booking.held.v1")["$defs"]["BookingFact"]["properties"];
            status["status"]["enum"] = json!(["held"]);
        },
        "became a list of values",
    );
}

#[test]
fn forms_stay_as_many_and_as_they_were() {
    refused(
        |new| {
            let forms = &mut schema(new, SUBMIT)["$defs"]["PositionRequest"]["anyOf"];
            forms.as_array_mut().unwrap().remove(1);
        },
        "has 1 forms, had 2",
    );
    refused(
        |new| schema(new, SUBMIT)["additionalProperties"] = json!(true),
        "is true, was false",
    );
}

#[test]
fn kinds_stay_and_new_ones_are_welcome() {
    refused(
        |new| {
            new.schemas.remove("mail.send.v1");
        },
        "mail.send.v1 is gone",
    );
    allowed(|new| {
        let v2 = new.schemas[SUBMIT].clone();
        new.schemas.insert("booking.submit.v2".to_owned(), v2);
    });
    allowed(|new| schema(new, SUBMIT)["description"] = json!("Said better."));
}

#[test]
fn routing_keys_and_exchanges_stay() {
    refused(
        |new| {
            let mut bindings = new.topology.bindings.iter_mut();
            let submit = bindings.find(|binding| binding.key == SUBMIT).unwrap();
            submit.key = "booking.order.v1".to_owned();
        },
        "booking.submit.v1 no longer leads from boxoffice.intake to reservations.submit",
    );
    refused(
        |new| {
            let to = new.topology.published_to.get_mut(SUBMIT).unwrap();
            *to = "boxoffice.commands".to_owned();
        },
        "booking.submit.v1 is published to boxoffice.commands, was to boxoffice.intake",
    );
    refused(
        |new| {
            let events = new.topology.exchanges.get_mut("boxoffice.events").unwrap();
            events.r#type = "fanout".to_owned();
        },
        "exchange boxoffice.events is fanout",
    );
    refused(
        |new| {
            new.topology.exchanges.remove("boxoffice.return");
        },
        "exchange boxoffice.return is gone",
    );
    allowed(|new| {
        new.topology.bindings.push(Binding {
            exchange: "boxoffice.events".to_owned(),
            queue: "webhooks".to_owned(),
            key: "#".to_owned(),
        });
    });
}

#[test]
fn queues_keep_their_arguments_and_what_they_accept() {
    refused(
        |new| {
            let queue = new.topology.queues.get_mut("reservations.submit").unwrap();
            queue.arguments["x-max-length"] = json!(100);
        },
        "queue reservations.submit has the arguments",
    );
    refused(
        |new| {
            let queue = new.topology.queues.get_mut("mail").unwrap();
            queue.accepts.clear();
        },
        "queue mail no longer accepts mail.send.v1",
    );
    refused(
        |new| {
            new.topology.queues.remove("timeline");
        },
        "queue timeline is gone",
    );
    allowed(|new| {
        let queue = Queue {
            arguments: json!({"x-queue-type": "quorum"}),
            accepts: Vec::new(),
        };
        new.topology.queues.insert("webhooks".to_owned(), queue);
    });
}
