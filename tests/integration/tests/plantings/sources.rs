//! Errors in what others hold: the gateway, mails, documents, queues, and what clients saw.

use super::{How, Planting};
use boxoffice_contracts::{BookingId, OperationId, ShowId};
use boxoffice_documents::{TicketKeys, TicketSigner};
use boxoffice_invariants::{
    Accepted, Arrived, GatewayBooks, GatewayLedger, MailSink, QueueBooks, QueueDepth, Sources,
    history::{Asked, Event, Learned, Record},
};
use futures::FutureExt;
use mongodb::{
    Database,
    bson::{Document, doc},
};
use std::sync::Arc;
use uuid::Uuid;

const fn source(
    check: &'static str,
    what: &'static str,
    spoil: fn(&mut Sources, BookingId),
) -> Planting {
    Planting {
        check,
        what,
        how: How::Source(spoil),
    }
}

pub(super) const PLANTINGS: &[Planting] = &[
    source("C1", "a 202 that nobody knows of", |sources, booking| {
        let lost = Accepted {
            booking,
            operation: OperationId(Uuid::from_u128(0xdead)),
            kind: "cancel".to_owned(),
        };
        sources.accepted.as_mut().unwrap().push(lost);
    }),
    source("C9", "captured twice there", |sources, _| {
        gateway(sources, |ledger| ledger.intents[0].captures = 2);
    }),
    source("C12", "codes of a foreign key", |sources, _| {
        let mut keys = TicketKeys::new();
        let key = TicketSigner::from_seed(1, [9; 32]).public_key();
        keys.insert(1, key).unwrap();
        sources.ticket_keys = Some(keys);
    }),
    Planting {
        check: "C12",
        what: "another hash",
        how: How::Documents(|documents, booking| {
            let change = doc! { "$set": { "sha256": "0".repeat(64) } };
            update(documents, "ticket_documents", booking, change).boxed()
        }),
    },
    Planting {
        check: "C12",
        what: "other bytes under their own hash",
        how: How::Documents(|documents, booking| {
            let bytes = mongodb::bson::Binary {
                subtype: mongodb::bson::spec::BinarySubtype::Generic,
                bytes: b"%PDF-1.7".to_vec(),
            };
            let hash = "86edbaa24831badfa0a8b04bb410141e2ee4182b6d0014493fe262a7a331c20b";
            let change = doc! { "$set": { "bytes": bytes, "sha256": hash } };
            update(documents, "ticket_documents", booking, change).boxed()
        }),
    },
    Planting {
        check: "C12",
        what: "no document",
        how: How::Documents(|documents, booking| {
            delete(documents, "ticket_documents", booking).boxed()
        }),
    },
    Planting {
        check: "C12",
        what: "a document of tickets that never were",
        how: How::Documents(|documents, booking| {
            let change = doc! { "$set": { "revision": 2 } };
            update(documents, "ticket_documents", booking, change).boxed()
        }),
    },
    Planting {
        check: "C12",
        what: "a document of nobody",
        how: How::Documents(|documents, booking| {
            let change = doc! { "$set": { "booking_id": "nobody" } };
            update(documents, "ticket_documents", booking, change).boxed()
        }),
    },
    source("C13b", "nothing came", |sources, _| {
        mails(sources, Arrived::clear)
    }),
    source("C13b", "to somebody else", |sources, _| {
        mails(sources, |arrived| {
            let other = || ["somebody@else.example".to_owned()].into();
            arrived.values_mut().for_each(|mail| mail.to = other());
        });
    }),
    source("C13b", "twice", |sources, _| {
        mails(sources, |arrived| {
            arrived.values_mut().for_each(|mail| mail.copies = 2)
        });
    }),
    source("C13b", "a mail of nobody", |sources, _| {
        mails(sources, |arrived| {
            arrived.insert("stranger@house.example".to_owned(), Default::default());
        });
    }),
    source("C20", "a cent more was captured", |sources, _| {
        gateway(sources, |ledger| ledger.intents[0].captured += 1);
    }),
    source("C20", "all was given back", |sources, _| {
        gateway(sources, |ledger| {
            ledger
                .intents
                .iter_mut()
                .for_each(|judged| judged.refunded += 1)
        });
    }),
    source("C20", "an intent is gone", |sources, _| {
        gateway(sources, |ledger| drop(ledger.intents.remove(0)));
    }),
    source("C20", "an intent of nobody", |sources, _| {
        gateway(sources, |ledger| ledger.intents[0].metadata.clear());
        gateway(sources, |ledger| {
            ledger.intents[0].id = "pi_of_nobody".to_owned()
        });
    }),
    source("C20", "another currency", |sources, _| {
        gateway(sources, |ledger| {
            let took = ledger
                .intents
                .iter_mut()
                .filter(|judged| judged.captured > 0);
            took.for_each(|judged| judged.currency = "xxx".to_owned());
        });
    }),
    source("C20", "still reserved", |sources, _| {
        gateway(sources, |ledger| {
            ledger.intents[0].status = "requires_capture".to_owned();
        });
    }),
    source("C21", "a message in a queue", |sources, _| {
        sources.queues = Some(Arc::new(Full));
    }),
    source("C23", "two owners of a seat", |sources, booking| {
        sources.history = Some(history(booking, BookingId(Uuid::from_u128(0xdead))));
    }),
    Planting {
        check: "C26",
        what: "no line of a decision",
        how: How::Documents(|documents, booking| delete(documents, "timelines", booking).boxed()),
    },
    Planting {
        check: "C26",
        what: "a line that never happened",
        how: How::Documents(|documents, booking| {
            let change = doc! { "$set": { "key": "mail:apology:00001" } };
            update(documents, "timelines", booking, change).boxed()
        }),
    },
    source("C27", "a webhook that nobody took", |sources, _| {
        gateway(sources, |ledger| ledger.webhooks_undelivered = Some(1));
    }),
];

/// Somebody who answers, and what is made of the answer.
struct Edited<S: ?Sized, T> {
    inner: Arc<S>,
    edit: fn(&mut T),
}

#[async_trait::async_trait]
impl GatewayBooks for Edited<dyn GatewayBooks, GatewayLedger> {
    async fn ledger(&self) -> Result<GatewayLedger, String> {
        let mut ledger = self.inner.ledger().await?;
        (self.edit)(&mut ledger);
        Ok(ledger)
    }
}

#[async_trait::async_trait]
impl MailSink for Edited<dyn MailSink, Arrived> {
    async fn arrived(&self) -> Result<Arrived, String> {
        let mut arrived = self.inner.arrived().await?;
        (self.edit)(&mut arrived);
        Ok(arrived)
    }
}

fn gateway(sources: &mut Sources, edit: fn(&mut GatewayLedger)) {
    let inner = sources.gateway.take().unwrap();
    sources.gateway = Some(Arc::new(Edited { inner, edit }));
}

fn mails(sources: &mut Sources, edit: fn(&mut Arrived)) {
    let inner = sources.mails.take().unwrap();
    sources.mails = Some(Arc::new(Edited { inner, edit }));
}

struct Full;

#[async_trait::async_trait]
impl QueueBooks for Full {
    async fn depths(&self) -> Result<Vec<QueueDepth>, String> {
        Ok(vec![QueueDepth {
            name: "mail".to_owned(),
            ready: 1,
            unacked: 0,
        }])
    }
}

struct Silent;

#[async_trait::async_trait]
impl GatewayBooks for Silent {
    async fn ledger(&self) -> Result<GatewayLedger, String> {
        Err("no answer in time".to_owned())
    }
}

/// A gateway that doesn't answer.
pub(crate) fn silent() -> Arc<dyn GatewayBooks> {
    Arc::new(Silent)
}

/// Both were seen as owners of A-1 for a while, at one time.
fn history(one: BookingId, other: BookingId) -> Vec<Record> {
    let mut records = Vec::new();
    let mut tell = |call: u64, at_us: u64, event| {
        let wall = "2026-11-21T12:00:00Z".parse().unwrap();
        records.push(Record {
            client: 1,
            call,
            at_us,
            wall,
            event,
        });
    };
    let confirmed = || Learned::Booking {
        status: "confirmed".to_owned(),
        code: None,
        seats: None,
        age_secs: 0,
    };
    for (number, booking) in (0..).zip([one, other]) {
        let seats = vec!["A-1".to_owned()];
        let show = ShowId(Uuid::from_u128(1));
        let asks = [
            (
                Asked::Submit {
                    booking,
                    show,
                    seats,
                },
                Learned::Accepted,
                0,
            ),
            (Asked::Look { booking }, confirmed(), 10),
            (Asked::Look { booking }, confirmed(), 20),
        ];
        for (place, (asked, learned, at)) in (0..).zip(asks) {
            let call = number * 3 + place;
            tell(call, at, Event::Invoke { asked });
            tell(call, at + 1, Event::Ok { learned });
        }
    }
    records
}

/// Where the originals of what was changed are.
fn kept(collection: &str) -> String {
    format!("kept_{collection}")
}

async fn keep(documents: &Database, collection: &str) {
    let copy = [doc! { "$match": {} }, doc! { "$out": kept(collection) }];
    documents
        .collection::<Document>(collection)
        .aggregate(copy)
        .await
        .unwrap();
}

async fn update(documents: &Database, collection: &str, booking: BookingId, change: Document) {
    keep(documents, collection).await;
    let mine = doc! { "booking_id": booking.to_string() };
    let rows = documents.collection::<Document>(collection);
    let done = rows.update_one(mine, change).await.unwrap();
    assert_eq!(
        done.modified_count, 1,
        "nothing was planted in {collection}"
    );
}

async fn delete(documents: &Database, collection: &str, booking: BookingId) {
    keep(documents, collection).await;
    let mine = doc! { "booking_id": booking.to_string() };
    let rows = documents.collection::<Document>(collection);
    let done = rows.delete_many(mine).await.unwrap();
    assert!(
        done.deleted_count > 0,
        "nothing was planted in {collection}"
    );
}

/// Puts back what was kept.
pub(crate) async fn restore_documents(documents: &Database) {
    for collection in ["ticket_documents", "timelines"] {
        let kept = documents.collection::<Document>(&kept(collection));
        if kept.estimated_document_count().await.unwrap() == 0 {
            continue;
        }
        let back = [doc! { "$match": {} }, doc! { "$out": collection }];
        kept.aggregate(back).await.unwrap();
        kept.drop().await.unwrap();
    }
}
