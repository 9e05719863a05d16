//! Looking at everything, and at suspects twice.

use crate::{
    books::{self, Books},
    outside::{Outside, Papers},
    page::{self, Moment},
    report::Report,
    snapshot::Snapshot,
    sources::{Options, Sources},
    tally::{Finding, Tally},
    whole,
};
use boxoffice_contracts::{BookingId, Instant};
use sea_orm::DbErr;
use std::collections::BTreeSet;

/// Suspects that are looked at again one by one; what is more than that needs no proof.
const SUSPECTS_MAX: usize = 1_000;

/// The checks of single bookings that need our own rows only.
const OF_PAGES: [&str; 15] = [
    "C1", "C2", "C3", "C5", "C7", "C8", "C9", "C10", "C11", "C12b", "C13", "C16", "C17", "C18",
    "C19",
];

/// Makes every check whose sources are at hand.
///
/// Reads only, in snapshots of a page of bookings each, so it may run while the house is live. What is found is
/// looked at a second time, and is called a violation when it is still so.
pub async fn check_all(sources: &Sources, options: &Options) -> Report {
    let (mut tally, walked) = look(sources, options, None).await;
    if !tally.findings.is_empty() && !options.look_again.is_zero() {
        tokio::time::sleep(options.look_again).await;
        let suspects: BTreeSet<BookingId> = tally
            .findings
            .iter()
            .filter_map(|finding| finding.booking)
            .collect();
        let (few, many): (Vec<_>, Vec<_>) = suspects
            .into_iter()
            .enumerate()
            .partition(|(place, _)| *place < SUSPECTS_MAX);
        let few: Vec<BookingId> = few.into_iter().map(|(_, id)| id).collect();
        let many: BTreeSet<BookingId> = many.into_iter().map(|(_, id)| id).collect();
        let (mut again, _) = look(sources, options, Some(&few)).await;
        let unproved = |finding: &&Finding| finding.booking.is_some_and(|id| many.contains(&id));
        let unproved: Vec<Finding> = tally.findings.iter().filter(unproved).cloned().collect();
        again.findings.extend(unproved);
        tally.confirm(again);
    }
    Report {
        checks: tally.outcomes(options.examples_max),
        bookings: walked.bookings,
        next: walked.next,
    }
}

#[derive(Debug, Default)]
struct Walked {
    bookings: u64,
    next: Option<BookingId>,
}

/// One look at the whole, and at all bookings or at those alone that are named.
async fn look(sources: &Sources, options: &Options, only: Option<&[BookingId]>) -> (Tally, Walked) {
    let mut tally = Tally::default();
    let as_of = match now(sources).await {
        Ok(as_of) => as_of,
        Err(error) => {
            for check in crate::CATALOGUE {
                tally.failed(check.id, format!("the database: {error}"));
            }
            return (tally, Walked::default());
        }
    };
    let outside = Outside::ask(sources, options, &mut tally).await;
    whole::check(sources, options, &outside, &mut tally).await;
    let mut walk = Walk {
        sources,
        outside: &outside,
        moment: Moment {
            as_of,
            grace: options.grace,
            at_rest: options.at_rest,
        },
        tally: &mut tally,
        walked: Walked::default(),
    };
    let done = match only {
        Some(ids) => walk.some(ids).await,
        None => walk.all(options).await,
    };
    let walked = walk.walked;
    if let Err(error) = done {
        for check in OF_PAGES {
            tally.failed(check, format!("bookings: {error}"));
        }
    }
    (tally, walked)
}

async fn now(sources: &Sources) -> Result<Instant, DbErr> {
    let snapshot = Snapshot::open(&sources.db).await?;
    let now = snapshot.now().await?;
    snapshot.close().await?;
    Ok(now)
}

struct Walk<'a> {
    sources: &'a Sources,
    outside: &'a Outside,
    moment: Moment,
    tally: &'a mut Tally,
    walked: Walked,
}

impl Walk<'_> {
    async fn all(&mut self, options: &Options) -> Result<(), DbErr> {
        let mut after = options.after;
        let max = options.bookings_max.unwrap_or(u64::MAX);
        while self.walked.bookings < max {
            let limit = options.page.clamp(1, max - self.walked.bookings);
            let Some((first, last)) = books::page(&self.sources.db, after, limit).await? else {
                self.walked.next = None;
                return Ok(());
            };
            self.page(first, last).await?;
            after = Some(last);
            self.walked.next = after;
        }
        Ok(())
    }

    async fn some(&mut self, ids: &[BookingId]) -> Result<(), DbErr> {
        for id in ids {
            self.page(*id, *id).await?;
        }
        Ok(())
    }

    async fn page(&mut self, first: BookingId, last: BookingId) -> Result<(), DbErr> {
        let books = Books::read(&self.sources.db, first, last).await?;
        self.walked.bookings += (books.bookings.len() + books.unreadable.len()) as u64;
        for (id, why) in &books.unreadable {
            self.tally.found(
                "C16",
                Some(*id),
                id.to_string(),
                format!("{id} can't be read: {why}"),
            );
        }
        let settled: Vec<BookingId> = books
            .bookings
            .iter()
            .filter(|(_, entry)| entry.is_settled(self.moment.as_of, self.moment.grace))
            .map(|(id, _)| *id)
            .collect();
        // After our own rows: what they speak of was written before.
        let mut papers = Papers::read(self.sources, &settled, self.tally).await;
        for (id, entry) in &books.bookings {
            let beside = self.outside.beside(*id, entry.row.created_at, &mut papers);
            page::check(*id, entry, &beside, self.moment, self.tally);
        }
        Ok(())
    }
}
