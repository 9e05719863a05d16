//! Documents on their way to where they are kept: those that come within a moment go in one command.

use boxoffice_store::mongo::documents::{self, NewPdf};
use mongodb::{Database, error::Error};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Shorter than a document takes to be written to the disk, longer than one takes to be rendered.
const MOMENT: Duration = Duration::from_millis(5);

/// Told the hash of what is stored.
type Told = oneshot::Sender<Result<String, Error>>;

/// Shared by all calls of a worker.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    documents: Database,
    waiting: Arc<Mutex<Vec<(NewPdf, Told)>>>,
}

impl Shelf {
    pub(super) fn new(documents: Database) -> Self {
        Self {
            documents,
            waiting: Arc::default(),
        }
    }

    /// Stores the document unless there is one of its revision; returns the hash of the one that is stored.
    ///
    /// # Errors
    /// When the server can't be reached or refuses it.
    pub(super) async fn store(&self, document: NewPdf) -> Result<String, Error> {
        let (tell, told) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push((document, tell));
            waiting.len() == 1
        };
        // On a task of its own: whoever comes first may be given up, and the others wait all the same.
        if is_first {
            tokio::spawn(self.clone().carry());
        }
        let gone = |_gone| Err(Error::custom("the document was not carried to its end"));
        told.await.unwrap_or_else(gone)
    }

    /// Takes everything that has come within the moment.
    async fn carry(self) {
        tokio::time::sleep(MOMENT).await;
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *waiting)
        };
        let (documents, told): (Vec<NewPdf>, Vec<Told>) = waiting.into_iter().unzip();
        match documents::store_ticket_pdfs(&self.documents, documents).await {
            Ok(stored) => {
                for (told, stored) in told.into_iter().zip(stored) {
                    // Who waits no longer asks again.
                    let _ = told.send(stored);
                }
            }
            Err(error) => {
                for told in told {
                    let _ = told.send(Err(error.clone()));
                }
            }
        }
    }
}
