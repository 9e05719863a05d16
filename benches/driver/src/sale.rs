//! What most measurements begin with: the wide shows of the catalogue, customers who buy there, and a book that is told
//! what becomes of them.

use crate::{
    book::{Book, Step},
    catalogue::WIDE,
    crowd::Crowd,
    database::Database,
    news::News,
    orders::Orders,
    place::Place,
};
use anyhow::ensure;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Sale {
    pub(crate) crowd: Arc<Crowd>,
    news: News,
}

impl Sale {
    /// Of the wide shows, which must hold so many bookings.
    pub(crate) async fn open(place: &Place, bookings: usize) -> anyhow::Result<Self> {
        let database = Database::connect(&place.mysql).await?;
        let orders = Orders::of(&WIDE, database.shows(WIDE.slug).await?);
        ensure!(
            orders.capacity() >= bookings,
            "the catalogue holds {} bookings: too few",
            orders.capacity()
        );
        let book = Arc::new(Book::default());
        let news = News::listen(&place.amqp, &Step::ALL, Arc::clone(&book)).await?;
        let crowd = Crowd::new(place.clone(), orders, book);
        Ok(Self { crowd, news })
    }

    pub(crate) fn book(&self) -> &Book {
        &self.crowd.book
    }

    /// Nobody asks for a seat of somebody else: nobody may have been turned away.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let rejected = self.book().count(Step::Rejected);
        ensure!(rejected == 0, "{rejected} bookings were rejected");
        self.news.end().await
    }
}
