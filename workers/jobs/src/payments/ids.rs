//! Keeping the gateway's ids of new payments, before anything is confirmed on them.
//!
//! Each must be committed before its own call goes on, and many calls run side by side: those that wait for
//! the commit of another are committed together by the first of them that gets its turn.

use boxoffice_runtime::Failure;
use boxoffice_store::mysql::intents::{self, NewGatewayId};
use sea_orm::DatabaseConnection;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot::{self, error::TryRecvError};

#[derive(Debug, Default)]
pub(super) struct Ids {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    new: NewGatewayId,
    /// Told once it is committed; dropped when it isn't.
    kept: oneshot::Sender<()>,
}

impl Ids {
    /// Returns when the id is committed.
    pub(super) async fn keep(
        &self,
        db: &DatabaseConnection,
        new: NewGatewayId,
    ) -> Result<(), Failure> {
        let (kept, mut told) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Waiting {
                new: new.clone(),
                kept,
            });
        let _turn = self.turn.lock().await;
        match told.try_recv() {
            Ok(()) => return Ok(()),
            // Whoever took it along has failed or is gone: alone, it learns the reason.
            Err(TryRecvError::Closed) => return write(db, vec![new]).await,
            Err(TryRecvError::Empty) => {}
        }
        let all = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        write(db, all.iter().map(|each| each.new.clone()).collect()).await?;
        for each in all {
            // Nobody listens when its call was given up.
            let _ = each.kept.send(());
        }
        Ok(())
    }
}

async fn write(db: &DatabaseConnection, ids: Vec<NewGatewayId>) -> Result<(), Failure> {
    Ok(intents::keep_gateway_ids(db, ids).await?)
}
