//! What the API asks for, made of the runtime and the document store.

use async_trait::async_trait;
use boxoffice_api::{
    Documents, Hint, Intake, IntakeError,
    documents::{DocumentsDown, StoredPdf},
    intake::Broker as Door,
};
use boxoffice_contracts::{BookingId, Envelope, message::event::BookingFact};
use boxoffice_runtime::{Broker, BrokerState, EventStream, Happened, IntakePublisher};
use boxoffice_store::mongo::documents;
use futures::Stream;
use mongodb::Database;
use tokio::sync::broadcast::error::RecvError;

/// Publishes commands with mandatory and confirm.
pub(crate) struct BrokerIntake {
    broker: Broker,
    publisher: IntakePublisher,
}

impl BrokerIntake {
    pub(crate) fn new(broker: &Broker) -> Self {
        Self { broker: broker.clone(), publisher: IntakePublisher::new(broker) }
    }
}

#[async_trait]
impl Intake for BrokerIntake {
    async fn publish(&self, envelope: Envelope, body: Vec<u8>) -> Result<(), IntakeError> {
        use boxoffice_runtime::IntakeError as Refused;
        self.publisher.publish(&envelope, &body).await.map_err(|error| match error {
            Refused::Unroutable => IntakeError::Unroutable,
            Refused::Refused => IntakeError::Refused,
            Refused::TimedOut => IntakeError::TimedOut,
            Refused::Blocked => IntakeError::Blocked,
            Refused::Down => IntakeError::Down,
        })
    }

    fn broker(&self) -> Door {
        match *self.broker.state().borrow() {
            BrokerState::Up => Door::Ready,
            BrokerState::Blocked => Door::Blocked,
            BrokerState::Down => Door::Down,
        }
    }
}

/// Ticket documents in MongoDB.
pub(crate) struct MongoDocuments(pub(crate) Database);

#[async_trait]
impl Documents for MongoDocuments {
    async fn ticket_pdf(&self, booking: BookingId) -> Result<Option<StoredPdf>, DocumentsDown> {
        match documents::find_ticket_pdf(&self.0, booking).await {
            Ok(found) => Ok(found.map(|pdf| StoredPdf {
                bytes: pdf.bytes,
                sha256: pdf.sha256,
                revision: pdf.revision,
            })),
            Err(error) => Err(DocumentsDown(error.to_string())),
        }
    }
}

/// Facts of bookings as hints to read again. A watcher that lags reads everything again.
pub(crate) fn hints(events: &EventStream) -> impl Stream<Item = Hint> + Send + Unpin + use<> {
    let receiver = events.subscribe();
    Box::pin(futures::stream::unfold(receiver, |mut receiver| async move {
        loop {
            let hint = match receiver.recv().await {
                Ok(Happened::Event(event)) => match serde_json::from_slice::<BookingFact>(&event.body) {
                    Ok(fact) => Hint::Changed { booking: fact.booking_id, version: fact.version },
                    // Another kind of fact: nothing that a booking's watcher waits for.
                    Err(_) => continue,
                },
                Ok(Happened::Rebound) | Err(RecvError::Lagged(_)) => Hint::Rebound,
                Err(RecvError::Closed) => return None,
            };
            return Some((hint, receiver));
        }
    }))
}
