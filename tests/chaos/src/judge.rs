//! The end of a run: everybody's books, compared.

use crate::stage::Stage;
use boxoffice_integration::witness::Sandbox;
use boxoffice_invariants::{
    Accepted, Allowed, GatewayBooks as _, Options, Report, Sources, check_all, history::Record,
};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

/// Makes every check.
pub async fn check(stage: &Stage, accepted: Vec<Accepted>, history: Vec<Record>) -> Report {
    let sources = Sources {
        accepted: Some(accepted),
        history: Some(history),
        ..stage.world.lock().await.sources()
    };
    let options = Options {
        allowed: Allowed {
            parked: stage.expected.all().len() as u64,
            // Whoever is killed between sending and noting it sends again, under the same id.
            mail_copies: true,
            lost_webhooks: true,
        },
        ..Options::at_rest()
    };
    check_all(&sources, &options).await
}

/// By how many minor units what the gateway holds differs from what our ledger says it holds.
///
/// # Errors
/// One of them can't be read.
pub async fn cents_off(stage: &Stage) -> anyhow::Result<u64> {
    let ledger = Sandbox(stage.gateway.clone()).ledger().await;
    let ledger = ledger.map_err(anyhow::Error::msg)?;
    let held = |intent: &boxoffice_invariants::Judged| intent.captured - intent.refunded;
    let theirs: i64 = ledger.intents.iter().map(held).sum();
    let ask = "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS SIGNED) AS sum FROM ledger_entries \
               WHERE account = 'gateway'";
    let ask = Statement::from_string(DbBackend::MySql, ask);
    let row = stage.db.query_one_raw(ask).await?;
    let ours: i64 = row.map_or(Ok(0), |row| row.try_get("", "sum"))?;
    Ok(theirs.abs_diff(ours))
}
